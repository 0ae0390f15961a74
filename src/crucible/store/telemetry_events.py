"""Writing events: the fastest way that each database has for many rows, and one that tells what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.happened import ABSENT, EventRow

__all__ = ["EventWriter"]

_events = tables.telemetry_events
_COLUMNS = (
    "run_id",
    "name",
    "timestamp_ns",
    "stage",
    "stage_index",
    "span_id",
    "parent_span_id",
    "measurements_json",
    "metadata_json",
    "event_id",
    "correlation_id",
    "condition",
    "latency_ms",
    "cost_usd",
    "success",
    "fields_json",
)
_COPIED = 32  # from so many rows on, COPY is faster than INSERT


class EventWriter:
    """Writes events on the cursor of a transaction of the database's `writer`.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._is_sqlite = database.is_sqlite
        self._optional = tuple(_events.c[name].nullable for name in _COLUMNS)
        names = ", ".join(_COLUMNS)
        optional = {column.name for column in _events.columns if column.nullable}
        values = ", ".join("NULLIF(?, '')" if name in optional and self._is_sqlite else "?" for name in _COLUMNS)
        self._insert = database.text(f"INSERT INTO {_events.name} ({names}) VALUES ({values})")  # noqa: S608  # our own names
        self._copy = f"COPY {_events.name} ({names}) FROM STDIN"
        self._stage = "CREATE TEMPORARY TABLE crucible_again (LIKE telemetry_events) ON COMMIT DROP"
        self._copy_again = f"COPY crucible_again ({names}) FROM STDIN"
        self._drop_identity = "ALTER TABLE crucible_again ALTER COLUMN id DROP NOT NULL"
        self._insert_again = (
            f"INSERT INTO {_events.name} ({names}) SELECT {names} FROM crucible_again AS again "  # noqa: S608  # our own names
            f"WHERE NOT EXISTS (SELECT 1 FROM {_events.name} AS known WHERE known.run_id = again.run_id "
            "AND known.timestamp_ns = again.timestamp_ns AND known.event_id = again.event_id)"
        )

    def write(self, cursor: Any, rows: Sequence[EventRow], *, again: bool = False) -> None:
        """Append events.

        Args:
            cursor: Of the transaction.
            rows: In order.
            again: Whether some may be there already, from a transaction of which nobody knows whether it was committed;
                an event is known by its recording, its time and its id.
        """
        if self._is_sqlite:  # a transaction on a file never ends unknown
            cursor.executemany(self._insert, rows)
        elif again:
            cursor.execute(self._stage)
            cursor.execute(self._drop_identity)
            self._copied(cursor, self._copy_again, rows)
            cursor.execute(self._insert_again)
        elif len(rows) < _COPIED:
            cursor.executemany(self._insert, [self._with_nulls(row) for row in rows])
        else:
            self._copied(cursor, self._copy, rows)

    def _copied(self, cursor: Any, statement: str, rows: Sequence[EventRow]) -> None:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(self._with_nulls(row))

    def _with_nulls(self, row: EventRow) -> tuple[Any, ...]:
        return tuple(
            [
                None if value == ABSENT and optional else value
                for value, optional in zip(row, self._optional, strict=True)
            ]
        )
