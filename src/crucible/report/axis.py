"""Axes of charts: round ticks and the map from values to pixels. Numbers only; draws nothing."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import dataclass

__all__ = ["NARROW", "Scale", "log_ticks", "nice_ticks", "tick_texts"]

NARROW = 500
"""Charts below this width in px put words above lines."""

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LEAST = 1e-290  # below, numbers lose their digits and have no tenth any more
_LARGEST, _END = 1e300, sys.float_info.max


def nice_ticks(low: float, high: float, *, target: int = 5) -> list[float]:
    """Return round, evenly spaced values that enclose `low` to `high`.

    Args:
        low: Smallest value shown, finite.
        high: Largest value shown, finite; a span of nothing becomes one of 1, or of `low` where that is larger.
        target: About how many steps.
    """
    size = max(abs(low), abs(high))
    if size > _LARGEST:  # their difference may have no number
        return [min(max(1e10 * tick, -_END), _END) for tick in nice_ticks(low / 1e10, high / 1e10, target=target)]
    if not high - low > max(_LEAST, 1e-12 * size):
        high = low + (1.0 if size < 1e12 else size)
    rough = (high - low) / target
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9)), 10 * power)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with 2 and 5 times them where they are few, that enclose `low` to `high`.

    Args:
        low: Smallest value shown, above 0.
        high: Largest value shown, above `low`.
    """
    low = max(low, _LEAST)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
    start = max(index for index, tick in enumerate(ticks) if tick <= low)
    end = min(index for index, tick in enumerate(ticks) if tick >= high)
    return ticks[start : end + 1]


def tick_texts(ticks: list[float], *, signed: bool = False) -> list[str]:
    """Return the ticks with as many decimals as their step needs; very small and large ones as powers of ten."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    if step < 1e-9 or max(map(abs, ticks), default=0.0) >= 1e15:
        sign = "+" if signed else ""
        return [f"{tick:{sign}.4g}".replace("-", "\N{MINUS SIGN}") if tick else "0" for tick in ticks]
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
            low = math.log(self.low)
            share = (math.log(max(value, _LEAST)) - low) / (math.log(self.high) - low)
        else:  # halves, since the whole of a difference may have no number
            share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.start + share * (self.end - self.start)
