"""Events and series of runs: written in bulk by the recorder, read by whoever asks.

A point is known by (run, series, step): a resumed run that repeats a step replaces the point. NaN lies there as NULL,
since SQLite knows no other way, and comes back as NaN.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.engine import Database
from crucible.store.records import StoredEvent

__all__ = ["EventRow", "PointRow", "TelemetryRepository"]

EventRow = tuple[str, str, int, str | None, int | None, str | None, str | None, str, str]
"""run_id, name, timestamp_ns, stage, stage_index, span_id, parent_span_id, measurements_json, metadata_json."""

PointRow = tuple[str, str, int, float, int]
"""run_id, series, step, value, timestamp_ns."""

_events, _series, _points = tables.telemetry_events, tables.telemetry_series, tables.telemetry_points


class TelemetryRepository:
    """The telemetry of a store.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._series_ids: dict[tuple[str, str], int] = {}  # only what is committed

    def write_events(self, events: Sequence[EventRow], points: Sequence[PointRow] = ()) -> None:
        """Append events and put points in one transaction.

        Survives the death of this process when it returns; a power loss may take the last moments.

        Args:
            events: In order; texts named `*_json` are made by `codec.encode`.
            points: A later one replaces an earlier one of the same run, series and step.

        Raises:
            StoreError: It could not be written; then nothing of it was.
        """
        marks = self._database.placeholders
        fresh: dict[tuple[str, str], int] = {}
        with self._database.writing("save telemetry", synced=False) as connection:
            if events:
                connection.exec_driver_sql(_INSERT_EVENTS + marks(9), list(events))
            if points:
                rows: list[tuple[int, int, float | None, int]] = []
                for run_id, name, step, value, timestamp_ns in points:
                    key = (run_id, name)
                    series_id = self._series_ids.get(key) or fresh.get(key)
                    if series_id is None:
                        series_id = fresh[key] = self._series_id(connection, *key)
                    rows.append((series_id, step, None if math.isnan(value) else value, timestamp_ns))
                connection.exec_driver_sql(_INSERT_POINTS + marks(4) + _REPLACE_POINT, rows)
        self._series_ids.update(fresh)

    def series(self, run_id: str) -> list[str]:
        """Return the names of a run's series, sorted.

        Args:
            run_id: The run's full id.
        """
        query = select(_series.c.name).where(_series.c.run_id == run_id).order_by(_series.c.name)
        with self._database.reading("list series") as connection:
            return sorted(connection.scalars(query))

    def points(self, run_id: str, series: str) -> list[tuple[int, float]]:
        """Return a series as (step, value), by step.

        Args:
            run_id: The run's full id.
            series: A name that `series` returns, such as `crucible_train.batch.stop:loss[model=tuned]`.

        Raises:
            StoreError: The run has no such series; the message names near ones.
        """
        with self._database.reading("read a series") as connection:
            series_id = connection.scalar(_find_series(run_id, series))
            if series_id is None:
                known = list(connection.scalars(select(_series.c.name).where(_series.c.run_id == run_id)))
                near = difflib.get_close_matches(series, known, n=3, cutoff=0.5) or sorted(known)[:3]
                hint = f"did you mean {' or '.join(near)}?" if near else "nothing with a step was recorded for it"
                raise StoreError(f'run {run_id} has no series "{series}"; {hint}')
            query = select(_points.c.step, _points.c.value).where(_points.c.series_id == series_id)
            rows = connection.execute(query.order_by(_points.c.step)).all()
        return [(step, math.nan if value is None else value) for step, value in rows]

    def event_counts(self, run_id: str) -> dict[str, int]:
        """Return how many events of each name a run has, by name.

        Args:
            run_id: The run's full id.
        """
        query = select(_events.c.name, func.count()).where(_events.c.run_id == run_id).group_by(_events.c.name)
        with self._database.reading("count events") as connection:
            return dict(sorted((name, count) for name, count in connection.execute(query)))

    def events(self, run_id: str, name: str | None = None, limit: int | None = None) -> list[StoredEvent]:
        """Return events of a run in the order in which they happened.

        Args:
            run_id: The run's full id.
            name: Only events of this name.
            limit: The last so many; None for all.
        """
        query = select(_events).where(_events.c.run_id == run_id)
        if name is not None:
            query = query.where(_events.c.name == name)
        with self._database.reading("read events") as connection:
            rows = connection.execute(query.order_by(_events.c.id.desc()).limit(limit)).all()
        return [_stored(row) for row in reversed(rows)]

    def _series_id(self, connection: Connection, run_id: str, name: str) -> int:
        insert = self._database.upsert(_series, ["run_id", "name"], replace=False)
        connection.execute(insert, {"run_id": run_id, "name": name})
        return connection.execute(_find_series(run_id, name)).scalar_one()


def _columns(names: Iterable[str]) -> str:
    return ", ".join(names)


_INSERT_EVENTS = f"INSERT INTO {_events.name} ({_columns(c.name for c in _events.columns if c.name != 'id')}) VALUES "  # noqa: S608  # our own names
_INSERT_POINTS = f"INSERT INTO {_points.name} ({_columns(c.name for c in _points.columns)}) VALUES "  # noqa: S608  # our own names
_REPLACE_POINT = (
    " ON CONFLICT (series_id, step) DO UPDATE SET value = excluded.value, timestamp_ns = excluded.timestamp_ns"
)


def _find_series(run_id: str, name: str) -> Any:
    return select(_series.c.id).where(_series.c.run_id == run_id, _series.c.name == name)


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(
        name=row.name,
        timestamp_ns=row.timestamp_ns,
        stage=row.stage,
        stage_index=row.stage_index,
        span_id=row.span_id,
        parent_span_id=row.parent_span_id,
        measurements=decode(row.measurements_json),
        metadata=decode(row.metadata_json),
    )
