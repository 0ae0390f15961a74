"""The reliability diagram: shares right by confidence with their intervals, and how many answers each stands on."""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.stats.plots.canvas import INK, QUIET, TREATMENT, new_figure, shortened, steady, titled
from crucible.stats.plots.reliability import Reliability, reliability
from crucible.stats.sample import Scores
from crucible.stats.wording import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["calibration"]


def calibration(
    confidences: Scores, right: Scores, *, bins: int = 10, level: float = 0.95, label: str = "model"
) -> Figure:
    """Draw how often answers of each confidence are right.

    Args:
        confidences: The probability that each answer is right, 0 to 1.
        right: Whether it is, 0 or 1, in the same order.
        bins: Bins of equal width.
        level: Of the intervals.
        label: Whose confidences they are.

    Returns:
        A figure of its own, which no window shows.

    Raises:
        StatsError: A confidence is no probability, an outcome is not 0 or 1, or the columns differ in length.
        TooFewSamples: There are no answers.
        MissingExtra: matplotlib or scipy is not installed.
    """
    found = reliability(confidences, right, bins=bins, level=level, label=label)
    with steady("calibration"):
        figure = new_figure(6.0, 6.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        _draw_shares(above, found)
        _draw_counts(below, found)
        below.set_xlabel("confidence")
        words = f"ECE {found.ece:.3f}, Brier {found.brier:.3f}, {found.n} answers; {show_percent(level)} intervals"
        titled(above, f"Calibration of {shortened(label, 40)}", words)
    return figure


def _draw_shares(axes: Axes, found: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle="--", label="confidence = share right", gid="ideal")
    x = [one.confidence for one in found.bins]
    y = [one.accuracy for one in found.bins]
    axes.vlines(
        x, [one.interval.low for one in found.bins], [one.interval.high for one in found.bins], colors=TREATMENT,
        linewidth=2.0, gid="intervals",
    )  # fmt: skip
    axes.plot(x, y, color=TREATMENT, marker="o", markersize=6.5, linewidth=1.0, label="answers of a bin", gid="shares")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("share right")
    axes.grid(visible=True)
    axes.legend(loc="upper left", fontsize=9.5)


def _draw_counts(axes: Axes, found: Reliability) -> None:
    width = 1.0 / found.planned
    bars = axes.bar(
        [one.low for one in found.bins], [one.n for one in found.bins], width=0.92 * width, align="edge",
        color=TREATMENT, alpha=0.55,
    )  # fmt: skip
    if found.planned <= 20:
        axes.bar_label(bars, fontsize=8.5, color=INK, padding=1)
    axes.margins(y=0.25)
    axes.set_ylabel("answers")
    axes.grid(visible=True, axis="y")
