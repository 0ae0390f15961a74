"""Dot-and-interval charts: scores of models, and differences around a zero line, as SVG in the page's colours."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from crucible.ir import Interval
from crucible.report import number
from crucible.report.axis import NARROW, Scale, nice_ticks, tick_texts
from crucible.report.findings import Contrast, Unit
from crucible.report.results import Results
from crucible.stats.rendering.markup import Markup, element

__all__ = ["Estimate", "ForestAxis", "difference_estimates", "forest_chart", "score_estimates"]


_MINUS = " \N{MINUS SIGN} "
_END = sys.float_info.max
_TEXT_LENGTH = len("100.0% (100.0% to 100.0%)")  # keeps the plots of several scores aligned


@dataclass(frozen=True, slots=True)
class Estimate:
    """One row of the chart.

    Args:
        label: What was estimated.
        value: The dot; None draws none.
        interval: The line; None draws none.
        text: The numbers in words, at the end of the row.
        is_hollow: Whether the dot is drawn hollow (no difference found).
    """

    label: str
    value: float | None
    interval: Interval | None
    text: str
    is_hollow: bool = False


@dataclass(frozen=True, slots=True)
class ForestAxis:
    """What the chart shows along its axis.

    Args:
        name: Of the chart, read out by screen readers.
        title: Of the axis, with its unit.
        unit: `fraction` values are drawn in percent or points; scores then span 0 to 100.
        is_difference: Draws a zero line and keeps zero in view.
    """

    name: str
    title: str
    unit: Unit
    is_difference: bool = False


def score_estimates(results: Results, scorer: str) -> list[Estimate]:
    """Return one row for each model that has a score of `scorer`."""
    return [
        Estimate(evaluation.label, score.mean, score.interval, _mean(score.mean, score.interval, score.unit))
        for evaluation in results.evaluations
        for score in evaluation.scores
        if score.scorer == scorer
    ]


def difference_estimates(contrasts: list[Contrast]) -> list[Estimate]:
    """Return one row a contrast."""
    return [
        Estimate(
            f"{contrast.treatment}{_MINUS}{contrast.baseline}",
            contrast.difference,
            contrast.interval,
            _difference(contrast),
            is_hollow=contrast.verdict == "no_difference_found",
        )
        for contrast in contrasts
    ]


def _mean(mean: float | None, interval: Interval | None, unit: Unit) -> str:
    if mean is None:
        return "nothing scored"
    span = f" ({number.interval_text(interval, unit)})" if interval else ""
    return number.mean_text(mean, unit) + span


def _difference(contrast: Contrast) -> str:
    if contrast.difference is None:
        return "not tested"
    text = number.difference(contrast.difference, contrast.unit)
    if contrast.interval is None:
        return text
    span = number.interval_text(contrast.interval, contrast.unit, signed=True)
    return f"{text} ({span})".replace(" points", "")


def forest_chart(
    estimates: list[Estimate], axis: ForestAxis, *, width: int, key: str, stamp: str = ""
) -> Markup | None:
    """Return the chart, or None if no row has a value.

    Args:
        estimates: Rows from top to bottom.
        axis: What is shown.
        width: In px; below 500 a row's words stand above its line.
        key: Prefix of the element ids, unique within the page.
        stamp: Words for the corner, such as `SYNTHETIC DATA`.
    """
    factor = 100.0 if axis.unit == "fraction" else 1.0
    values = [factor * value for estimate in estimates for value in _extent(estimate)]
    if not values:
        return None
    low, high = _domain(values, axis)
    ticks = nice_ticks(low, high, target=5 if width >= NARROW else 4)
    is_narrow = width < NARROW
    labels = max(len(estimate.label) for estimate in estimates)
    left = 24 if is_narrow else min(240, 20 + 7.8 * labels)
    right = 24 if is_narrow else 22 + 7.0 * max(_TEXT_LENGTH, *(len(estimate.text) for estimate in estimates))
    x = Scale(ticks[0], ticks[-1], left, width - right)
    pitch, top = (48, 18) if is_narrow else (32, 18)
    bottom = top + pitch * len(estimates)
    rows = [_row(estimate, x, top + pitch * index, factor, width) for index, estimate in enumerate(estimates)]
    mark = (
        element("text", stamp, x=width - 4, y=bottom + 40, text_anchor="end", class_="stamp-mark")
        if stamp
        else Markup()
    )
    return element(
        "svg",
        element("title", axis.name, id=f"{key}-title"),
        element("desc", "; ".join(f"{e.label}: {e.text}" for e in estimates) + ".", id=f"{key}-desc"),
        _drawn_axis(ticks, x, (top, bottom), axis),
        *rows,
        mark,
        viewBox=f"0 0 {width} {bottom + 48}",
        width=width,
        height=bottom + 48,
        role="img",
        class_=f"chart {'wide' if width >= NARROW else 'narrow'}",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def _extent(estimate: Estimate) -> list[float]:
    ends = [estimate.interval.low, estimate.interval.high] if estimate.interval else []
    return [value for value in (estimate.value, *ends) if value is not None and math.isfinite(value)]


def _domain(values: list[float], axis: ForestAxis) -> tuple[float, float]:
    low, high = min(values), max(values)
    if axis.is_difference:
        pad = 0.05 * max(high, 0) - 0.05 * min(low, 0) or 1.0
        return max(min(low, 0) - pad, -_END), min(max(high, 0) + pad, _END)
    if axis.unit == "fraction":
        return min(low, 0.0), max(high, 100.0)
    return low, high if high > low else low + 1


def _drawn_axis(ticks: list[float], x: Scale, rows: tuple[float, float], axis: ForestAxis) -> Markup:
    top, bottom = rows
    parts = [element("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis")]
    for tick, words in zip(ticks, tick_texts(ticks, signed=axis.is_difference), strict=True):
        at, is_zero = x(tick), axis.is_difference and abs(tick) < 1e-12
        parts.append(element("line", x1=at, x2=at, y1=top - 8, y2=bottom, class_="zero" if is_zero else "grid"))
        parts.append(element("text", words, x=at, y=bottom + 17, text_anchor="middle", class_="tick"))
    middle = (x.start + x.end) / 2
    anchor, at = ("middle", middle) if x.end - x.start > NARROW else ("start", 10)
    parts.append(element("text", axis.title, x=at, y=bottom + 38, text_anchor=anchor, class_="axis-title"))
    return element("g", *parts, aria_hidden="true")


def _row(estimate: Estimate, x: Scale, y: float, factor: float, width: int) -> Markup:
    is_narrow = width < NARROW
    longest = int((width - 20 if is_narrow else x.start - 16) / 7.7) - (len(estimate.text) if is_narrow else 0)
    label = _shortened(estimate.label, longest)
    middle = y + (30 if is_narrow else 12)
    words = y + 10 if is_narrow else middle + 4.5
    start, end = (10, width - 10) if is_narrow else (x.start - 12, width - 4)
    parts = [
        element("text", label, x=start, y=words, text_anchor="start" if is_narrow else "end", class_="row"),
        element("text", estimate.text, x=end, y=words, text_anchor="end", class_="row-value"),
    ]
    if estimate.interval is not None:
        low, high = x(factor * estimate.interval.low), x(factor * estimate.interval.high)
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="interval"))
        parts += [element("line", x1=at, x2=at, y1=middle - 5, y2=middle + 5, class_="interval") for at in (low, high)]
    if estimate.value is not None:
        class_ = "estimate hollow" if estimate.is_hollow else "estimate"
        parts.append(element("circle", cx=x(factor * estimate.value), cy=middle, r=5, class_=class_))
    return element("g", *parts, aria_hidden="true")


def _shortened(label: str, longest: int) -> str:
    """Return a label without its middle, since names of models differ at their ends; of a difference both names."""
    if len(label) <= longest:
        return label
    treatment, minus, baseline = label.partition(_MINUS)
    if not minus:
        kept = max(longest - 1, 4)
        return f"{label[: (kept + 1) // 2]}…{label[len(label) - kept // 2 :]}"
    room = longest - len(_MINUS)
    first = max(room // 2, room - len(baseline))
    shown = _shortened(treatment, first)
    return f"{shown}{_MINUS}{_shortened(baseline, room - len(shown))}"
