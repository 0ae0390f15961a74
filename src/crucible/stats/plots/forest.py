"""Several comparisons in one picture: each difference with its interval, around the line of no difference."""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crucible.errors import StatsError
from crucible.stats.plots.canvas import QUIET, TREATMENT, drawable, new_figure, shortened, steady
from crucible.stats.rendering.several import corrected_together
from crucible.stats.rendering.shown import show_estimate, show_probability
from crucible.stats.rendering.words import correction_title
from crucible.stats.result import TestResult, Verdict
from crucible.stats.wording import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["forest"]

_LABEL = 44  # characters of a row's name
_PLOT_IN, _CHARACTER_IN = 3.6, 0.076


def forest(results: Sequence[TestResult], *, correction: str = "holm", title: str = "") -> Figure:
    """Draw comparisons below each other, in the order given.

    A full dot is a difference that was found, a hollow one is none that was. What decides is the test's p-value, after
    correction, so a hollow dot may stand beside an interval without 0.

    Args:
        results: One or more comparisons.
        correction: Of several that are not corrected yet.
        title: Of the picture; made of the metric where it is empty.

    Returns:
        A figure of its own, which no window shows.

    Raises:
        StatsError: There are no results, or the correction is unknown.
        MissingExtra: matplotlib is not installed, or statsmodels where several are to be corrected.
    """
    if not results:
        raise StatsError("there are no comparisons to draw: the list is empty")
    told = corrected_together(results, correction)
    metrics = list(dict.fromkeys(one.metric for one in told))
    labels, numbers = [_label(one, metrics) for one in told], [_numbers(one) for one in told]
    words = max(map(len, labels)) + max(map(len, numbers))
    with steady("forest"):
        figure = new_figure(_PLOT_IN + _CHARACTER_IN * words, 1.7 + 0.36 * len(told))
        axes = figure.add_subplot()
        for row, one in enumerate(told):
            _draw_row(axes, row, one)
            axes.text(1.02, row, numbers[row], transform=axes.get_yaxis_transform(), va="center", fontsize=9.5)
        axes.axvline(0.0, color=QUIET, linewidth=1.0, zorder=1, gid="zero")
        axes.set_ylim(len(told) - 0.4, -0.6)
        axes.set_yticks(range(len(told)), labels)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x")
        axes.margins(x=0.08)
        unit = shortened(metrics[0], 30) if len(metrics) == 1 else "each metric's own unit"
        axes.set_xlabel(drawable(f"difference in {unit}"))
        figure.suptitle(drawable(title or _title(metrics)), x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.supxlabel("\n".join(_below(told)), x=0.01, ha="left", fontsize=9)
    return figure


def _draw_row(axes: Axes, row: int, one: TestResult) -> None:
    interval, found = one.interval, one.verdict is Verdict.DIFFERENCE
    axes.plot(
        [interval.low, interval.high], [row, row], color=TREATMENT, linewidth=2.0, zorder=2, gid=f"interval-{row}"
    )
    axes.plot(
        [one.difference],
        [row],
        marker="o",
        markersize=7,
        markeredgewidth=1.6,
        color=TREATMENT,
        markerfacecolor=TREATMENT if found else "white",
        zorder=3,
        gid=f"difference-{row}",
    )


def _numbers(one: TestResult) -> str:
    interval = one.interval
    span = {"low": interval.low, "high": interval.high, "level": interval.level}
    p = show_probability(one.decisive_p, one.alpha)
    return f"{show_estimate(one.difference, span)}   p {'' if p.startswith('<') else '= '}{p}"


def _label(one: TestResult, metrics: Sequence[str]) -> str:
    half = (_LABEL - 3) // 2
    names = f"{shortened(one.treatment, half)} \N{MINUS SIGN} {shortened(one.baseline, half)}"
    return drawable(f"{names}, {shortened(one.metric, 16)}" if len(metrics) > 1 else names)


def _title(metrics: Sequence[str]) -> str:
    return f"Differences in {shortened(metrics[0], 50)}" if len(metrics) == 1 else "Differences"


def _below(told: Sequence[TestResult]) -> list[str]:
    levels = sorted({one.interval.level for one in told})
    lines = [
        f"Lines: {' and '.join(map(show_percent, levels))} intervals. Full dot: difference found; hollow: none found."
    ]
    names = sorted({(one.correction or "", one.comparisons) for one in told if one.p_adjusted is not None})
    lines += [f"p after {correction_title(name)} correction for {n} comparisons." for name, n in names]
    return lines if names or len(told) == 1 else [*lines, f"p not corrected for there being {len(told)} comparisons."]
