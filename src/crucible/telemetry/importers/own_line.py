"""Lines of Crucible's own JSONL: those of an archive, of exported events, and of exported points.

`own_line` says what a line is, `stored_event` and `points_in` what is in it, exactly as it was written. Three things
that an export of events does not say cannot come back: a field of `FIELD_COLUMNS` that is None, a user's own field with
a name such as `field_timestamp`, which stands there for `timestamp`, and a `run_id` that the export replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

import msgspec

from crucible.store import StoredEvent
from crucible.telemetry.exports import BASE_COLUMNS, POINT_COLUMNS, Point
from crucible.telemetry.exports.columns import FIELD_COLUMNS

__all__ = ["OwnLine", "begins_archive", "is_own_line", "own_line", "points_in", "stored_event"]

_Kind = Literal["experiment", "record", "block", "end", "event", "point"]

_KINDS: dict[Any, _Kind] = {"experiment_metadata": "experiment", "event": "record", "points": "block", "end": "end"}
_ROW = frozenset({*BASE_COLUMNS, "measurements", "metadata"})
_POINT = frozenset(POINT_COLUMNS)
_RENAMED = _ROW.difference(FIELD_COLUMNS)
_PREFIX = "field_"
_TELLING: dict[_Kind, frozenset[str]] = {
    "experiment": frozenset({"id", "owner", "wall_ns"}),
    "record": frozenset({"name", "timestamp_ns"}),
    "block": frozenset({"series", "points"}),
    "end": frozenset({"events", "points"}),
}
_STRAIGHT = (
    "event_id", "condition", "latency_ms", "cost_usd", "success", "stage", "stage_index", "span_id", "parent_span_id",
    "correlation_id", "measurements", "metadata",
)  # fmt: skip


class OwnLine(NamedTuple):
    """What a line is.

    Args:
        kind: `experiment`, `record` (an event), `block` (of points) or `end` of an archive; an exported `event` or
            `point`.
        run_id: The recording that it is of; None: the one that a line before it names.
        data: What is in it.
    """

    kind: _Kind
    run_id: str | None
    data: dict[str, Any]


def own_line(line: dict[str, Any]) -> OwnLine | None:
    """Return what a line of a file of ours is; None if it is none."""
    if line.keys() >= _ROW:
        return OwnLine("event", _text(line["experiment_id"]), line)
    if line.keys() == _POINT:
        return OwnLine("point", _text(line["run_id"]), line)
    kind, data = _KINDS.get(_text(line.get("type"))), line.get("data")
    if kind is None or not isinstance(data, dict):
        return None
    found = cast("dict[str, Any]", data)
    return OwnLine(kind, _text(found.get("id") or found.get("experiment_id")) if kind == "experiment" else None, found)


def is_own_line(line: dict[str, Any]) -> bool:
    """Return whether a line is surely of a file of ours; where an archive begins may look like the predecessor's."""
    found = own_line(line)
    return found is not None and found.data.keys() >= _TELLING.get(found.kind, frozenset())


def begins_archive(line: Mapping[str, Any]) -> bool:
    """Return whether a line is the first of an archive, ours or the predecessor's."""
    return line.get("type") == "experiment_metadata" and isinstance(line.get("data"), dict)


def stored_event(line: OwnLine) -> StoredEvent:
    """Return the event of a `record` or an `event`.

    Raises:
        ValueError: Something in it is of a kind that it cannot be.
    """
    if line.kind == "record":
        return msgspec.convert(line.data, StoredEvent)
    row = line.data
    found = {name: row[name] for name in _STRAIGHT} | {
        "name": row["event_name"],
        "timestamp_ns": row["timestamp"],
        "run_id": row["experiment_id"],
        "fields": {key: row[key] for key in FIELD_COLUMNS if row[key] is not None}
        | {_bare(key): value for key, value in row.items() if key not in _ROW},
    }
    return msgspec.convert(found, StoredEvent)


def points_in(line: OwnLine) -> list[Point]:
    """Return the points of a `block` or a `point`: series, step, value, nanoseconds since 1970-01-01 UTC.

    Raises:
        ValueError: Something in it is of a kind that it cannot be.
    """
    if line.kind == "block":
        block = msgspec.convert(line.data, _Block)
        return [(block.series, *point) for point in block.points]
    point = msgspec.convert(line.data, _Point)
    return [(point.series, point.step, point.value, point.timestamp)]


class _Block(msgspec.Struct):
    series: str
    points: list[tuple[int, float, int]]


class _Point(msgspec.Struct):
    series: str
    step: int
    value: float
    timestamp: int


def _bare(key: str) -> str:
    """Return the name of a field whose name was taken in the row."""
    bare = key
    while bare.startswith(_PREFIX):
        bare = bare[len(_PREFIX) :]
    return key[len(_PREFIX) :] if bare in _RENAMED else key


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
