"""The measurements of a chain's trainings, a row an epoch: `training_table`.

A row is one `epoch_completed`; two of them never share a row, so a resumed epoch has two. What was measured for the
epoch by other events joins its row within the same lane: experiment, stage, worker and rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from crucible.trace.chain import Chain
from crucible.trace.event import Event, format_timestamp
from crucible.trace.vocabulary import canonical_type

__all__ = ["training_table"]

_WORKERS = ("worker", "rank")
_FIXED = ("experiment_id", "stage_id", *_WORKERS, "epoch", "timestamp", "event_id")
_WORDS = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})  # how `plain` writes what JSON lacks


def training_table(chain: Chain) -> list[dict[str, Any]]:
    """Return one row an epoch, in the order in which the epochs were completed; all rows have the same keys.

    The keys are `experiment_id`, `stage_id`, `worker` and `rank` (where any event has them), `epoch`, `timestamp`,
    `event_id`, then each metric in order of appearance: the keys of `metadata`, and of `metrics` in it, that are a
    number in any row. `validation_run` and `metric_recorded` events with the number of the epoch join its row;
    validation metrics are called `val_…`. Such measurements of an epoch that was never completed make a row without
    `event_id`. What a row lacks is None; NaN and infinities are floats, also where the chain has them as words.

    Args:
        chain: A chain without epochs gives an empty list.
    """
    book = _Book()
    for event in chain:
        kind = canonical_type(event.type)
        if kind == "epoch_completed":
            book.complete(event, _metrics(event.metadata))
        elif kind in ("validation_run", "metric_recorded") and _epoch(event.metadata) is not None:
            book.measure(event, _validation(event) if kind == "validation_run" else _recorded(event))
    return book.rows()


class _Row:
    def __init__(self, event: Event, *, is_completed: bool) -> None:
        self.lane = _lane(event)
        self.fixed: dict[str, Any] = {
            "experiment_id": event.experiment_id,
            "stage_id": event.stage_id,
            "worker": event.metadata.get("worker"),
            "rank": event.metadata.get("rank"),
            "epoch": _epoch(event.metadata),
            "timestamp": format_timestamp(event.timestamp),
            "event_id": event.id if is_completed else None,
        }
        self.metrics: dict[str, Any] = {}

    def agrees(self, metrics: Mapping[str, Any]) -> bool:
        """Whether none of the metrics is known here with another value."""
        return all(self.metrics.get(key, value) == value for key, value in metrics.items())


class _Book:
    """The rows, and by lane and epoch the one that measurements may still join."""

    def __init__(self) -> None:
        self._rows: dict[_Row, None] = {}  # in order
        self._last: dict[Any, _Row] = {}
        self._waiting: dict[Any, _Row] = {}  # measured before the epoch was completed

    def complete(self, event: Event, metrics: dict[str, Any]) -> None:
        row = _Row(event, is_completed=True)
        measured = self._waiting.pop(row.lane, None)
        row.metrics = {
            **metrics,
            **{key: value for key, value in (measured.metrics if measured else {}).items() if key not in metrics},
        }
        if measured is not None:
            del self._rows[measured]
        self._rows[row] = None
        self._last[row.lane] = row

    def measure(self, event: Event, metrics: dict[str, Any]) -> None:
        lane = _lane(event)
        row = next(
            (row for row in (self._last.get(lane), self._waiting.get(lane)) if row and row.agrees(metrics)), None
        )
        if row is None:  # of a repeated epoch, this is the next time
            row = self._waiting[lane] = _Row(event, is_completed=False)
            self._rows[row] = None
        row.metrics |= metrics

    def rows(self) -> list[dict[str, Any]]:
        names = dict.fromkeys(key for row in self._rows for key, value in row.metrics.items() if _is_number(value))
        absent = [name for name in _WORKERS if all(row.fixed[name] is None for row in self._rows)]
        fixed = [name for name in _FIXED if name not in absent]
        titles = {name: f"metadata.{name}" if name in _FIXED else name for name in names}
        return [
            {name: row.fixed[name] for name in fixed}
            | {title: _value(row.metrics.get(name)) for name, title in titles.items()}
            for row in self._rows
        ]


def _lane(event: Event) -> tuple[Any, ...]:
    return (
        event.experiment_id,
        event.stage_id,
        *(repr(event.metadata.get(name)) for name in _WORKERS),  # repr: a list from a file cannot be a key
        _epoch(event.metadata),
    )


def _epoch(metadata: Mapping[str, Any]) -> int | None:
    value = metadata.get("epoch")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def _metrics(metadata: Mapping[str, Any]) -> dict[str, Any]:
    inner = metadata.get("metrics")
    flat = {key: value for key, value in metadata.items() if key not in ("epoch", "metrics", *_WORKERS)}
    if isinstance(inner, Mapping):
        flat |= {
            key: value for key, value in cast("Mapping[str, Any]", inner).items() if key not in flat and key != "epoch"
        }
    return {f"{key}": value for key, value in flat.items() if value is not None}


def _validation(event: Event) -> dict[str, Any]:
    metrics = {key: value for key, value in _metrics(event.metadata).items() if key not in ("step", "dataset")}
    return {key if key.startswith("val") else f"val_{key}": value for key, value in metrics.items()}


def _recorded(event: Event) -> dict[str, Any]:
    name = event.metadata.get("name")
    return {f"{name}": event.metadata.get("value")} if name is not None else {}


def _is_number(value: Any) -> bool:
    return isinstance(_value(value), int | float) and not isinstance(value, bool)


def _value(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value.strip().lower() in _WORDS else value
