"""One group of scores by itself: counts, mean, spread and interval, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crucible.errors import StatsError
from crucible.ir import Failed, Interval
from crucible.stats.bench.column import Column
from crucible.stats.intervals.mean import mean_interval
from crucible.stats.intervals.proportion import wilson

__all__ = ["GroupSummary", "summarised"]


class GroupSummary(msgspec.Struct, frozen=True):
    """One group by itself.

    Args:
        label: What it is called.
        n: Scores that the mean stands on.
        failed: Items that were measured without success.
        mean: Arithmetic mean; None without scores.
        std: Standard deviation, divisor n - 1; None below two scores.
        interval: Of the mean: Wilson's where the groups are shares, Student's t otherwise; None where none can be had.
        note: Why there is no interval; empty if there is one.
    """

    label: str
    n: int
    failed: int
    mean: float | None
    std: float | None
    interval: Interval | None
    note: str = ""


def summarised(column: Column, values: Mapping[str, float], level: float, *, is_share: bool) -> GroupSummary:
    """Return the summary of a column.

    Args:
        column: What was measured.
        values: Its scores by item, after the policy for failures.
        level: Coverage that the interval aims at.
        is_share: Whether the mean is a share of successes; see `column.are_shares`.
    """
    import numpy as np

    scores = np.asarray(list(values.values()), dtype=np.float64)  # (n,)
    n = len(scores)
    interval, note = None, ""
    try:
        interval = wilson(int(scores.sum()), n, level=level) if is_share else mean_interval(scores, level)
    except StatsError as error:
        note = str(error)
    return GroupSummary(
        label=column.label,
        n=n,
        failed=sum(isinstance(outcome, Failed) for outcome in column.outcomes.values()),
        mean=float(scores.mean()) if n else None,
        std=float(scores.std(ddof=1)) if n > 1 else None,
        interval=interval,
        note=note,
    )
