"""What a recording comes to: latency, cost, reliability, tokens, trainings and series; exact, from the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from crucible.store import Aggregate, EventQuery, ExperimentInfo, SeriesSummary, Store
from crucible.telemetry.streaming import MetricsConfig, Reliability, TrainingSummary
from crucible.telemetry.streaming.training import TRAINING_EVENTS, Trainings

__all__ = ["CostSummary", "MetricsSummary", "Spread", "TokenCounts", "metrics_of"]

_PERCENTILES = (0.5, 0.9, 0.95, 0.99)
_S = 1e9


class Spread(msgspec.Struct, frozen=True):
    """How values lie; None where there is none.

    Args:
        count: Values.
        mean: Their arithmetic mean.
        median: The value in the middle.
        std_dev: Their sample standard deviation (n - 1); None for fewer than two.
        min: The smallest.
        max: The largest.
        p50: As the median.
        p90: Nine of ten are not above it.
        p95: 95 of 100 are not above it.
        p99: 99 of 100 are not above it.
    """

    count: int
    mean: float | None = None
    median: float | None = None
    std_dev: float | None = None
    min: float | None = None
    max: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


class CostSummary(msgspec.Struct, frozen=True):
    """What it cost, US dollars, of the events of which somebody knows.

    Args:
        count: Events whose cost is known.
        total: In all; 0 of nothing.
        mean_per_request: The arithmetic mean; None of nothing.
        median_per_request: The cost in the middle.
        cost_per_1k_requests: The mean, times a thousand.
        cost_per_1m_requests: The mean, times a million.
        prices: Where the prices come from, and of what date; None where none were given.
    """

    count: int
    total: float
    mean_per_request: float | None
    median_per_request: float | None
    cost_per_1k_requests: float | None
    cost_per_1m_requests: float | None
    prices: dict[str, Any] | None


class TokenCounts(msgspec.Struct, frozen=True):
    """Tokens of the events that told any.

    Args:
        count: Events that told any.
        total_prompt: Of prompts.
        total_completion: Of completions.
        total: Of both, or as it was told.
        mean_prompt: An event, of those that told it; None of nothing.
        mean_completion: An event.
        mean_total: An event.
    """

    count: int
    total_prompt: int = 0
    total_completion: int = 0
    total: int = 0
    mean_prompt: float | None = None
    mean_completion: float | None = None
    mean_total: float | None = None


class MetricsSummary(msgspec.Struct, frozen=True):
    """What a recording comes to.

    Args:
        total_events: Events.
        malformed: Those of which something could not be read.
        start_ns: When the first happened; nanoseconds since 1970-01-01 UTC, None of nothing.
        end_ns: When the last did.
        duration_s: From the first to the last.
        event_types: How many of each name.
        latency: Latencies in milliseconds of whatever has one; None where switched off.
        latency_by_name: The same by the name of the event.
        cost: None where switched off.
        reliability: Of events of which it is known whether they went well; None where switched off.
        tokens: None where switched off.
        training: How each model's training went.
        custom: The fields that `metrics_config` names.
        series: What each series comes to.
        cautions: What a reader must know before believing the figures, such as that events were sampled.
    """

    total_events: int
    malformed: int
    start_ns: int | None
    end_ns: int | None
    duration_s: float
    event_types: dict[str, int]
    latency: Spread | None
    latency_by_name: dict[str, Spread]
    cost: CostSummary | None
    reliability: Reliability | None
    tokens: TokenCounts | None
    training: tuple[TrainingSummary, ...]
    custom: dict[str, Spread]
    series: tuple[SeriesSummary, ...]
    cautions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name; NaN and infinities as texts."""
        told: dict[str, Any] = msgspec.structs.asdict(self)
        told["reliability"] = None if self.reliability is None else self.reliability.to_dict()
        return _plain(msgspec.to_builtins(told))


