"""Which events are kept, and that what is kept stands for the rest."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from scipy import stats

from crucible.errors import SpecErrors
from crucible.store import StoredEvent
from crucible.telemetry.sampling import (
    AdaptiveSampler,
    ImportanceSampler,
    ReservoirSampler,
    Sampler,
    StratifiedSampler,
    UniformSampler,
    sampler_from,
)
from crucible.telemetry.sampling.latest import LatestValues

CONFIGS: list[dict[str, Any]] = [
    {"type": "uniform", "rate": 0.25, "seed": 3},
    {"type": "reservoir", "size": 20, "seed": 4},
    {"type": "stratified", "rates": {"failure": 1.0, "success": 0.1}, "by": "success", "default": 0.5, "seed": 5},
    {"type": "stratified", "rates": {"a": 0.75}, "by": "model", "default": 0.25, "seed": 6},
    {
        "type": "adaptive",
        "base_rate": 0.2,
        "anomaly_rate": 0.9,
        "metric": "cost_usd",
        "threshold": 2.5,
        "min_samples": 50,
        "seed": 7,
    },
    {
        "type": "importance",
        "rate": 0.2,
        "quantile": 0.95,
        "window": 200,
        "min_samples": 20,
        "min_cost_usd": 0.9,
        "seed": 8,
    },
]


def record(number: int, name: str = "x.done", **fields: Any) -> StoredEvent:
    """Return a record with an id of its own."""
    return StoredEvent(name=name, timestamp_ns=number, event_id=f"{number:016x}", **fields)


def stream(count: int, seed: int = 1) -> list[StoredEvent]:
    """Return records of all sorts: plain ones, spans, outcomes, models, latencies, costs."""
    chance = random.Random(seed)
    records: list[StoredEvent] = []
    for number in range(count):
        span = chance.choice([None, f"s{number // 2}"])
        records.append(
            record(
                number,
                chance.choice(["a.start", "a.stop", "b.done"]),
                span_id=span,
                success=chance.choice([None, True, False]),
                latency_ms=chance.expovariate(1),
                cost_usd=chance.random(),
                fields={"model": chance.choice("abc")},
            )
        )
    return records


def kept(sampler: Sampler, records: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Return what is kept at the end, with replaced records taken out."""
    found: dict[tuple[int, str], StoredEvent] = {}
    for each in records:
        verdict = sampler.offer(each)
        if verdict.replaces is not None:
            del found[verdict.replaces]
        if verdict.kept:
            found[each.timestamp_ns, each.event_id] = each
    return list(found.values())


def weight(each: StoredEvent) -> float:
    """Return for how many a record stands."""
    return each.fields.get("sampling_weight", 1.0)


def is_plausible(successes: int, trials: int, probability: float) -> bool:
    """Return whether a count fits a probability; seeds are fixed, so it always does or never does."""
    return float(stats.binomtest(successes, trials, probability).pvalue) > 0.001


# --- all of them ---


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["type"])
def test_a_sampler_survives_json(config: dict[str, Any]) -> None:
    """Its settings come back, every one of them."""
    plain = sampler_from(config).to_dict()
    assert plain == config
    assert sampler_from(json.loads(json.dumps(plain))).to_dict() == plain


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["type"])
def test_a_seed_decides(config: dict[str, Any]) -> None:
    """The same seed keeps the same, another one does not."""
    first, second = (kept(sampler_from(config), stream(2000)) for _ in range(2))
    other = kept(sampler_from({**config, "seed": 99}), stream(2000))
    assert [each.event_id for each in first] == [each.event_id for each in second]
    assert [each.event_id for each in first] != [each.event_id for each in other]


@pytest.mark.parametrize("config", CONFIGS[:1] + CONFIGS[2:], ids=lambda config: config["type"])
def test_no_start_is_kept_without_its_end(config: dict[str, Any]) -> None:
    """Both share a draw, and a start is never likelier than its end, whatever its end turns out to be."""
    chance = random.Random(2)
    sampler = sampler_from(config)
    starts: set[str] = set()
    ends: set[str] = set()
    for number in range(4000):
        span, model = f"s{number}", chance.choice("abc")
        opened = record(2 * number, "a.start", span_id=span, fields={"model": model})
        closed = record(
            2 * number + 1,
            "a.stop",
            span_id=span,
            success=chance.random() < 0.9,
            latency_ms=chance.expovariate(1),
            cost_usd=chance.random(),
            fields={"model": model},
        )
        starts |= {span} if sampler.offer(opened).kept else set()
        ends |= {span} if sampler.offer(closed).kept else set()
    assert 0 < len(starts) <= len(ends) < 4000
    assert starts <= ends


