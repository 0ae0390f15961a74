"""Models by metrics with their ranks, as data and as a table; `crucible.data.leaderboard` says how ranks come about."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.errors import DataError
from crucible.ir import Interval
from crucible.stats import TestResult
from crucible.stats.wording import decimals_for, show_number

__all__ = ["Leaderboard", "Standing"]


_FATES = {"exclude": "are left out of the means", "zero": "count as 0", "abort": "would have been refused"}


class Standing(msgspec.Struct, frozen=True):
    """One model on one metric.

    Args:
        model: Its label.
        metric: The scorer.
        rank: 1 for the best and all that cannot be told apart from it; then one more than the models before. None
            where nothing was scored.
        tied: How many models share the rank, this one included.
        mean: Mean over the items; None where nothing counts.
        interval: Of the mean; None where none exists.
        n: Items in the mean.
        attempted: Measurements that were tried: scored and failed.
        scored: Measurements with a score.
        failed: Measurements that failed.
        skipped: Measurements that were left out on purpose.
    """

    model: str
    metric: str
    rank: int | None
    tied: int
    mean: float | None
    interval: Interval | None
    n: int
    attempted: int
    scored: int
    failed: int
    skipped: int


class Leaderboard(msgspec.Struct, frozen=True):
    """Models by metrics.

    Args:
        models: Labels, by their rank on the first metric.
        metrics: The scorers, in the order of the table.
        lower: Metrics of which less is better.
        standings: Each model on each metric.
        comparisons: The tests that the ranks rest on, corrected together.
        not_compared: Pairs that could not be compared and so share a rank, with the reason, one sentence each.
        alpha: Type-I error rate of all comparisons together, as the correction holds it.
        correction: Name of the correction.
        failures: What failed measurements are in the means.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    lower: tuple[str, ...]
    standings: tuple[Standing, ...]
    comparisons: tuple[TestResult, ...]
    not_compared: tuple[str, ...]
    alpha: float
    correction: str
    failures: str

    def of(self, model: str, metric: str) -> Standing:
        """Return one model on one metric.

        Raises:
            DataError: There is no such model or metric.
        """
        for one in self.standings:
            if (one.model, one.metric) == (model, metric):
                return one
        raise DataError(
            f'there is no "{model}" by "{metric}"; models: {", ".join(self.models)}; metrics: {", ".join(self.metrics)}'
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, with the tests that the ranks rest on."""
        plain = msgspec.to_builtins(self)
        return {**plain, "comparisons": [one.to_dict() for one in self.comparisons], "reading": self.reading}

    @property
    def reading(self) -> str:
        """How to read the ranks, in sentences."""
        count = len(self.comparisons)
        counted = "1 comparison" if count == 1 else f"{count:,} comparisons"
        said = [
            f"Rank: paired by item, {self.correction} correction for {counted}, "
            f"alpha {self.alpha:g}. Models that share a rank could not be told apart from the best of them, which does "
            "not mean that they are equal.",
            f"Failed measurements {_FATES[self.failures]}.",
            *self.not_compared,
        ]
        return " ".join(said)

    def to_markdown(self) -> str:
        """Return the table as Markdown, with how to read it."""
        titles = [f"{name} {'↓' if name in self.lower else '↑'} | rank | n | failed" for name in self.metrics]
        lines = [f"| model | {' | '.join(titles)} |", "| --- " + "| ---: " * 4 * len(self.metrics) + "|"]
        for model in self.models:
            cells = " | ".join(_cells(self.of(model, metric)) for metric in self.metrics)
            lines.append(f"| {model.replace('|', '/')} | {cells} |")
        return "\n".join([*lines, "", self.reading, ""])


def _cells(one: Standing) -> str:
    rank = "–" if one.rank is None else f"{one.rank}{'=' if one.tied > 1 else ''}"
    if one.mean is None:
        return f"– | {rank} | {one.n:,} | {one.failed:,}"
    if one.interval is None:
        mean = show_number(one.mean, decimals_for(one.mean))
    else:
        digits = decimals_for(one.mean, one.interval.low, one.interval.high)
        low, high = show_number(one.interval.low, digits), show_number(one.interval.high, digits)
        mean = f"{show_number(one.mean, digits)} [{low}, {high}]"
    return f"{mean} | {rank} | {one.n:,} | {one.failed:,}"
