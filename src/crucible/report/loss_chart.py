"""Training loss of all models in one chart, as SVG that takes its colours from the page.

Draws the loss of every step faintly, a running mean over it, validation losses as markers that differ in shape as well
as colour, and a ring around the kept checkpoint. The loss axis starts at zero, or is logarithmic and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from crucible.report import loss_curves as curves
from crucible.report.axis import NARROW, Scale, log_ticks, nice_ticks, tick_texts
from crucible.report.loss_curves import Point
from crucible.report.results import Training
from crucible.stats.rendering.markup import Markup, element, join

__all__ = ["loss_chart"]

_COLOURS = 6
_DASHES = (None, "7 4", "2 3", "9 3 2 3")
_CHAR = 7.3  # px, a generous mean width of a 13 px letter


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    x: Scale
    y: Scale


def loss_chart(training: list[Training], *, width: int, key: str, stamp: str = "") -> Markup | None:
    """Return the chart, or None if no loss was recorded.

    Args:
        training: The models, in legend order.
        width: In px; below 500 the legend takes a line a model.
        key: Prefix of the element ids, unique within the page.
        stamp: Words to write across the corner, such as `SYNTHETIC DATA`.
    """
    drawn = [model for model in training if curves.losses(model) or curves.validations(model)]
    if not drawn:
        return None
    legend, legend_height = _legend(drawn, width)
    top = legend_height + 42
    bottom = top + (240 if width >= NARROW else 210)
    frame, y_ticks = _framed(drawn, width, (bottom, top))
    window = curves.mean_window(drawn)
    series = [_series(model, index, frame, window) for index, model in enumerate(drawn)]
    label = (
        element("text", stamp, x=width - 18, y=top - 14, class_="stamp-mark", text_anchor="end") if stamp else Markup()
    )
    return element(
        "svg",
        element("title", "Training loss by step", id=f"{key}-title"),
        element("desc", curves.describe(drawn), id=f"{key}-desc"),
        legend,
        _axes(frame, y_ticks),
        label,
        *series,
        viewBox=f"0 0 {width} {bottom + 46}",
        width=width,
        height=bottom + 46,
        role="img",
        class_=f"chart {'wide' if width >= NARROW else 'narrow'}",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def _framed(models: list[Training], width: int, rows: tuple[float, float]) -> tuple[_Frame, list[float]]:
    """Return the plot's scales and the ticks of its loss axis."""
    last = float(max(point.step for model in models for point in model.history))
    first = float(min(0, *(point.step for model in models for point in model.history)))
    x = Scale(first, max(last, first + 1), 50, width - 18)
    found = curves.all_losses(models)
    is_log = curves.is_logarithmic(models)
    ticks = log_ticks(min(found), max(found)) if is_log else nice_ticks(min(0.0, *found), max(found))
    return _Frame(width, x, Scale(ticks[0], ticks[-1], *rows, is_log=is_log)), ticks


def _legend(models: list[Training], width: int) -> tuple[Markup, int]:
    entries = [(_swatch(index), model.model) for index, model in enumerate(models)]
    if any(curves.validations(model) for model in models):
        entries.append((element("g", _marker(0, 15, 0, "key"), _marker(1, 29, 0, "key")), "validation loss"))
    if any(curves.kept_step(model) is not None for model in models):
        entries.append((element("circle", cx=22, cy=0, r=7, class_="kept"), "kept checkpoint"))
    x, y, parts = 6.0, 14, list[Markup]()
    longest = max(8, int((width - 70) / _CHAR))
    for swatch, name in entries:
        words = name if len(name) <= longest else name[: longest - 1] + "…"
        needed = 44 + len(words) * _CHAR + 14
        if x > 6 and x + needed > width:
            x, y = 6.0, y + 22
        label = element("text", words, x=44, y=4.5, class_="legend")
        parts.append(element("g", swatch, label, transform=f"translate({x:.1f} {y})"))
        x += needed
    return join(parts), y


def _swatch(index: int) -> Markup:
    return element("line", x1=4, x2=38, y1=0, y2=0, stroke_dasharray=_DASHES[index % 4], class_=_class("line", index))


def _class(kind: str, index: int) -> str:
    return f"{kind} series-{index % _COLOURS}"


def _axes(frame: _Frame, y_ticks: list[float]) -> Markup:
    left, right, bottom = frame.x.start, frame.x.end, frame.y.start
    title = "loss, nats per answer token" + (", log scale" if frame.y.is_log else "")
    parts = [element("text", title, x=6, y=frame.y.end - 14, class_="axis-title")]
    y_texts = [f"{tick:g}" for tick in y_ticks] if frame.y.is_log else tick_texts(y_ticks)
    for tick, words in zip(y_ticks, y_texts, strict=True):
        y = frame.y(tick)
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="axis" if y == bottom else "grid"))
        parts.append(element("text", words, x=left - 8, y=y + 4, text_anchor="end", class_="tick"))
    x_ticks = nice_ticks(frame.x.low, frame.x.high, target=6 if frame.width >= NARROW else 4)
    x_ticks = [tick for tick in x_ticks if tick <= frame.x.high and float(tick).is_integer()]
    for tick, words in zip(x_ticks, tick_texts(x_ticks), strict=True):
        x = frame.x(tick)
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis"))
        parts.append(element("text", words, x=x, y=bottom + 19, text_anchor="middle", class_="tick"))
    middle = (left + right) / 2
    parts.append(element("text", "optimiser step", x=middle, y=bottom + 38, text_anchor="middle", class_="axis-title"))
    return element("g", *parts, aria_hidden="true")


def _series(model: Training, index: int, frame: _Frame, window: int) -> Markup:
    parts: list[Markup] = []
    losses = curves.losses(model)
    smooth = curves.running_means(losses, window)
    if window > 1 and losses:
        parts.append(_line(curves.envelope(losses), frame, _class("raw", index)))
    if smooth:
        parts.append(_line(curves.thin(smooth), frame, _class("line", index), _DASHES[index % 4]))
    validations = curves.validations(model)
    parts += [_marker(index, frame.x(step), frame.y(loss), "marker") for step, loss in validations]
    kept = curves.kept_step(model)
    at_kept = dict(smooth) | dict(validations)
    if kept is not None and kept in at_kept:
        parts.append(element("circle", cx=frame.x(kept), cy=frame.y(at_kept[kept]), r=8, class_="kept"))
    return element("g", *parts, aria_hidden="true")


def _line(points: list[Point], frame: _Frame, class_: str, dashes: str | None = None) -> Markup:
    if len(points) == 1:
        return element("circle", cx=frame.x(points[0][0]), cy=frame.y(points[0][1]), r=2.5, class_=f"dot {class_}")
    text = " ".join(f"{frame.x(step):.1f},{frame.y(loss):.1f}" for step, loss in points)
    return element("polyline", points=text, stroke_dasharray=dashes, class_=class_)


def _marker(index: int, x: float, y: float, kind: str) -> Markup:
    shape = index % 4
    class_ = _class(kind, index)
    if shape == 0:
        return element("circle", cx=x, cy=y, r=4.2, class_=class_)
    corners = {
        1: [(-4, -4), (4, -4), (4, 4), (-4, 4)],
        2: [(0, -5), (5, 4), (-5, 4)],
        3: [(0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)],
    }[shape]
    return element("polygon", points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners), class_=class_)
