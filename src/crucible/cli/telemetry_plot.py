"""A series as a picture of text: columns of blocks, with values and steps beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.cli.telemetry_words import shown

__all__ = ["plot"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = 8
_ROWS = 8


def plot(steps: Sequence[int], values: Sequence[float], width: int) -> list[str]:
    """Return the lines of a picture; of several points in one column, their mean is drawn.

    A column with NaN or an infinity has `×` under it; one of a stretch of steps without points is empty.

    Args:
        steps: Rising.
        values: One a step; at least one.
        width: Columns of the terminal, at least 30.
    """
    columns = _columns(steps, values, max(10, width - 12))
    means = [math.fsum(finite) / len(finite) if finite else None for finite in map(_finite, columns)]
    known = [mean for mean in means if mean is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    heights = [None if mean is None else _height(mean, low, high) for mean in means]
    rows = _ROWS if low < high else 1
    labels = {rows - 1: shown(high), 0: shown(low)} if known else {}
    lines = [
        f"{labels.get(row, ''):>10} ┤{''.join(_block(each, row) for each in heights)}" for row in reversed(range(rows))
    ]
    if any(len(_finite(column)) < len(column) for column in columns):
        marks = "".join("×" if len(_finite(column)) < len(column) else " " for column in columns)
        lines.append(f"{'nan, inf':>10}  {marks.rstrip()}")
    first, last = f"{steps[0]:,}", f"{steps[-1]:,}"
    gap = max(1, len(columns) - len(first) - len(last))
    lines.append(f"{'step':>10}  {first}{' ' * gap}{last}" if len(steps) > 1 else f"{'step':>10}  {first}")
    return lines


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _columns(steps: Sequence[int], values: Sequence[float], width: int) -> list[list[float]]:
    """Return the values of each column: a point a column where there are few, else a stretch of steps."""
    if len(steps) <= width:
        return [[value] for value in values]
    columns: list[list[float]] = [[] for _ in range(width)]
    first, span = steps[0], steps[-1] - steps[0] + 1
    for step, value in zip(steps, values, strict=True):
        columns[(step - first) * width // span].append(value)
    return columns


def _height(value: float, low: float, high: float) -> int:
    """Return how many eighths of a row a column is high, at least 1."""
    if low == high:
        return _EIGHTHS
    share = value / 2 - low / 2, high / 2 - low / 2  # halves: the whole range of floats has a width then
    return 1 + round(share[0] / share[1] * (_ROWS * _EIGHTHS - 1))


def _block(height: int | None, row: int) -> str:
    return " " if height is None else _BLOCKS[min(_EIGHTHS, max(0, height - row * _EIGHTHS))]
