"""Typed looks at values of unknown shape: what fits is returned, what does not is None or empty, nothing raises."""

from __future__ import annotations

import math
from typing import Any, cast

from crucible.ir import Interval

__all__ = ["flag", "interval", "listing", "mapping", "real", "text", "whole"]


def mapping(value: object) -> dict[str, Any]:
    """Return `value` as a mapping with text keys; empty if it is none."""
    if not isinstance(value, dict):
        return {}
    return {str(key): inner for key, inner in cast("dict[object, Any]", value).items()}


def listing(value: object) -> list[Any]:
    """Return `value` as a list; empty if it is neither list nor tuple."""
    return list(cast("list[Any] | tuple[Any, ...]", value)) if isinstance(value, (list, tuple)) else []


def real(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def whole(value: object) -> int | None:
    """Return a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def text(value: object) -> str | None:
    """Return text that is not empty."""
    return value if isinstance(value, str) and value else None


def flag(value: object) -> bool | None:
    """Return a true or false."""
    return value if isinstance(value, bool) else None


def interval(value: object) -> Interval | None:
    """Return an interval with both ends and its level."""
    found = mapping(value)
    low, high, level = real(found.get("low")), real(found.get("high")), real(found.get("level"))
    if low is None or high is None or level is None:
        return None
    return Interval(low=low, high=high, level=level, method=text(found.get("method")) or "method not recorded")
