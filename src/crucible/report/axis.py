"""Axes of charts: round ticks and the map from values to pixels. Numbers only; draws nothing."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

__all__ = ["NARROW", "Scale", "log_ticks", "nice_ticks", "tick_texts"]

NARROW = 500
"""Charts below this width in px put words above lines."""

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def nice_ticks(low: float, high: float, *, target: int = 5) -> list[float]:
    """Return round, evenly spaced values that enclose `low` to `high`.

    Args:
        low: Smallest value shown.
        high: Largest value shown; a span of nothing becomes one of 1.
        target: About how many steps.
    """
    high = high if high > low else low + 1.0
    rough = (high - low) / target
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with 2 and 5 times them where they are few, that enclose `low` to `high`.

    Args:
        low: Smallest value shown, above 0.
        high: Largest value shown, above `low`.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
    start = max(index for index, tick in enumerate(ticks) if tick <= low)
    end = min(index for index, tick in enumerate(ticks) if tick >= high)
    return ticks[start : end + 1]


def tick_texts(ticks: list[float], *, signed: bool = False) -> list[str]:
    """Return the ticks with as many decimals as their step needs."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    decimals = next((d for d in range(13) if abs(round(step, d) - step) < 1e-6 * step), 12)
    texts = [f"{tick:{'+' if signed and round(tick, decimals) else ''},.{decimals}f}" for tick in ticks]
    return [text.replace("-", "\N{MINUS SIGN}") if float(text.replace(",", "")) else text.lstrip("-") for text in texts]


@dataclass(frozen=True, slots=True)
class Scale:
    """A map from values to pixels, straight or by the logarithm.

    Args:
        low: Value at `start`.
        high: Value at `end`, other than `low`.
        start: Pixel of `low`.
        end: Pixel of `high`.
        is_log: Whether equal factors are equally far apart; all values are then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)