@pytest.mark.parametrize("config", CONFIGS[:1] + CONFIGS[2:], ids=lambda config: config["type"])
def test_weighted_counts_are_unbiased(config: dict[str, Any]) -> None:
    """Over many seeds the weights of what is kept add up to how many there were."""
    records, estimates = stream(400), []
    for seed in range(100):
        copies = [record(each.timestamp_ns, each.name, **_rest(each)) for each in records]
        estimates.append(sum(weight(each) for each in kept(sampler_from({**config, "seed": seed}), copies)))
    low, high = stats.t.interval(0.999, 99, loc=sum(estimates) / 100, scale=stats.sem(estimates))
    assert low <= 400 <= high


def _rest(each: StoredEvent) -> dict[str, Any]:
    names = ("span_id", "success", "latency_ms", "cost_usd")
    return {name: getattr(each, name) for name in names} | {"fields": dict(each.fields)}


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        ({"rate": 0.1}, "type", "is missing; expected one of uniform, reservoir"),
        ({"type": "unifrom", "rate": 0.1}, "type", 'did you mean "uniform"?'),
        ({"type": 5}, "type", "must be one of"),
        ({"type": "uniform"}, "rate", "is required"),
        ({"type": "uniform", "rate": 1.5}, "rate", "1.5"),
        ({"type": "uniform", "rate": "0.1"}, "rate", "0.1"),
        ({"type": "uniform", "rate": math.nan}, "rate", ""),
        ({"type": "uniform", "rate": 0.1, "sed": 3}, "sed", "seed"),
        ({"type": "uniform", "rate": 0.1, "seed": -1}, "seed", "-1"),
        ({"type": "reservoir", "size": 0}, "size", "0"),
        ({"type": "stratified", "rates": {}}, "rates", ""),
        ({"type": "stratified", "rates": {"failure": 2.0}}, "rates.failure", "from 0 to 1, got 2.0"),
        ({"type": "stratified", "rates": {"failures": 1.0}}, "rates.failures", 'did you mean "failure"?'),
        ({"type": "adaptive", "base_rate": 0.5, "anomaly_rate": 0.1}, "anomaly_rate", "at least the base_rate, 0.5"),
        ({"type": "importance", "quantile": 1.0}, "quantile", ""),
    ],
)
def test_a_mistake_is_told_with_its_path(config: dict[str, Any], path: str, words: str) -> None:
    """As in any document."""
    with pytest.raises(SpecErrors) as caught:
        sampler_from(config)
    assert [error.path for error in caught.value.errors] == [path]
    assert words in str(caught.value)


def test_what_is_no_mapping_is_refused() -> None:
    """A word alone names no settings."""
    with pytest.raises(SpecErrors) as caught:
        sampler_from("uniform")  # type: ignore[arg-type]
    assert "expected a mapping with a type, got str" in str(caught.value)


# --- uniform ---


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("is_span", [False, True])
def test_uniform_keeps_its_share(rate: float, is_span: bool) -> None:
    """Of plain events by a generator, of spans by the hash of their id."""
    records = [record(number, span_id=f"{number:x}-7" if is_span else None) for number in range(20_000)]
    found = kept(UniformSampler(rate, seed=11), records)
    assert is_plausible(len(found), 20_000, rate)
    assert {weight(each) for each in found} == {1 / rate}


def test_uniform_draws_of_spans_are_uniform() -> None:
    """Ids that count up fall evenly into twenty bins, and two seeds have nothing to do with each other."""
    bins, both = [0] * 20, 0
    samplers = [UniformSampler(0.5, seed=seed) for seed in (1, 2)]
    for number in range(20_000):
        each = record(number, span_id=f"1f-{number:x}")
        bins[int(samplers[0]._draws.of(each) * 20)] += 1
        both += all(sampler.offer(record(number, span_id=f"1f-{number:x}")).kept for sampler in samplers)
    assert float(stats.chisquare(bins).pvalue) > 0.001
    assert is_plausible(both, 20_000, 0.25)


def test_uniform_at_its_ends() -> None:
    """1 keeps everything without a weight, 0 nothing."""
    everything = kept(UniformSampler(1.0), stream(500))
    assert len(everything) == 500
    assert not any("sampling_weight" in each.fields for each in everything)
    assert kept(UniformSampler(0.0), stream(500)) == []


