"""What samplers read of a record, by name: an attribute, else a field, else metadata, else a measurement."""

from __future__ import annotations

import math
from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.enriching.scalars import number

__all__ = ["figure", "is_start", "value_of"]

_ATTRIBUTES = frozenset({"name", "stage", "condition", "success", "latency_ms", "cost_usd"})


def value_of(record: StoredEvent, name: str) -> Any:
    """Return what a record has by a name, None if it has nothing."""
    if name in _ATTRIBUTES:
        return getattr(record, name)
    for source in (record.fields, record.metadata, record.measurements):
        if name in source:
            return source[name]
    return None


def figure(record: StoredEvent, name: str) -> float | None:
    """Return a finite number that a record has by a name; None if it has none."""
    value = getattr(record, name) if name in _ATTRIBUTES else value_of(record, name)
    if value is None:
        return None
    found = value if value.__class__ is float else number(value)
    try:
        return float(found) if found is not None and math.isfinite(found) else None
    except OverflowError:  # an integer that no float can hold
        return None


def is_start(record: StoredEvent) -> bool:
    """Return whether a record opens a span."""
    return record.span_id is not None and record.name.endswith(".start")
