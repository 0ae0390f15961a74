"""How numbers are written in sentences: enough digits to be honest, never so few that a verdict looks wrong."""

from __future__ import annotations

import math

__all__ = ["decimals_for", "show_number", "show_p", "show_percent"]

_MOST_DECIMALS = 9


def decimals_for(*values: float) -> int | None:
    """Return how many decimals show the largest of `values` with three digits; None: write them as powers of ten."""
    largest = max(abs(value) for value in values)
    if largest == 0.0:
        return 3
    decimals = max(0, 2 - math.floor(math.log10(largest)))
    return decimals if decimals <= _MOST_DECIMALS and largest < 1e9 else None


def show_number(value: float, decimals: int | None, *, signed: bool = False) -> str:
    """Return a number with so many decimals (None: as a power of ten); with a sign, if asked for, unless it is 0."""
    sign = "+" if signed and value != 0.0 else ""
    return f"{value or 0.0:{sign}.{decimals}f}" if decimals is not None else f"{value or 0.0:{sign}.4g}"


def show_p(p: float, alpha: float | None = None) -> str:
    """Return a p-value such as `p = 0.0312`, `p < 0.0001` or `p = 1`; never 0, never rounded across `alpha`.

    Args:
        p: 0 to 1.
        alpha: Threshold that it is compared with, if any.
    """
    if p >= 0.99995:
        return "p = 1"
    shown = max(0.0001, round(p, 4))
    if alpha is None or (p < alpha) == (shown < alpha):
        return f"p = {p:.4f}" if p >= 0.0001 else "p < 0.0001"
    if p < 0.0001:
        return f"p = {p:.3g}" if (float(f"{p:.3g}") < alpha) == (p < alpha) else f"p = {p!r}"
    places = next((n for n in range(5, 16) if (round(p, n) < alpha) == (p < alpha)), None)
    return f"p = {p!r}" if places is None else f"p = {p:.{max(places, 8)}f}".rstrip("0")


def show_percent(level: float) -> str:
    """Return a level such as `95 %`."""
    return f"{100 * level:.6g} %"
