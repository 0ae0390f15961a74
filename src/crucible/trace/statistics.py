"""A chain in a few numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["Statistics", "summarize"]


class Statistics(msgspec.Struct, frozen=True):
    """A chain in a few numbers; every field is there for an empty chain, too.

    Args:
        total_events: Count of events.
        event_type_counts: Count by type, in order of first appearance.
        avg_confidence: Mean over the events that state a confidence, which is a finite number; None if none does.
        events_with_confidence: How many that are.
        duration_s: Seconds between the earliest and the latest event, whatever their order.
    """

    total_events: int
    event_type_counts: dict[str, int]
    avg_confidence: float | None
    events_with_confidence: int
    duration_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return the predecessor's four keys (whole seconds), and how many events state a confidence."""
        return {
            "total_events": self.total_events,
            "event_type_counts": self.event_type_counts,
            "avg_confidence": self.avg_confidence,
            "events_with_confidence": self.events_with_confidence,
            "duration_seconds": int(self.duration_s),
        }


def summarize(events: Iterable[Event]) -> Statistics:
    """Return the statistics of `events`."""
    listed = list(events)
    stated = [number for event in listed if (number := _stated(event.confidence)) is not None]
    moments = [event.timestamp for event in listed]
    return Statistics(
        total_events=len(listed),
        event_type_counts=dict(Counter(event.type for event in listed)),
        avg_confidence=math.fsum(stated) / len(stated) if stated else None,
        events_with_confidence=len(stated),
        duration_s=(max(moments) - min(moments)).total_seconds() if moments else 0.0,
    )


def _stated(confidence: Any) -> float | None:
    """Return a confidence as a float; None for what is no finite number, such as words or NaN."""
    number = plain(confidence)
    return None if isinstance(number, bool) or not isinstance(number, int | float) else float(number)
