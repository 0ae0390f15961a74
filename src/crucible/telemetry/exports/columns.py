r"""A record as one flat row, and the columns that all rows together need.

A column is known by its path, `("metadata", "a", "b")`, and named only when all rows were seen: `metadata_a.b`. So the
key `a_b` stays apart from the nested `a.b`; a key with a dot in it gets its dots written `\.` where both occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.exports.kinds import ColumnType, Section, column_type, kind_of
from crucible.telemetry.exports.payload import number, plain, text
from crucible.telemetry.exports.source import Sources, source_lookup

__all__ = ["BASE_COLUMNS", "FIELD_COLUMNS", "Column", "Columns", "base_values", "iso_text"]

BASE_COLUMNS: dict[str, ColumnType] = {
    "event_id": "text", "event_name": "text", "timestamp": "time", "datetime": "text", "experiment_id": "text",
    "experiment_name": "text", "condition": "text", "tags": "texts", "session_id": "text", "user_id": "text",
    "sample_id": "text", "cohort": "text", "model": "text", "provider": "text", "latency_ms": "double",
    "cost_usd": "double", "success": "bool", "stage": "text", "stage_index": "int", "span_id": "text",
    "parent_span_id": "text", "correlation_id": "text",
}  # fmt: skip
"""The columns that every table of events has, in order, each with its type.

`timestamp` is in nanoseconds since 1970-01-01 UTC, `datetime` the same to the microsecond as ISO 8601.
"""

FIELD_COLUMNS = ("session_id", "user_id", "sample_id", "cohort", "model", "provider")
"""What enrichment found that has a column of its own in every table."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPECIAL = re.compile(r"[\\.]")
_PREFIXES: dict[Section, str] = {"fields": "", "measurements": "measurement_", "metadata": "metadata_"}

Path = tuple[str, ...]


class Column:
    """One column: where it comes from, and what has been seen in it.

    Args:
        index: Its number in order of discovery.
        section: The part of the record.
        path: The keys that lead to its values.
        fixed: Its type, if that does not depend on what is in it.
    """

    __slots__ = ("fixed", "index", "path", "section", "seen")

    def __init__(self, index: int, section: Section, path: Path, fixed: ColumnType | None = None) -> None:
        self.index = index
        self.section: Section = section
        self.path = path
        self.fixed: ColumnType | None = fixed
        self.seen = 0

    @property
    def type(self) -> ColumnType:
        """The narrowest type that holds every value seen."""
        return self.fixed or column_type(self.seen, self.section)


class Columns:
    """The columns of all rows seen so far.

    Args:
        sources: Whose records they are.
        flatten: Whether measurements and metadata get a column a key; else one column of JSON each.
    """

    def __init__(self, sources: Sources = None, *, flatten: bool = True) -> None:
        self._source = source_lookup(sources)
        self._flatten = flatten
        self._known: dict[tuple[Section, Path], Column] = {}
        for name, fixed in BASE_COLUMNS.items():
            self._column("base", (name,), fixed)
        self._base = list(range(len(BASE_COLUMNS)))

    def row(self, record: StoredEvent) -> dict[int, Any]:
        """Return the values of a record by the number of their column; None where it has the column and no value."""
        source = self._source(record.run_id)
        values = base_values(record, source.experiment_id, source.experiment_name, source.tags)
        row = dict(zip(self._base, values, strict=True))
        fields = {key: value for key, value in record.fields.items() if key not in FIELD_COLUMNS}
        self._spread(row, "fields", fields)
        if self._flatten:
            self._spread(row, "measurements", record.measurements)
            self._spread(row, "metadata", record.metadata)
        else:
            row[self._column("measurements", (), "json").index] = plain(record.measurements)
            row[self._column("metadata", (), "json").index] = plain(record.metadata)
        return row

    def named(self) -> dict[str, Column]:
        """Return the columns by name, in order: the base, then fields, measurements, metadata, each sorted."""
        found = sorted(self._known.values(), key=_place)
        named: dict[str, Column] = {name: found[index] for index, name in enumerate(BASE_COLUMNS)}
        for column in found[len(BASE_COLUMNS) :]:
            named[next(name for name in _names(column) if name not in named)] = column
        return named

    def _spread(self, row: dict[int, Any], section: Section, values: dict[str, Any]) -> None:
        if values:
            for path, value in _leaves(plain(values)):
                column = self._column(section, path)
                column.seen |= kind_of(value)
                row[column.index] = value

    def _column(self, section: Section, path: Path, fixed: ColumnType | None = None) -> Column:
        column = self._known.get((section, path))
        if column is None:
            column = self._known[section, path] = Column(len(self._known), section, path, fixed)
        return column


def base_values(record: StoredEvent, experiment_id: str, name: str, tags: tuple[str, ...]) -> list[Any]:
    """Return the values of `BASE_COLUMNS` for a record, in their order."""
    fields = record.fields
    return [
        text(record.event_id),
        text(record.name),
        record.timestamp_ns,
        iso_text(record.timestamp_ns),
        text(experiment_id or record.run_id),
        text(name),
        text(record.condition),
        [text(tag) for tag in tags],
        *[text(fields.get(key)) for key in FIELD_COLUMNS],
        number(record.latency_ms),
        number(record.cost_usd),
        None if record.success is None else bool(record.success),
        text(record.stage),
        record.stage_index,
        text(record.span_id),
        text(record.parent_span_id),
        text(record.correlation_id),
    ]


def iso_text(timestamp_ns: int) -> str | None:
    """Return a time as ISO 8601 UTC to the microsecond, such as `2026-01-31T12:00:00.000250Z`; None past year 9999."""
    try:
        moment = _EPOCH + timedelta(microseconds=timestamp_ns // 1000)
    except OverflowError:
        return None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _leaves(value: dict[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is no dict with the keys to it; an empty dict is a value."""
    for key, inner in value.items():
        if inner.__class__ is dict and inner:
            yield from _leaves(inner, (*above, key))
        else:
            yield (*above, key), inner


def _place(column: Column) -> tuple[int, str, int, Path]:
    """Order columns; of two that would be named alike, the nested one comes first and keeps the name."""
    order = ("base", "fields", "measurements", "metadata").index(column.section)
    return (
        (order, "", column.index, ()) if order == 0 else (order, ".".join(column.path), -len(column.path), column.path)
    )


def _names(column: Column) -> Iterator[str]:
    """Yield names for a column, the nicest first; one of them is free."""
    if not column.path:
        yield column.section
    prefix = _PREFIXES[column.section]
    yield prefix + ".".join(column.path)
    escaped = ".".join(_SPECIAL.sub(_backslashed, key) for key in column.path)
    yield prefix + escaped
    yield from (f"{prefix or 'field_'}{escaped}{'' if n == 1 else f' ({n})'}" for n in range(1, 1 << 30))


def _backslashed(found: re.Match[str]) -> str:
    return f"\\{found[0]}"
