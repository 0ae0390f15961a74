"""Numbers of hooks on their way to events and metrics, which hold finite ones only."""

from __future__ import annotations

import math

__all__ = ["finite"]


def finite(value: float | None) -> float | None:
    """Return a number; None where there is none, and for NaN and infinity, which JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None
