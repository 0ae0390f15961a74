"""Holding a version against the gates of its promotion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from crucible.errors import StatsError
from crucible.stats import non_inferiority
from crucible.store import MetricFilter, metric_at
from crucible.store.models import ModelScores, StoredModelVersion
from crucible.train.registry.gates import GateOutcome, GateReport, GateResult, Gates, NonInferiority

__all__ = ["judge"]

_WORDS: Final = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
ScoresOf = Callable[[StoredModelVersion, str], ModelScores | None]


def judge(
    candidate: StoredModelVersion, gates: Gates, production: Sequence[StoredModelVersion], scores_of: ScoresOf
) -> GateReport:
    """Return how a version stands with the gates of its promotion.

    Args:
        candidate: The version.
        gates: What is asked for.
        production: What it is held against; of several, each.
        scores_of: Returns the kept scores of a version by a metric.

    Raises:
        MissingExtra: A test is asked for without the packages for it.
    """
    results = [_threshold(candidate, gate) for gate in gates.thresholds]
    others = [each for each in production if each.version != candidate.version]
    for gate in gates.non_inferiority:
        results += [_no_worse(candidate, current, gate, scores_of) for current in others] or [_nothing_there(gate)]
    return GateReport(tuple(results))


def _threshold(candidate: StoredModelVersion, gate: MetricFilter) -> GateResult:
    found = metric_at(candidate.metrics, gate.path)
    outcome = GateOutcome.PASSED if gate.accepts(candidate.metrics) else GateOutcome.FAILED
    return GateResult(
        gate="threshold",
        metric=gate.path,
        outcome=outcome,
        wanted=f"{_WORDS[gate.compare]} {gate.value:g}",
        measured="not measured" if found is None else _told(found, gate),
        details={"value": found, "compare": gate.compare, "threshold": gate.value},
    )


def _told(value: float, gate: MetricFilter) -> str:
    """Return a value in few digits, as many as tell it from the threshold."""
    for digits in (4, 6, 9):
        text = f"{value:.{digits}g}"
        if gate.accepts({gate.path: float(text)}) == gate.accepts({gate.path: value}):
            return text
    return repr(value)


def _wanted(gate: NonInferiority, against: str) -> str:
    worse = "lower" if gate.higher_is_better else "higher"
    return f"shown not to be {worse} than {against} by {gate.margin:g} or more (one-sided test, alpha {gate.alpha:g})"


def _nothing_there(gate: NonInferiority) -> GateResult:
    return GateResult(
        gate="non_inferiority",
        metric=gate.metric,
        outcome=GateOutcome.NOT_APPLICABLE,
        wanted=_wanted(gate, "what is in production"),
        measured="nothing is in production to hold it against",
    )


def _no_worse(
    candidate: StoredModelVersion, current: StoredModelVersion, gate: NonInferiority, scores_of: ScoresOf
) -> GateResult:
    def result(outcome: GateOutcome, measured: str, details: dict[str, object] | None = None) -> GateResult:
        return GateResult(
            gate="non_inferiority",
            metric=gate.metric,
            outcome=outcome,
            wanted=_wanted(gate, current.reference),
            measured=measured,
            against=current.reference,
            details=details or {},
        )

    ours, theirs = scores_of(candidate, gate.metric), scores_of(current, gate.metric)
    if ours is None or theirs is None:
        lacking = candidate if ours is None else current
        known = f" (it has {', '.join(lacking.scored)})" if lacking.scored else ""
        said = f"no scores item by item are kept with {lacking.reference}{known}, so no test can be made"
        return result(GateOutcome.FAILED, said)
    if ours.asked_sha256 and theirs.asked_sha256 and ours.asked_sha256 != theirs.asked_sha256:
        said = "the two were asked other items, or the same ids stand for other questions, so no test can be made"
        return result(GateOutcome.FAILED, said)
    try:
        base, treated = _columns(theirs, ours, gate)
        found = non_inferiority(
            base,
            treated,
            margin=gate.margin,
            higher_is_better=gate.higher_is_better,
            alpha=gate.alpha,
            is_share=ours.is_share and theirs.is_share,
        )
    except StatsError as error:
        return result(GateOutcome.FAILED, f"no test can be made: {error}")
    found = msgspec.structs.replace(
        found, baseline=current.reference, treatment=candidate.reference, metric=gate.metric
    )
    low, high = found.interval.low, found.interval.high
    measured = (
        f"{found.treatment_mean:.4g} against {found.baseline_mean:.4g}, a difference of {found.difference:+.4g} "
        f"({100 * found.interval.level:g} % interval {low:+.4g} to {high:+.4g}, one-sided p = {found.p:.3g}, "
        f"n = {found.n})"
    )
    outcome = GateOutcome.PASSED if found.is_shown else GateOutcome.FAILED
    return result(outcome, measured, found.to_dict())


def _columns(
    current: ModelScores, candidate: ModelScores, gate: NonInferiority
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the scores of both by item id, with what failed as the gate says.

    Raises:
        StatsError: An item failed under `abort`, or is on one side only.
    """
    failed = [item for side in (candidate, current) for item, value in side.items.items() if value is None]
    if failed and gate.failures == "abort":
        raise StatsError(
            f"{len(failed)} items failed ({', '.join(failed[:3])}), and failures is abort; score them again, or set "
            "failures to exclude or zero"
        )
    left_out = set(failed) if gate.failures == "exclude" else set[str]()
    base, treated = (
        {item: 0.0 if value is None else value for item, value in side.items.items() if item not in left_out}
        for side in (current, candidate)
    )
    return base, treated
