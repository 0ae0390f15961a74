"""Numbers as JSON files have them, as floats."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["json_number", "json_step"]

_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_number(value: Any) -> float | None:
    """Return a number, also one of the three that JSON has no word for and W&B writes as text; None for all else."""
    kind = value.__class__
    if kind is float:
        return value
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return _NAMES.get(value) if kind is str else None


def json_step(value: Any) -> int | None:
    """Return a step: an integer, also one written as 3.0; None for all else."""
    if value.__class__ is int:
        return value
    return int(value) if value.__class__ is float and value.is_integer() else None
