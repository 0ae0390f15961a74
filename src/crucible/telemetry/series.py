"""From an event to the rows that are kept of it: one event row, and a point for every number of a step.

Runs on the recorder's own thread, so that the code which is measured does not wait for it.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from crucible.events import Event
from crucible.store import EventRow, PointRow, encode, storable

__all__ = ["SeenEvent", "event_row", "points_of", "seen", "series_name"]

_STEP = "step"
_MAX_STEP = 2**63 - 1


class SeenEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as the handler saw it: its mappings are copied, since their owner may go on changing them."""

    event: Event
    measurements: dict[str, Any]
    metadata: dict[str, Any]


def seen(event: Event) -> SeenEvent:
    """Return an event as it is now."""
    return SeenEvent(event, dict(event.measurements), dict(event.metadata))


def series_name(event: str, measurement: str, model: str | None = None) -> str:
    """Return the name of a series, such as `crucible_train.batch.stop:loss[model=rank16]`.

    Args:
        event: The event's name.
        measurement: Key of the measurement.
        model: The event's metadata `model`, None if it has none.
    """
    return f"{event}:{measurement}" if model is None else f"{event}:{measurement}[model={model}]"


def event_row(run_id: str, entry: SeenEvent) -> EventRow:
    """Return the row of an event."""
    event = entry.event
    return (
        run_id,
        storable(event.name),
        event.timestamp_ns,
        event.scope.stage,
        event.scope.stage_index,
        event.span_id,
        event.parent_span_id,
        encode(entry.measurements),
        encode(entry.metadata),
    )


def points_of(run_id: str, entry: SeenEvent) -> Iterator[PointRow]:
    """Yield a point for every number of an event that has a `step`; none for other events."""
    step = _step(entry.measurements)
    if step is None:
        return
    event = entry.event
    model = entry.metadata.get("model")
    label = None if model is None else str(model)
    for key, value in entry.measurements.items():
        if key != _STEP and (number := _number(value)) is not None:
            yield run_id, storable(series_name(event.name, key, label)), step, number, event.timestamp_ns


def _step(measurements: Mapping[str, Any]) -> int | None:
    step = measurements.get(_STEP)
    if isinstance(step, bool) or not isinstance(step, numbers.Integral):
        return None
    number = int(step)
    return number if abs(number) <= _MAX_STEP else None


def _number(value: Any) -> float | None:
    """Return a number as a float: Python's, NumPy's, or a tensor of one element; None for anything else."""
    if type(value) is not float and not isinstance(value, numbers.Real):
        item = getattr(value, "item", None)
        if item is None or getattr(value, "ndim", None) != 0:
            return None
        value = item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