def test_events_of_a_span_are_kept_together() -> None:
    """Also where other events lie between them."""
    sampler = UniformSampler(0.3, seed=5)
    for number in range(500):
        first = sampler.offer(record(number, span_id=f"s{number}")).kept
        sampler.offer(record(number))
        assert sampler.offer(record(number, span_id=f"s{number}")).kept is first


# --- reservoir ---


@pytest.mark.parametrize("seen", [0, 1, 49, 50, 51, 5000])
def test_a_reservoir_keeps_exactly_its_size(seen: int) -> None:
    """Or all, while there are no more."""
    sampler = ReservoirSampler(50, seed=1)
    assert len(kept(sampler, (record(number) for number in range(seen)))) == min(50, seen)
    assert sampler.weight == max(1.0, seen / 50)


def test_a_reservoir_chooses_evenly() -> None:
    """Over many seeds every place of the stream is kept equally often."""
    counts = [0] * 40
    for seed in range(3000):
        for each in kept(ReservoirSampler(8, seed=seed), (record(number) for number in range(40))):
            counts[each.timestamp_ns] += 1
    assert sum(counts) == 24_000
    assert float(stats.chisquare(counts).pvalue) > 0.001


def test_a_dropped_record_replaces_nothing() -> None:
    """And a kept one replaces only what is kept."""
    sampler, alive = ReservoirSampler(5, seed=3), set[tuple[int, str]]()
    for number in range(1000):
        each = record(number)
        verdict = sampler.offer(each)
        assert verdict.kept or verdict.replaces is None
        if verdict.replaces is not None:
            alive.remove(verdict.replaces)
        if verdict.kept:
            alive.add((each.timestamp_ns, each.event_id))
    assert len(alive) == 5


# --- stratified ---


def outcomes(count: int) -> list[StoredEvent]:
    """Return records that failed, went well, or did not say."""
    return [record(number, success=(True, False, None)[number % 3]) for number in range(count)]


def test_strata_have_rates_of_their_own() -> None:
    """All failures, a tenth of what went well, and the default of the rest."""
    found = kept(StratifiedSampler({"failure": 1.0, "success": 0.1}, seed=2, default=0.5), outcomes(9000))
    by_outcome = {success: [each for each in found if each.success is success] for success in (True, False, None)}
    assert len(by_outcome[False]) == 3000
    assert is_plausible(len(by_outcome[True]), 3000, 0.1)
    assert is_plausible(len(by_outcome[None]), 3000, 0.5)
    assert [{weight(each) for each in by_outcome[success]} for success in (True, False, None)] == [{10.0}, {1.0}, {2.0}]


def test_a_stratum_is_any_field_of_a_record() -> None:
    """Attributes, fields, metadata and measurements; truth values as JSON writes them."""
    cases: Sequence[tuple[str, dict[str, Any], str]] = [
        ("name", {}, "x.done"),
        ("condition", {"condition": "control"}, "control"),
        ("stage", {}, "unknown"),
        ("model", {"fields": {"model": "m"}, "metadata": {"model": "other"}}, "m"),
        ("is_cached", {"metadata": {"is_cached": True}}, "true"),
        ("epoch", {"measurements": {"epoch": 3}}, "3"),
        ("list", {"metadata": {"list": [1]}}, "unknown"),
        ("none", {}, "unknown"),
    ]
    for by, fields, expected in cases:
        assert StratifiedSampler({"a": 1.0}, by=by).stratum(record(1, **fields)) == expected


# --- adaptive ---


def test_adaptive_keeps_what_deviates() -> None:
    """Each name has figures of its own, so what is slow for one may be usual for another."""
    chance = random.Random(4)
    sampler = AdaptiveSampler(base_rate=0.1, min_samples=100, seed=4)
    ordinary = [
        record(number, name, latency_ms=chance.gauss(mean, 1))
        for number in range(3000)
        for name, mean in (("quick.stop", 10), ("slow.stop", 1000))
    ]
    found = kept(sampler, ordinary)
    assert is_plausible(sum(weight(each) > 1 for each in found), len(ordinary), 0.1)
    assert sum(weight(each) == 1 for each in found) < 60  # of 6000 normal values, 0.3 % lie beyond three deviations
    for name, value in (("quick.stop", 1000.0), ("slow.stop", 10.0)):
        each = record(9999, name, latency_ms=value)
        assert sampler.offer(each).kept
        assert "sampling_weight" not in each.fields


