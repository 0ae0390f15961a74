"""Both sides of a comparison: outcomes by item, paired or not, with a named policy for items that failed.

A failed item is counted and treated by the policy, never silently a zero and never silently gone.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.stats.bench.scores import FailurePolicy, few

__all__ = ["SideScores", "pair_scores", "unpaired_scores", "values_of"]


class SideScores(msgspec.Struct, frozen=True):
    """Scores that two sides can be compared on.

    Args:
        baseline: Score by item id.
        treatment: Score by item id; where the sides are paired, the same ids in the same order.
        counts: Attempted, scored, failed and skipped items, by `n_…` and side.
        failures: One clause on what was left out or counted as 0; empty if nothing was.
    """

    baseline: dict[str, float]
    treatment: dict[str, float]
    counts: dict[str, dict[str, int]]
    failures: str


def pair_scores(
    baseline: dict[str, Outcome], treatment: dict[str, Outcome], policy: FailurePolicy, names: tuple[str, str]
) -> SideScores:
    """Pair two sides by item id and apply the policy for failures.

    Args:
        baseline: Outcomes by item id.
        treatment: Outcomes by item id.
        policy: What becomes of failed items.
        names: What baseline and treatment are called.

    Raises:
        StatsError: The sides hold different items, or an item failed under `abort`.
    """
    _check_ids(baseline, treatment, names)
    if policy is FailurePolicy.ABORT:
        for name, outcomes in zip(names, (baseline, treatment), strict=True):
            _refuse_failures(name, outcomes)
    left: dict[str, float] = {}
    right: dict[str, float] = {}
    zeroed: set[str] = set()
    for key, first in baseline.items():
        second = treatment[key]
        x, y = _value(first, policy), _value(second, policy)
        if x is not None and y is not None:
            left[key], right[key] = x, y
            if isinstance(first, Failed) or isinstance(second, Failed):
                zeroed.add(key)
    failures = _clause(len(baseline), len(left), len(zeroed))
    return SideScores(left, right, _counts(baseline, treatment), failures)


def unpaired_scores(
    baseline: dict[str, Outcome], treatment: dict[str, Outcome], policy: FailurePolicy, names: tuple[str, str]
) -> SideScores:
    """Apply the policy for failures to two sides of different items.

    Args:
        baseline: Outcomes by item id.
        treatment: Outcomes by item id.
        policy: What becomes of failed items.
        names: What baseline and treatment are called.

    Raises:
        StatsError: An item failed under `abort`.
    """
    sides = [values_of(outcomes, policy, name) for name, outcomes in zip(names, (baseline, treatment), strict=True)]
    items = len(baseline) + len(treatment)
    kept = len(sides[0]) + len(sides[1])
    failed = sum(isinstance(outcome, Failed) for outcomes in (baseline, treatment) for outcome in outcomes.values())
    failures = _unpaired_clause(items, kept, failed if policy is FailurePolicy.ZERO else 0)
    return SideScores(sides[0], sides[1], _counts(baseline, treatment), failures)


def values_of(outcomes: dict[str, Outcome], policy: FailurePolicy, name: str) -> dict[str, float]:
    """Return the scores of one side by item id, with the policy for failures applied.

    Raises:
        StatsError: An item failed under `abort`.
    """
    if policy is FailurePolicy.ABORT:
        _refuse_failures(name, outcomes)
    found = {key: _value(outcome, policy) for key, outcome in outcomes.items()}
    return {key: value for key, value in found.items() if value is not None}


def _counts(baseline: dict[str, Outcome], treatment: dict[str, Outcome]) -> dict[str, dict[str, int]]:
    sides = {"baseline": baseline, "treatment": treatment}
    kinds = {side: Counter(type(outcome) for outcome in outcomes.values()) for side, outcomes in sides.items()}
    return {
        "n_attempted": {side: len(sides[side]) - kind[Skipped] for side, kind in kinds.items()},
        "n_scored": {side: kind[Scored] for side, kind in kinds.items()},
        "n_failed": {side: kind[Failed] for side, kind in kinds.items()},
        "n_skipped": {side: kind[Skipped] for side, kind in kinds.items()},
    }


def _value(outcome: Outcome, policy: FailurePolicy) -> float | None:
    if isinstance(outcome, Scored):
        return outcome.value
    return 0.0 if isinstance(outcome, Failed) and policy is FailurePolicy.ZERO else None


def _clause(items: int, pairs: int, zeroed: int) -> str:
    parts: list[str] = []
    if pairs < items:
        parts.append(f"{items - pairs} of {items} items were left out because a side failed or was skipped")
    if zeroed:
        parts.append(f"{zeroed} of {items} items count as 0 on a side that failed")
    return " and ".join(parts)


def _unpaired_clause(items: int, kept: int, zeroed: int) -> str:
    parts: list[str] = []
    if kept < items:
        parts.append(f"{items - kept} of {items} items were left out because they failed or were skipped")
    if zeroed:
        parts.append(f"{zeroed} of {items} items failed and count as 0")
    return " and ".join(parts)


def _check_ids(baseline: dict[str, Outcome], treatment: dict[str, Outcome], names: tuple[str, str]) -> None:
    for name, here, there in ((names[0], baseline, treatment), (names[1], treatment, baseline)):
        extra = [key for key in here if key not in there]
        if extra:
            raise StatsError(
                f"{len(extra)} items are only in the scores of {name}: {few(extra)}; evaluate both on the same items"
            )


def _refuse_failures(name: str, outcomes: dict[str, Outcome]) -> None:
    failed = [key for key, outcome in outcomes.items() if isinstance(outcome, Failed)]
    if failed:
        raise StatsError(
            f'{len(failed)} items of {name} failed ({few(failed)}) and the policy is "abort"; '
            'mend them, or set failures to "exclude" or "zero"'
        )
