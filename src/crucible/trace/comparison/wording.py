"""How values of a diff read: one safe line each, for terminals and pages."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any, cast

from msgspec import UNSET

from crucible.trace.plain import plain

__all__ = ["percent", "signed", "value_text"]


def value_text(value: Any) -> str:
    """Return a value as text: words as they are, the rest as JSON, a missing one as such."""
    if value is UNSET:
        return "(missing)"
    if value is None:
        return "(none)"
    if isinstance(value, str):
        return value or "(empty)"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple) and value:  # alternatives
        words = cast("tuple[Any, ...]", value)
        return " | ".join(word if isinstance(word, str) else value_text(word) for word in words)
    return json.dumps(plain(value), ensure_ascii=False)


def signed(delta: float | None) -> str:
    """Return a change of confidence with its sign: `+0.1`; a dash where there is none."""
    if delta is None:
        return "—"
    return f"{delta:+.3f}".rstrip("0").rstrip(".") if abs(delta) >= 5e-4 else f"{delta:+.6f}"


def percent(similarity: float) -> str:
    """Return a similarity in per cent, rounded down so that only 1 reads 100 %."""
    return f"{math.floor(similarity * 1000) / 10:.1f} %"
