"""Numbers as people read them, never rounded into something they are not.

Returns text only. The rule of this module: a value that is not zero never reads as zero, one that is not 100 % never
reads as 100 %, and a p-value never reads as lying on the other side of its threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from crucible.ir import Interval
from crucible.report.findings import Unit
from crucible.stats import show_p

__all__ = [
    "ABSENT",
    "confidence",
    "count",
    "difference",
    "interval_text",
    "interval_words",
    "loss_text",
    "mean_text",
    "number",
    "p_phrase",
    "p_text",
    "percent",
]

ABSENT = "—"
"""Stands where a run recorded nothing."""

_MINUS = "\N{MINUS SIGN}"
_MAX_DECIMALS = 6


def number(value: float | None, *, digits: int = 4) -> str:
    """Return a plain number to `digits` significant digits; whole numbers keep all of theirs."""
    if value is None:
        return ABSENT
    if isinstance(value, int):
        return count(value)
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return count(int(value))
    return f"{value:.{digits}g}".replace("-", _MINUS)


def count(value: int | None) -> str:
    """Return a whole number with commas between thousands."""
    return ABSENT if value is None else f"{value:,}".replace("-", _MINUS)


def percent(fraction: float | None, *, decimals: int = 1) -> str:
    """Return a fraction as percent, with more decimals where it would read as 0 % or 100 % and is not."""
    if fraction is None:
        return ABSENT
    if not math.isfinite(fraction):
        return str(fraction)
    value = 100 * fraction
    for places in range(decimals, _MAX_DECIMALS + 1):
        text = f"{value:.{places}f}"
        if (float(text) in (0.0, 100.0)) is (fraction in (0.0, 1.0)):
            return _unsigned_zero(text) + "%"
    return f"{value!r}%".replace("-", _MINUS)


def difference(value: float | None, unit: Unit, *, decimals: int = 1) -> str:
    """Return a signed difference: percentage points for fractions, a plain number otherwise.

    Args:
        value: Treatment minus baseline.
        unit: `fraction`: `value` is a difference of fractions, shown times 100 with "points".
        decimals: Of the points; more are used where the value would read as zero and is not.
    """
    if value is None:
        return ABSENT
    if unit == "value" or not math.isfinite(value):
        text = number(value)
        return f"+{text}" if value > 0 else text
    return f"{_points(value, decimals)} points"


def _points(value: float, decimals: int) -> str:
    scaled = 100 * value
    if value == 0:
        return f"{0:.{decimals}f}"
    for places in range(decimals, _MAX_DECIMALS + 1):
        text = f"{scaled:+.{places}f}"
        if float(text) != 0:
            return text.replace("-", _MINUS)
    return f"{scaled:+.1e}".replace("-", _MINUS)


def mean_text(value: float | None, unit: Unit) -> str:
    """Return a mean in its unit: percent for fractions, a plain number otherwise."""
    return percent(value) if unit == "fraction" else number(value)


def interval_text(interval: Interval | None, unit: Unit, *, signed: bool = False) -> str:
    """Return `low to high` in the unit of the estimate; `signed` for differences."""
    if interval is None:
        return ABSENT
    low, high = interval.low, interval.high
    if signed and unit == "fraction" and math.isfinite(low) and math.isfinite(high):
        return f"{_points(low, 1)} to {_points(high, 1)} points"
    if signed:
        return f"{difference(low, unit)} to {difference(high, unit)}"
    return f"{mean_text(low, unit)} to {mean_text(high, unit)}"


def confidence(interval: Interval | None) -> str:
    """Return the level of an interval, such as `95%`."""
    return ABSENT if interval is None else f"{100 * interval.level:.6g}%"


def interval_words(intervals: Iterable[Interval | None]) -> str:
    """Return what intervals are called together: `95% interval`, or `90% or 95% interval` where levels differ."""
    levels = sorted({interval.level for interval in intervals if interval is not None})
    return " ".join([" or ".join(f"{100 * level:.6g}%" for level in levels), "interval"]).strip()


def loss_text(value: float | None) -> str:
    """Return a loss to four significant digits, zeros at the end included."""
    if value is None:
        return ABSENT
    return f"{value:#.4g}".rstrip(".").replace("-", _MINUS)


def p_text(p: float | None, alpha: float | None = None) -> str:
    """Return a p-value as a column of them shows it: what `stats.show_p` says, without `p =`.

    Args:
        p: 0 to 1.
        alpha: Threshold it is compared with; the text lies on the same side of it as `p`.
    """
    return p_phrase(p, alpha).removeprefix("p ").removeprefix("= ")


def p_phrase(p: float | None, alpha: float | None = None) -> str:
    """Return `p = 0.0312` or `p < 0.0001`; see `stats.show_p`."""
    if p is None:
        return f"p = {ABSENT}"
    if not 0 <= p <= 1:  # of a stranger's bench: shown as it came, since it is no probability
        return f"p = {p}".replace("-", _MINUS)
    return show_p(p, alpha)


def _unsigned_zero(text: str) -> str:
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", _MINUS)
