"""How numbers are written in sentences: enough digits to be honest, never so few that a verdict looks wrong."""

from __future__ import annotations

import math

from crucible.stats.parameters import takes_numbers

__all__ = ["decimals_for", "show_count", "show_number", "show_p", "show_percent", "show_power"]

_MOST_DECIMALS = 9


def decimals_for(*values: float) -> int | None:
    """Return how many decimals show the largest of `values` with three digits; None: write them as powers of ten."""
    largest = max(abs(value) for value in values)
    if largest == 0.0:
        return 3
    decimals = max(0, 2 - math.floor(math.log10(largest)))
    return decimals if decimals <= _MOST_DECIMALS and largest < 1e9 else None


def show_count(n: int, one: str, several: str) -> str:
    """Return a count of things such as `1 repeat of an item` or `2 repeats of items`."""
    return f"{n} {one if n == 1 else several}"


def show_number(value: float, decimals: int | None, *, signed: bool = False) -> str:
    """Return a number with so many decimals (None: as a power of ten); with a sign, if asked for, unless it is 0."""
    sign = "+" if signed and value != 0.0 else ""
    return f"{value or 0.0:{sign}.{decimals}f}" if decimals is not None else f"{value or 0.0:{sign}.4g}"


@takes_numbers
def show_p(p: float, alpha: float | None = None) -> str:
    """Return a p-value such as `p = 0.0312`, `p < 0.0001` or `p = 1`; never 0, and always on its side of `alpha`.

    Args:
        p: 0 to 1.
        alpha: Threshold that it is compared with, if any.
    """
    if p >= 0.99995:
        return "p = 1"
    if p < 0.0001:
        return "p < 0.0001" if alpha is None or alpha >= 0.0001 else _show_small(p, alpha)
    if alpha is None or (p < alpha) == (round(p, 4) < alpha):
        return f"p = {p:.4f}"
    places = next((n for n in range(5, 16) if (round(p, n) < alpha) == (p < alpha)), None)
    return f"p = {p!r}" if places is None else f"p = {p:.{max(places, 8)}f}".rstrip("0")


def _show_small(p: float, alpha: float) -> str:
    """Return a p-value that `p < 0.0001` would not tell from its threshold."""
    if p < 1e-300:
        return "p < 1e-300" if alpha >= 1e-300 else f"p = {p!r}"
    shown = f"{p:.1e}"
    return f"p = {shown}" if (float(shown) < alpha) == (p < alpha) else f"p = {p!r}"


def show_percent(level: float) -> str:
    """Return a level such as `95 %`."""
    return f"{100 * level:.6g} %"


def show_power(share: float) -> str:
    """Return a computed power such as `83.46 %`; from 99.95 % on `> 99.9 %`, for no test of finite size is certain."""
    return "> 99.9 %" if share >= 0.9995 else show_percent(round(share, 4))
