"""Counts, resamples and seeds as they come in: whole numbers of any package, such as the sum of an array, no others.

They leave as Python's own, so that a result that holds them is JSON.
"""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

from crucible.errors import StatsError

__all__ = ["check_draws", "whole", "wholes"]


def whole(value: Any, name: str) -> int:
    """Return a whole number as Python's own; `7.0`, the sum of a column of floats, is one.

    Args:
        value: The number.
        name: What it is called in an error.

    Raises:
        StatsError: It is no whole number.
    """
    try:
        return operator.index(value)
    except TypeError as error:
        number = float(value) if isinstance(value, Real) else math.nan
        if number.is_integer():
            return int(number)
        raise StatsError(f"{name} must be a whole number, got {value!r}") from error


def wholes(**values: Any) -> tuple[int, ...]:
    """Return whole numbers as Python's own, in the order given.

    Args:
        values: By what each is called in an error.

    Raises:
        StatsError: One is no whole number.
    """
    return tuple(whole(value, name) for name, value in values.items())


def check_draws(resamples: Any, seed: Any, what: str) -> tuple[int, int]:
    """Return how many resamples to draw and with which seed, as Python's own numbers.

    Args:
        resamples: At least 100.
        seed: At least 0.
        what: What they are drawn for, in an error.

    Raises:
        StatsError: One is no whole number or too small. No seed at all is refused, too: nobody could repeat the draw.
    """
    drawn, seeded = whole(resamples, "resamples"), whole(seed, "seed")
    if drawn < 100:
        raise StatsError(f"{what} needs at least 100 resamples, got {drawn}")
    if seeded < 0:
        raise StatsError(f"seed must be at least 0, got {seeded}")
    return drawn, seeded
