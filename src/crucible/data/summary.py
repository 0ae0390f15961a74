"""What many outcomes come to: counts, a mean and its interval. A mean never travels alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.errors import DegenerateSample
from crucible.ir import Failed, Interval, Outcome, Scored, Skipped
from crucible.stats import mean_interval, wilson
from crucible.stats.bench.scores import FailurePolicy

__all__ = ["Counts", "Summary", "summarise", "summarise_items"]


class Counts(msgspec.Struct, frozen=True):
    """How many measurements came out how.

    Args:
        scored: Those with a score.
        failed: Those that failed.
        skipped: Those that were left out on purpose.
    """

    scored: int
    failed: int
    skipped: int


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One scorer's outcomes over a dataset.

    Where items are measured several times, the counts are of measurements, and the mean and its interval are of the
    items' own means: measurements of one item are not independent of each other, and an item counts once.

    Args:
        attempted: Measurements that were made or should have been: scored + failed.
        scored: Measurements with a score.
        failed: Measurements that failed.
        skipped: Measurements that were left out on purpose.
        mean: Mean score under `failures`; None where nothing counts.
        interval: Of the mean: Wilson's where every score is 0 or 1, Student's t otherwise, clipped where it leaves the
            scorer's range; None where none exists (fewer than 2 scores, or scores that do not vary and are not 0 or 1).
        failures: What became of failed measurements: `exclude` leaves them out of the mean, `zero` counts them as 0,
            `abort` means that there are none.
        repeats: Measurements that were asked for an item.
        items: Items that are in the mean, where each was measured several times; None where each was once.
    """

    attempted: int
    scored: int
    failed: int
    skipped: int
    mean: float | None
    interval: Interval | None
    failures: FailurePolicy
    repeats: int = 1
    items: int | None = None

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
    counts = Counts(
        len(values),
        sum(isinstance(outcome, Failed) for outcome in outcomes),
        sum(isinstance(outcome, Skipped) for outcome in outcomes),
    )
    if failures is FailurePolicy.ZERO:
        values += [0.0] * counts.failed
    return summarise_items(values, counts, failures=failures, level=level, bounds=bounds)


def summarise_items(
    values: Sequence[float],
    counts: Counts,
    *,
    failures: FailurePolicy,
    level: float,
    bounds: tuple[float, float] | None,
    repeats: int = 1,
) -> Summary:
    """Average what each item came to.

    Args:
        values: One an item that counts, in the order of the items: its score, or the mean of its scores.
        counts: Of all measurements.
        failures: What became of failed ones, which `values` already reflects.
        level: Coverage of the interval, above 0 and below 1.
        bounds: Lowest and highest possible score, where they are known.
        repeats: Measurements an item.

    Raises:
        MissingExtra: scipy is not installed.
    """
    return Summary(
        attempted=counts.scored + counts.failed,
        scored=counts.scored,
        failed=counts.failed,
        skipped=counts.skipped,
        mean=math.fsum(values) / len(values) if values else None,
        interval=_interval(values, level, bounds),
        failures=failures,
        repeats=repeats,
        items=len(values) if repeats > 1 else None,
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
