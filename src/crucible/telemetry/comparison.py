"""How recordings differ: the same metrics of a baseline and of others, with intervals, effects and p-values.

A metric that is a sample (latencies of one event, whether requests went well) is put to the test that `stats` chooses;
one that is a single number on each side (a final loss) is only shown, since one number cannot say how it varies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from crucible import stats
from crucible.errors import SpecError, StatsError
from crucible.store import EventQuery, Store
from crucible.telemetry.summary import MetricsSummary, metrics_of

__all__ = ["Comparison", "MetricComparison", "compare"]

Better = Literal["lower", "higher"]

_HIGHER = ("accuracy", "reward", "f1", "score", "success", "throughput", "tokens_per_s", "bleu", "exact_match")
_MOST = 100_000  # values of a sample; of more, those that happened first


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a treatment beside that of the baseline.

    Args:
        metric: Such as `latency_ms of req_llm.request.stop`, `success_rate`, or the name of a series.
        treatment: Id of the treatment's recording.
        better: Which way is better.
        baseline_value: A mean, a rate, or the last value of a series; None where there is none.
        treatment_value: The same of the treatment.
        improvement: How much better the treatment is, in the metric's own unit: positive is better, negative worse.
        improvement_frac: That as a share of the baseline's value; None where that is 0.
        test: The test, its p-value, interval and effect; they are treatment minus baseline. None where there is none.
        note: Why there is no test.
    """

    metric: str
    treatment: str
    better: Better
    baseline_value: float | None
    treatment_value: float | None
    improvement: float | None
    improvement_frac: float | None
    test: stats.TestResult | None = None
    note: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """Recordings beside each other.

    Args:
        baseline: Id of the first one.
        treatments: Ids of the others.
        summaries: What each comes to, by id.
        metrics: Each metric of each treatment; p-values of all tests are corrected together.
        correction: How.
    """

    baseline: str
    treatments: tuple[str, ...]
    summaries: dict[str, MetricsSummary]
    metrics: tuple[MetricComparison, ...]
    correction: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, the summaries as their own `to_dict`."""
        found = [
            {
                **{name: getattr(entry, name) for name in entry.__struct_fields__ if name != "test"},
                "test": None if entry.test is None else entry.test.to_dict(),
            }
            for entry in self.metrics
        ]
        return {
            "baseline": self.baseline,
            "treatments": list(self.treatments),
            "correction": self.correction,
            "metrics": found,
            "summaries": {key: summary.to_dict() for key, summary in self.summaries.items()},
        }


def compare(store: Store, ids: Sequence[str], *, correction: str = "holm", alpha: float = 0.05) -> Comparison:
    """Compare recordings; the first is the baseline.

    Args:
        store: Where they are kept.
        ids: Full ids of runs or telemetry experiments, two at least.
        correction: How p-values are corrected for there being several; see `stats.correct`.
        alpha: Type-I error rate of the verdicts.

    Raises:
        SpecError: There are fewer than two, or one is named twice.
        MissingExtra: `stats` is not installed.
    """
    if len(ids) < 2:
        raise SpecError(f"a comparison needs at least two recordings, the first being the baseline; got {len(ids)}")
    if len(set(ids)) != len(ids):
        raise SpecError("a recording is compared with others, not with itself; name each once")
    summaries = {each: metrics_of(store, each) for each in ids}
    baseline, *treatments = ids
    rows = [row for each in treatments for row in _rows(store, summaries, baseline, each, alpha)]
    return Comparison(
        baseline, tuple(treatments), summaries, tuple(_corrected(rows, correction)), correction if rows else ""
    )


def _rows(
    store: Store, summaries: dict[str, MetricsSummary], baseline: str, treatment: str, alpha: float
) -> Iterable[MetricComparison]:
    names = _names(store, baseline, treatment)
    one, other = (_Samples(store, run_id) for run_id in (baseline, treatment))
    for name in sorted(one.latencies):
        if name in other.latencies:
            sides = one.latencies[name], other.latencies[name]
            yield _tested(f"latency_ms of {name}", "lower", sides, names, treatment, alpha)
    yield _tested("success_rate", "higher", (one.successes, other.successes), names, treatment, alpha)
    yield _tested("cost_usd", "lower", (one.costs, other.costs), names, treatment, alpha)
    yield _tested("total_tokens", "lower", (one.tokens, other.tokens), names, treatment, alpha)
    known = {entry.name: entry for entry in summaries[baseline].series}
    for entry in summaries[treatment].series:
        if entry.name in known:
            better: Better = "higher" if any(word in entry.name.lower() for word in _HIGHER) else "lower"
            last = (known[entry.name].last, entry.last)
            note = "the last value of each: one number a side, so no test"
            yield _row(entry.name, treatment, better, *last, note=note)


class _Samples:
    """The figures of a recording, read once."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.latencies: dict[str, list[float]] = {}
        self.successes: list[float] = []
        self.costs: list[float] = []
        self.tokens: list[float] = []
        for _, latency, cost, success, name, tokens in store.telemetry.figures(EventQuery(run_id=run_id)):
            if latency is not None:
                _add(self.latencies.setdefault(name, []), latency)
            if success is not None:
                _add(self.successes, float(success))
            if cost is not None:
                _add(self.costs, cost)
            if tokens is not None:
                _add(self.tokens, tokens)