def test_adaptive_finds_nothing_on_constants() -> None:
    """Nothing deviates there; the first other value does."""
    sampler = AdaptiveSampler(base_rate=0.0, min_samples=10)
    assert kept(sampler, (record(number, latency_ms=0.1) for number in range(1000))) == []
    assert sampler.offer(record(1, latency_ms=0.2)).kept


def test_adaptive_judges_nothing_before_it_has_seen_enough() -> None:
    """Nor what has no metric, or one that is no number."""
    sampler = AdaptiveSampler(base_rate=0.0, min_samples=100, metric="loss")
    for value in [*(0.5 + number / 1000 for number in range(99)), None, "x", True, math.nan, math.inf, 10**400]:
        assert not sampler.offer(record(1, fields={"loss": value})).kept
    assert not sampler.offer(record(1, measurements={"loss": 50.0})).kept
    assert sampler.offer(record(1, measurements={"loss": 500.0})).kept


def test_figures_of_many_names_stay_few() -> None:
    """A program that makes names up shares them from a thousand on."""
    sampler = AdaptiveSampler(base_rate=0.0)
    for number in range(1500):
        sampler.offer(record(number, f"x{number}.stop", latency_ms=1.0))
    assert len(sampler._figures) == 1001


# --- importance ---


def test_importance_keeps_the_slowest_and_the_dearest() -> None:
    """About a hundredth by each, always, and a share of the others with their weight."""
    chance = random.Random(6)
    records = [record(n, latency_ms=chance.expovariate(1), cost_usd=chance.expovariate(1)) for n in range(20_000)]
    found = kept(ImportanceSampler(rate=0.05, seed=6), records)
    always = [each for each in found if weight(each) == 1]
    assert 0.015 < len(always) / 20_000 < 0.025
    assert is_plausible(len(found) - len(always), 20_000 - len(always), 0.05)
    limit = sorted(each.latency_ms or 0 for each in records)[-100]
    assert {each.event_id for each in records if (each.latency_ms or 0) >= limit} <= {each.event_id for each in always}


def test_a_weighted_sum_is_nearer_than_a_uniform_one() -> None:
    """That is what importance is for: heavy tails are not left to chance."""
    spreads: dict[str, float] = {}
    for kind, config in (("importance", {"rate": 0.05}), ("uniform", {"rate": 0.07})):
        sums: list[float] = []
        for seed in range(20):
            chance = random.Random(1)
            records = [record(number, latency_ms=chance.paretovariate(1.3)) for number in range(2000)]
            found = kept(sampler_from({"type": kind, **config, "seed": seed}), records)
            sums.append(sum(weight(each) * (each.latency_ms or 0) for each in found))
        mean = sum(sums) / len(sums)
        spreads[kind] = math.sqrt(sum((each - mean) ** 2 for each in sums) / len(sums))
    assert spreads["importance"] < spreads["uniform"]


def test_importance_keeps_no_constants() -> None:
    """Among equal values none is slow."""
    sampler = ImportanceSampler(rate=0.0, min_samples=10)
    assert kept(sampler, (record(number, latency_ms=5.0, cost_usd=0.0) for number in range(1000))) == []
    assert sampler.offer(record(1, latency_ms=5.1)).kept


def test_importance_follows_a_drift() -> None:
    """What was slow once is usual now."""
    sampler = ImportanceSampler(rate=0.0, window=50, min_samples=10)
    chance = random.Random(1)
    kept(sampler, (record(number, latency_ms=chance.gauss(10, 1)) for number in range(200)))
    assert sampler.offer(record(1, latency_ms=100.0)).kept
    kept(sampler, (record(number, latency_ms=chance.gauss(1000, 1)) for number in range(200)))
    assert not sampler.offer(record(1, latency_ms=100.0)).kept


def test_a_cost_may_be_dear_by_itself() -> None:
    """From the first event on."""
    sampler = ImportanceSampler(rate=0.0, min_cost_usd=1.0)
    assert [sampler.offer(record(1, cost_usd=cost)).kept for cost in (0.99, 1.0, None)] == [False, True, False]


def test_the_latest_values_have_an_exact_quantile() -> None:
    """The same as sorting the last fifty would give."""
    chance, latest, values = random.Random(3), LatestValues(50), list[float]()
    for _ in range(500):
        value = float(chance.randrange(30))
        values.append(value)
        latest.add(value)
        last = sorted(values[-50:])
        assert len(latest) == len(last)
        assert [latest.quantile(share) for share in (0.01, 0.5, 0.99)] == [
            last[math.ceil(share * len(last)) - 1] for share in (0.01, 0.5, 0.99)
        ]
