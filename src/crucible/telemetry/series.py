"""From an event to its points: one for every number of a step."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping
from typing import Any

from crucible.events import Event
from crucible.store import PointRow, storable

__all__ = ["as_number", "points_of", "seen", "series_name"]

_STEP = "step"
_MAX_STEP = 2**63 - 1


def seen(event: Event) -> Event:
    """Return an event as it is now: its mappings are copied, since their owner may go on changing them."""
    measurements, metadata = event.measurements, event.metadata
    return Event(
        event.name,
        dict(measurements) if measurements.__class__ is dict else _copied(measurements),
        dict(metadata) if metadata.__class__ is dict else _copied(metadata),
        event.timestamp_ns,
        event.scope,
        event.span_id,
        event.parent_span_id,
    )


def _copied(value: Any) -> Any:
    """Return a copy of a mapping; of anything else, which no event should hold, what it is."""
    return dict(value) if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def series_name(event: str, measurement: str, model: str | None = None) -> str:
    """Return the name of a series, such as `crucible_train.batch.stop:loss[model=rank16]`.

    Args:
        event: The event's name.
        measurement: Key of the measurement.
        model: The event's metadata `model`, None if it has none.
    """
    return f"{event}:{measurement}" if model is None else f"{event}:{measurement}[model={model}]"


def points_of(run_id: str, event: Event) -> Iterator[PointRow]:
    """Yield a point for every number of an event that has a `step`; none for other events."""
    measurements = event.measurements
    step = _step(measurements) if measurements.__class__ is dict else None
    if step is None:
        return
    model = event.metadata.get("model") if event.metadata.__class__ is dict else None
    label = None if model is None else str(model)
    for key, value in measurements.items():
        if key != _STEP and (number := as_number(value)) is not None:
            yield run_id, storable(series_name(event.name, key, label)), step, number, event.timestamp_ns


def _step(measurements: Mapping[str, Any]) -> int | None:
    step = measurements.get(_STEP)
    if isinstance(step, bool) or not isinstance(step, numbers.Integral):
        return None
    number = int(step)
    return number if abs(number) <= _MAX_STEP else None


def as_number(value: Any) -> float | None:
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