def _add(sample: list[float], value: float) -> None:
    if len(sample) < _MOST:
        sample.append(value)


def _tested(
    metric: str,
    better: Better,
    sides: tuple[list[float], list[float]],
    names: Sequence[str],
    treatment: str,
    alpha: float,
) -> MetricComparison:
    one, other = sides
    means = [sum(values) / len(values) if values else None for values in sides]
    if len(one) < 2 or len(other) < 2:
        note = f"{len(one)} and {len(other)} values: a test needs two a side at least"
        return _row(metric, treatment, better, *means, note=note)
    try:
        test = stats.compare(one, other, alpha=alpha, is_share=metric == "success_rate")
    except StatsError as error:
        return _row(metric, treatment, better, *means, note=str(error))
    named = {"baseline": names[0], "treatment": names[1], "metric": metric}
    return _row(metric, treatment, better, *means, test=msgspec.structs.replace(test, **named))


def _names(store: Store, *ids: str) -> list[str]:
    """Return what recordings are called in words: by name, or arm, where that tells them apart, else by id."""
    infos = [store.telemetry.experiments.find(each) for each in ids]
    for names in ([info and info.name for info in infos], [info and info.condition for info in infos]):
        if all(names) and len(set(names)) == len(ids):
            return [str(name) for name in names]
    return list(ids)


def _row(
    metric: str,
    treatment: str,
    better: Better,
    one: float | None,
    other: float | None,
    *,
    test: stats.TestResult | None = None,
    note: str = "",
) -> MetricComparison:
    improvement = None
    if one is not None and other is not None:
        improvement = one - other if better == "lower" else other - one
    frac = None if improvement is None or not one else improvement / abs(one)
    return MetricComparison(
        metric=metric,
        treatment=treatment,
        better=better,
        baseline_value=one,
        treatment_value=other,
        improvement=improvement,
        improvement_frac=frac,
        test=test,
        note=note,
    )


def _corrected(rows: Sequence[MetricComparison], correction: str) -> Iterable[MetricComparison]:
    """Yield the comparisons that say anything, their p-values corrected together."""
    shown = [row for row in rows if row.baseline_value is not None or row.treatment_value is not None]
    tests = [row.test for row in shown if row.test is not None]
    adjusted = iter(stats.correct([test.p for test in tests], correction)) if tests else iter(())
    for row in shown:
        if row.test is None:
            yield row
            continue
        p = next(adjusted)
        test = msgspec.structs.replace(row.test, p_adjusted=p, correction=correction, comparisons=len(tests))
        yield msgspec.structs.replace(row, test=test)
