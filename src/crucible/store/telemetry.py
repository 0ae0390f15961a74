"""Events and series of runs: written in bulk by the recorder, read by whoever asks.

A point is known by (run, series, step): a resumed run that repeats a step replaces the point. NaN lies there as NULL,
since SQLite knows no other way, and comes back as NaN.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.engine import Database
from crucible.store.fence import Fence
from crucible.store.happened import EventRow, PointRow
from crucible.store.records import StoredEvent

__all__ = ["TelemetryRepository"]

_events, _series, _points = tables.telemetry_events, tables.telemetry_series, tables.telemetry_points


class TelemetryRepository:
    """The telemetry of a store.

    Args:
        database: The open database.
        fence: Which runs are this process's to write.
    """

    def __init__(self, database: Database, fence: Fence) -> None:
        self._database = database
        self._fence = fence
        self._series_ids: dict[tuple[str, str], int] = {}  # only what is committed
        self._insert_event = database.insert_text(_events)
        self._insert_point = database.insert_text(_points, ["series_id", "step"])
        self._insert_series = database.insert_text(_series, ["run_id", "name"], replace=False)
        self._find_series = database.text(f"SELECT id FROM {_series.name} WHERE run_id = ? AND name = ?")  # noqa: S608  # our own name

    def write_events(self, events: Sequence[EventRow], points: Sequence[PointRow] = ()) -> None:
        """Append events and put points in one transaction.

        Survives the death of this process when it returns; a power loss may take the last moments.

        Args:
            events: In order; texts named `*_json` are made by `codec.encode`.
            points: A later one replaces an earlier one of the same run, series and step.

        Raises:
            StoreError: It could not be written, or a run was claimed by another process; then nothing of it was.
        """
        with self._database.writer.transaction("save telemetry") as cursor:
            for run_id in {row[0] for row in (*events, *points)}:
                self._fence.check_held(cursor, run_id)
            fresh = self.put(cursor, events, points)
        self.remember(fresh)

    def put(self, cursor: Any, events: Sequence[EventRow], points: Sequence[PointRow]) -> Mapping[tuple[str, str], int]:
        """Write what `write_events` does inside a transaction of the database's `writer`.

        Returns:
            The series that are new, for `remember` once the transaction has ended well.
        """
        if events:
            cursor.executemany(self._insert_event, events)
        fresh: dict[tuple[str, str], int] = {}
        if points:
            rows: list[tuple[int, int, float | None, int]] = []
            for run_id, name, step, value, timestamp_ns in points:
                key = (run_id, name)
                series_id = self._series_ids.get(key) or fresh.get(key)
                if series_id is None:
                    series_id = fresh[key] = self._series_id(cursor, key)
                rows.append((series_id, step, None if math.isnan(value) else value, timestamp_ns))
            cursor.executemany(self._insert_point, rows)
        return fresh

    def remember(self, fresh: Mapping[tuple[str, str], int]) -> None:
        """Take the ids of series that were committed."""
        self._series_ids.update(fresh)

    def forget(self, run_id: str) -> None:
        """Forget the ids of series of a run that was deleted."""
        for key in [key for key in self._series_ids if key[0] == run_id]:
            del self._series_ids[key]

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

    def _series_id(self, cursor: Any, key: tuple[str, str]) -> int:
        cursor.execute(self._insert_series, key)
        cursor.execute(self._find_series, key)
        return cursor.fetchone()[0]


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
