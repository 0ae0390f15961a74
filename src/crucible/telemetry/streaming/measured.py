"""A number that a float can hold, out of whatever a record has."""

from __future__ import annotations

from typing import Any

from crucible.telemetry.enriching.scalars import number

__all__ = ["measured"]


def measured(value: Any) -> float | None:
    """Return a value as a float, NaN and the infinities included; None for anything else. Never raises."""
    found = number(value)
    try:
        return None if found is None else float(found)
    except OverflowError:  # an integer beyond 1.8e308
        return None
