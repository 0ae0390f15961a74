"""What events measured, as plain values: epochs, metrics, and the steps at which they were taken."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, cast

from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["epoch_of", "has_step", "is_number", "metrics_of", "number_of", "recorded", "validation"]

_WORDS = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})  # how `plain` writes what JSON lacks
_STEPS = ("step", "global_step")
_NOT_METRICS = ("epoch", "metrics", "worker", "rank")


def number_of(value: Any) -> Any:
    """Return a number as an int or a float, also NumPy's and NaN written as a word; anything else as it is."""
    if value.__class__ in (int, float, bool) or value is None:
        return value
    if isinstance(value, numbers.Number):
        value = plain(value)
    return float(value) if isinstance(value, str) and value.strip().lower() in _WORDS else value


def is_number(value: Any) -> bool:
    """Whether `number_of` a value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def epoch_of(metadata: Mapping[str, Any]) -> int | None:
    """Return the epoch as a whole number; None where none is stated, or what is stated is none."""
    value = number_of(metadata.get("epoch"))
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def has_step(event: Event) -> bool:
    """Whether an event states the step at which it measured, so that an epoch may have many such measurements."""
    return any(event.metadata.get(name) is not None for name in _STEPS)


def metrics_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what metadata, and `metrics` in it, say of an epoch, numbers plain; what is not stated is left out."""
    inner = metadata.get("metrics")
    flat = {key: value for key, value in metadata.items() if key not in _NOT_METRICS}
    if isinstance(inner, Mapping):
        entries = cast("Mapping[str, Any]", inner).items()
        flat |= {key: value for key, value in entries if key not in flat and key != "epoch"}
    return {f"{key}": number_of(value) for key, value in flat.items() if value is not None}


def validation(event: Event) -> dict[str, Any]:
    """Return what a `validation_run` measured, as `val_…`."""
    metrics = {key: value for key, value in metrics_of(event.metadata).items() if key not in ("step", "dataset")}
    return {key if key.startswith("val") else f"val_{key}": value for key, value in metrics.items()}


def recorded(event: Event) -> dict[str, Any]:
    """Return what a `metric_recorded` measured, under its name."""
    name = event.metadata.get("name")
    return {f"{name}": number_of(event.metadata.get("value"))} if name is not None else {}
