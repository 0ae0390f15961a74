"""What many outcomes come to: counts, a mean and its interval. A mean never travels alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.errors import DegenerateSample
from crucible.ir import Failed, Interval, Outcome, Scored, Skipped
from crucible.stats import mean_interval, wilson
from crucible.stats.scores import FailurePolicy

__all__ = ["Summary", "summarise"]


class Summary(msgspec.Struct, frozen=True):
    """One scorer's outcomes over a dataset.

    Args:
        attempted: Items that were measured or should have been: scored + failed.
        scored: Items with a score.
        failed: Items whose measurement failed.
        skipped: Items that were left out on purpose.
        mean: Mean score under `failures`; None where nothing counts.
        interval: Of the mean: Wilson's where every score is 0 or 1, Student's t otherwise, clipped where it leaves the
            scorer's range; None where none exists (fewer than 2 scores, or scores that do not vary and are not 0 or 1).
        failures: What became of failed items: `exclude` leaves them out of the mean, `zero` counts them as 0, `abort`
            means that there are none.
    """

    attempted: int
    scored: int
    failed: int
    skipped: int
    mean: float | None
    interval: Interval | None
    failures: FailurePolicy

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON values."""
        return msgspec.to_builtins(self)


def summarise(
    outcomes: Sequence[Outcome],
    *,
    failures: FailurePolicy = FailurePolicy.EXCLUDE,
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Summary:
    """Count outcomes and average the scores.

    Args:
        outcomes: One an item.
        failures: What becomes of failed items.
        level: Coverage of the interval, above 0 and below 1.
        bounds: Lowest and highest possible score, where they are known; no interval leaves them. Ignored where a score
            does.

    Raises:
        MissingExtra: scipy is not installed.
    """
    values = [outcome.value for outcome in outcomes if isinstance(outcome, Scored)]
    scored = len(values)
    failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
    if failures is FailurePolicy.ZERO:
        values += [0.0] * failed
    return Summary(
        attempted=scored + failed,
        scored=scored,
        failed=failed,
        skipped=sum(isinstance(outcome, Skipped) for outcome in outcomes),
        mean=math.fsum(values) / len(values) if values else None,
        interval=_interval(values, level, bounds),
        failures=failures,
    )


def _interval(values: Sequence[float], level: float, bounds: tuple[float, float] | None) -> Interval | None:
    if values and all(value in (0.0, 1.0) for value in values):
        return wilson(int(sum(values)), len(values), level=level)
    if len(values) < 2 or max(values) == min(values):
        return None
    try:
        interval = mean_interval(values, level)
    except DegenerateSample:  # they differ in the last digits only
        return None
    if bounds is None or min(values) < bounds[0] or max(values) > bounds[1]:
        return interval
    return _clipped(interval, *bounds)


def _clipped(interval: Interval, low: float, high: float) -> Interval:
    """Return the part of an interval that is possible; the method says that something was cut off."""
    if low <= interval.low and interval.high <= high:
        return interval
    method = f"{interval.method}, clipped to [{low:g}, {high:g}]"
    return Interval(max(interval.low, low), min(interval.high, high), interval.level, method)
