"""Two distributions as wholes: the share of items at or below each score."""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.stats.conditions.observations import Condition
from crucible.stats.extra import needs_stats
from crucible.stats.plots.canvas import BASELINE, TREATMENT, drawable, new_figure, shortened, steady, titled
from crucible.stats.plots.sides import Side, condition_of, side_of
from crucible.stats.sample import Scores, check_rates
from crucible.stats.wording import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ecdf"]


@needs_stats
def ecdf(baseline: Scores | Condition, treatment: Scores | Condition, *, level: float = 0.95) -> Figure:
    """Draw the empirical distribution of two conditions, each with the band that its whole curve lies in.

    Args:
        baseline: Scores, by item or not, or a `Condition`; items that failed are left out and counted.
        treatment: The others.
        level: Coverage of the bands: each holds for its own curve as a whole.

    Returns:
        A figure of its own, which no window shows.

    Raises:
        StatsError: A score is no finite number, or the level is out of range.
        TooFewSamples: A side has no scores.
        MissingExtra: matplotlib or numpy is not installed.

    Source:
        Band: Dvoretzky, Kiefer & Wolfowitz (1956) with the constant of Massart (1990), Annals of Probability
        18(3):1269-1283.
    """
    check_rates(0.5, level)
    conditions = [condition_of(baseline, "baseline"), condition_of(treatment, "treatment")]
    sides = [side_of(one) for one in conditions]
    with steady("ecdf"):
        figure = new_figure(7.2, 4.4)
        axes = figure.add_subplot()
        low = min(float(side.values.min()) for side in sides)
        high = max(float(side.values.max()) for side in sides)
        pad = 0.04 * (high - low) or 0.5
        for side, colour, line in zip(sides, (BASELINE, TREATMENT), ("--", "-"), strict=True):
            _draw(axes, side, (low - pad, high + pad), colour, line, level)
        axes.set_xlim(low - pad, high + pad)
        axes.set_ylim(-0.01, 1.01)
        axes.grid(visible=True)
        metrics = " / ".join(dict.fromkeys(condition.metric for condition in conditions))
        axes.set_xlabel(drawable(metrics, 60))
        axes.set_ylabel("share of items at or below")
        names = [shortened(side.label, 30) for side in sides]
        titled(axes, f"{names[1]} and {names[0]}", f"bands: {show_percent(level)}, of each whole curve")
        axes.legend(loc="best", fontsize=9.5)
    return figure


def _draw(axes: Axes, side: Side, ends: tuple[float, float], colour: str, line: str, level: float) -> None:
    import numpy as np

    values, counts = np.unique(side.values, return_counts=True)  # (k,) each
    n = len(side.values)
    x = np.concatenate([[ends[0]], values, [ends[1]]])  # (k + 2,)
    y = np.concatenate([[0.0], np.cumsum(counts) / n, [1.0]])
    reach = math.sqrt(math.log(2.0 / (1.0 - level)) / (2.0 * n))
    low, high = np.clip(y - reach, 0.0, 1.0), np.clip(y + reach, 0.0, 1.0)
    axes.fill_between(x, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    words = drawable(side.words, 60)
    axes.plot(x, y, drawstyle="steps-post", color=colour, linestyle=line, linewidth=1.8, label=words, gid="curve")