def metrics_of(store: Store, run_id: str) -> MetricsSummary:
    """Return what a recording comes to; what an experiment's `metrics_config` switches off is left out.

    Args:
        store: Where it is kept.
        run_id: A run's full id, or a telemetry experiment's.

    Raises:
        StoreError: The store cannot be read.
    """
    telemetry, query = store.telemetry, EventQuery(run_id=run_id)
    info = telemetry.experiments.find(run_id)
    wanted = MetricsConfig.of(None if info is None else info.settings.get("metrics_config"))
    prices = None if info is None else info.settings.get("prices")
    counts = telemetry.event_counts(run_id)
    first = next(telemetry.select(EventQuery(run_id=run_id, limit=1)), None)
    last = next(telemetry.select(EventQuery(run_id=run_id, limit=1, newest_first=True)), None)
    latency = telemetry.aggregate(query, percentiles=_PERCENTILES) if wanted.latency else []
    by_name = telemetry.aggregate(query, by=("name",), percentiles=_PERCENTILES) if wanted.latency else []
    plain = telemetry.aggregate(query)[0]
    reliability = Reliability(plain.successes + plain.failures, plain.successes, plain.failures)
    return MetricsSummary(
        total_events=sum(counts.values()),
        malformed=telemetry.malformed(run_id),
        start_ns=None if first is None else first.timestamp_ns,
        end_ns=None if last is None else last.timestamp_ns,
        duration_s=(last.timestamp_ns - first.timestamp_ns) / _S if first and last else 0.0,
        event_types=counts,
        latency=_spread(latency[0]) if wanted.latency else None,
        latency_by_name={entry.group[0]: _spread(entry) for entry in by_name if entry.n},
        cost=_cost(store, query, prices) if wanted.cost else None,
        reliability=reliability if wanted.success_rate else None,
        tokens=_tokens(store, run_id) if wanted.tokens else None,
        training=_training(store, run_id),
        custom={name: _custom(store, query, name) for name in wanted.custom},
        series=tuple(telemetry.series_summary(run_id)),
        cautions=() if info is None else tuple(_cautions(info)),
    )


def _cautions(info: ExperimentInfo) -> Iterator[str]:
    """Yield what a reader must know before believing the figures."""
    if sampled := info.dropped.get("sampled"):
        how = info.settings.get("sampler", {}).get("type", "a")
        yield (
            f"a {how} sampler left out {sampled} events: counts, rates and percentiles are of those that were kept "
            "(`sampling_weight` says how many each stands for, where they do not stand for equally many)"
        )
    if full := info.dropped.get("full"):
        yield f"{full} events or points were dropped because they came faster than they could be written"


def _spread(found: Aggregate) -> Spread:
    p50, p90, p95, p99 = (found.percentiles[fraction] for fraction in _PERCENTILES)
    return Spread(found.n, found.mean, p50, found.std, found.min, found.max, p50, p90, p95, p99)


def _custom(store: Store, query: EventQuery, name: str) -> Spread:
    return _spread(store.telemetry.aggregate(query, value=f"field:{name}", percentiles=_PERCENTILES)[0])


def _cost(store: Store, query: EventQuery, prices: Mapping[str, Any] | None) -> CostSummary:
    found = store.telemetry.aggregate(query, value="cost_usd", percentiles=(0.5,))[0]
    mean = found.mean
    source = None if prices is None else {name: prices.get(name) for name in ("source", "date")}
    return CostSummary(
        count=found.n,
        total=found.sum or 0.0,
        mean_per_request=mean,
        median_per_request=found.percentiles[0.5],
        cost_per_1k_requests=None if mean is None else mean * 1e3,
        cost_per_1m_requests=None if mean is None else mean * 1e6,
        prices=source,
    )


def _tokens(store: Store, run_id: str) -> TokenCounts:
    prompt, completion, total = ((n, round(found or 0)) for n, found in store.telemetry.token_sums(run_id))
    return TokenCounts(
        count=max(prompt[0], completion[0], total[0]),
        total_prompt=prompt[1],
        total_completion=completion[1],
        total=total[1],
        mean_prompt=prompt[1] / prompt[0] if prompt[0] else None,
        mean_completion=completion[1] / completion[0] if completion[0] else None,
        mean_total=total[1] / total[0] if total[0] else None,
    )


def _training(store: Store, run_id: str) -> tuple[TrainingSummary, ...]:
    trainings = Trainings()
    for event in store.telemetry.select(EventQuery(run_id=run_id, names=tuple(TRAINING_EVENTS))):
        trainings.add(TRAINING_EVENTS[event.name], event)
    return trainings.summaries()


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_plain(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
