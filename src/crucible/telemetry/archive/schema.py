"""The columns of an archive's files, and the way from records to columns and back.

The JSON columns hold every payload exactly; the typed ones beside them are there to be filtered by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crucible.store import StoredEvent, decode
from crucible.telemetry.exports.kinds import ColumnType
from crucible.telemetry.exports.parquet_file import arrow, arrow_type
from crucible.telemetry.exports.payload import json_text, number, text

__all__ = [
    "EVENT_COLUMNS",
    "EVENT_DICTIONARIES",
    "POINT_TYPES",
    "RECORD_FIELDS",
    "event_row",
    "record_builder",
    "schema_of",
]

EVENT_COLUMNS: dict[str, ColumnType] = {
    "event_id": "text", "run_id": "text", "name": "text", "timestamp": "time", "stage": "text", "stage_index": "int",
    "span_id": "text", "parent_span_id": "text", "correlation_id": "text", "condition": "text", "latency_ms": "double",
    "cost_usd": "double", "success": "bool", "model": "text", "provider": "text", "measurements": "json",
    "metadata": "json", "fields": "json",
}  # fmt: skip
"""Columns of events; `model` and `provider` are copies out of `fields` or `metadata`, for other programs' filters."""

POINT_TYPES: dict[str, ColumnType] = {"series": "text", "step": "int", "value": "double", "timestamp": "time"}
"""Columns of points."""

EVENT_DICTIONARIES = ("run_id", "name", "stage", "condition", "model", "provider", "metadata", "fields")

RECORD_FIELDS: Mapping[str, str] = {
    **{name: name for name in EVENT_COLUMNS if name not in ("timestamp", "model", "provider")},
    "timestamp_ns": "timestamp",
}
"""Fields of a record, each with the column that holds it."""

_JSON = ("measurements", "metadata", "fields")


def schema_of(columns: Mapping[str, ColumnType]) -> Any:
    """Return the arrow schema of these columns."""
    return arrow().schema([(name, arrow_type(kind)) for name, kind in columns.items()])


def event_row(record: StoredEvent) -> tuple[Any, ...]:
    """Return a record's values in the order of `EVENT_COLUMNS`."""
    fields, metadata = record.fields, record.metadata
    return (
        text(record.event_id),
        text(record.run_id),
        text(record.name),
        record.timestamp_ns,
        text(record.stage),
        record.stage_index,
        text(record.span_id),
        text(record.parent_span_id),
        text(record.correlation_id),
        text(record.condition),
        number(record.latency_ms),
        number(record.cost_usd),
        record.success,
        text(fields.get("model", metadata.get("model"))),
        text(fields.get("provider", metadata.get("provider"))),
        json_text(record.measurements),
        json_text(metadata),
        json_text(fields),
    )


def record_builder(names: Sequence[str]) -> Callable[[Sequence[Any]], StoredEvent]:
    """Return the function that makes a record of the values of these columns; what is not among them has its default.

    Args:
        names: Columns, in the order of the values.
    """
    fields = {column: field for field, column in RECORD_FIELDS.items()}
    plan = [(fields[name], name in _JSON) for name in names]

    def build(values: Sequence[Any]) -> StoredEvent:
        found: dict[str, Any] = {"name": "", "timestamp_ns": 0}
        for (field, is_json), value in zip(plan, values, strict=True):
            if is_json:
                found[field] = {} if value == "{}" else decode(value)
            else:
                found[field] = value
        return StoredEvent(**found)

    return build
