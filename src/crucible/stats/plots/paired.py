"""Every item's difference, the mean of them and its interval: where a difference comes from, and how many items tie."""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.stats.conditions.design import compare_conditions
from crucible.stats.conditions.observations import Condition
from crucible.stats.extra import needs_stats
from crucible.stats.plots.canvas import FALL, INK, QUIET, RISE, drawable, new_figure, shortened, steady, titled
from crucible.stats.plots.sides import condition_of
from crucible.stats.rendering.shown import show_estimate, show_probability
from crucible.stats.rendering.words import test_title
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores
from crucible.stats.wording import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crucible.stats.sample import FloatArray

__all__ = ["paired_differences"]

_DOTS = 300  # items above which they are one surface instead of a dot each


@needs_stats
def paired_differences(
    baseline: Scores | Condition,
    treatment: Scores | Condition,
    *,
    result: TestResult | None = None,
    level: float = 0.95,
) -> Figure:
    """Draw each item's difference, sorted, with their mean and its interval.

    Args:
        baseline: Scores by item id, or a `Condition`.
        treatment: Scores of the same items.
        result: The comparison that was made of them; made here, by the rule of `compare_conditions`, if absent.
        level: Of the interval, where the comparison is made here.

    Returns:
        A figure of its own, which no window shows.

    Raises:
        StatsError: The sides do not hold the same items, or have no ids.
        TooFewSamples: There are fewer than two pairs.
        MissingExtra: matplotlib or scipy is not installed.
    """
    import numpy as np

    base, treated = condition_of(baseline, "baseline"), condition_of(treatment, "treatment")
    found = result or compare_conditions(base, treated, level=level)
    left, right = base.item_means(), treated.item_means()
    differences = np.sort(np.array([right[item] - left[item] for item in left if item in right]))  # (n,)
    with steady("paired_differences"):
        figure = new_figure(7.2, 4.2)
        axes = figure.add_subplot()
        _draw_items(axes, differences)
        _draw_mean(axes, found)
        rise, fall = int((differences > 0).sum()), int((differences < 0).sum())
        ties = len(differences) - rise - fall
        title = f"{shortened(found.treatment, 30)} \N{MINUS SIGN} {shortened(found.baseline, 30)}, item by item"
        below = f"items that rise: {rise}, fall: {fall}, tie: {ties}; {test_title(found.name)}, {_p(found)}"
        titled(axes, title, below)
        axes.set_xlabel(f"{len(differences)} items, by difference")
        axes.set_ylabel(drawable(f"difference in {found.metric}", 40))
    return figure


def _draw_items(axes: Axes, differences: FloatArray) -> None:
    places = range(1, len(differences) + 1)
    colours = [RISE if value > 0 else FALL if value < 0 else QUIET for value in differences]
    if len(differences) > _DOTS:
        for colour, is_side in ((RISE, differences > 0), (FALL, differences < 0)):
            axes.fill_between(places, differences, where=is_side, step="mid", color=colour, alpha=0.55, linewidth=0)
    else:
        width = min(2.5, max(0.6, 300 / len(differences)))
        axes.vlines(places, 0.0, differences, colors=colours, linewidth=width, alpha=0.55, gid="items")
        size = min(30.0, max(6.0, 1600 / len(differences)))
        axes.scatter(places, differences, s=size, c=colours, linewidths=0, zorder=3, gid="dots")
    axes.axhline(0.0, color=QUIET, linewidth=1.0)
    axes.set_xlim(0, len(differences) + 1)
    axes.grid(visible=True, axis="y")
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)


def _draw_mean(axes: Axes, found: TestResult) -> None:
    interval = found.interval
    axes.axhspan(interval.low, interval.high, color=INK, alpha=0.12, linewidth=0, gid="interval")
    axes.axhline(found.difference, color=INK, linewidth=1.6, gid="mean")
    span = {"low": interval.low, "high": interval.high, "level": interval.level}
    words = f"mean {show_estimate(found.difference, span)}, {show_percent(interval.level)} interval"
    axes.plot([], [], color=INK, linewidth=1.6, label=words)
    axes.legend(loc="upper left", fontsize=9.5, borderaxespad=0.2, handlelength=1.4)
    axes.margins(y=0.18)


def _p(found: TestResult) -> str:
    corrected = found.p_adjusted is not None
    shown = show_probability(found.p_adjusted if corrected else found.p, found.alpha)
    sign = "" if shown.startswith("<") else "= "
    return f"p {sign}{shown}{f' ({found.correction}, {found.comparisons} comparisons)' if corrected else ''}"
