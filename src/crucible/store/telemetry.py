"""Events and series of recordings: written in bulk by the recorder, read by whoever asks.

A recording is a run's telemetry or a telemetry experiment's; `run_id` is its id. A point is known by (recording,
series, step): a resumed run that repeats a step replaces the point. What is written is in `telemetry_events` and
`telemetry_points`, how it is read in `telemetry_query`, `telemetry_aggregate` and `telemetry_series`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select

from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.fence import Fence
from crucible.store.happened import EventRow, PointRow
from crucible.store.records import StoredEvent
from crucible.store.segment import Points
from crucible.store.telemetry_aggregate import Aggregate, EventAggregator
from crucible.store.telemetry_events import EventWriter
from crucible.store.telemetry_experiments import ExperimentRepository
from crucible.store.telemetry_points import PointWriter
from crucible.store.telemetry_query import EventFigures, EventQuery, EventReader, stored_event
from crucible.store.telemetry_series import SeriesReader, SeriesSummary

__all__ = ["TelemetryRepository"]

_events, _series = tables.telemetry_events, tables.telemetry_series


class TelemetryRepository:
    """The telemetry of a store.

    Args:
        database: The open database.
        fence: Which runs are this process's to write.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, fence: Fence, clock: Callable[[], datetime]) -> None:
        self.experiments = ExperimentRepository(database, clock)
        self._database = database
        self._fence = fence
        self._event_writer = EventWriter(database)
        self._point_writer = PointWriter(database)
        self._event_reader = EventReader(database)
        self._aggregator = EventAggregator(database)
        self._series_reader = SeriesReader(database)
        self._delete_event = database.text(
            f"DELETE FROM {_events.name} WHERE run_id = ? AND timestamp_ns = ? AND event_id = ?"  # noqa: S608  # our own name
        )

    # --- writing ---

    def write_events(
        self,
        events: Sequence[EventRow],
        points: Sequence[PointRow] = (),
        *,
        replaced: Sequence[tuple[str, int, int]] = (),
        batch: int = 0,
        again: bool = False,
        experiment_id: str | None = None,
    ) -> None:
        """Append events and put points in one transaction.

        Survives the death of this process when it returns; a power loss may take the last moments.

        Args:
            events: In order; texts named `*_json` are made by `codec.encode`.
            points: A later one replaces an earlier one of the same recording, series and step.
            replaced: Events to remove, by recording, time and event id.
            batch: What these points are known by, should they be written again; unique among those of a series.
            again: Whether all of it may be there already, because the connection was lost while it was written.
            experiment_id: The telemetry experiment that must go on for anything to be written; None: none must.

        Raises:
            StoreError: It could not be written, a run was claimed by another process, or the experiment was stopped or
                removed by one; then nothing of it was.
        """
        with self._database.writer.transaction("save telemetry") as cursor:
            if experiment_id is not None:
                self.experiments.check_open(cursor, experiment_id)
            for run_id in {row[0] for row in (*events, *points)}:
                self._fence.check_held(cursor, run_id)
            fresh = self.put(cursor, events, points, batch=batch, again=again)
            if replaced:
                cursor.executemany(self._delete_event, replaced)
        self.remember(fresh)

    def put(
        self,
        cursor: Any,
        events: Sequence[EventRow],
        points: Sequence[PointRow],
        *,
        batch: int = 0,
        again: bool = False,
    ) -> Mapping[tuple[str, str], int]:
        """Write what `write_events` does inside a transaction of the database's `writer`.

        Returns:
            The series that are new, for `remember` once the transaction has ended well.
        """
        if events:
            self._event_writer.write(cursor, events, again=again)
        return self._point_writer.write(cursor, points, batch=batch, again=again) if points else {}

    def remember(self, fresh: Mapping[tuple[str, str], int]) -> None:
        """Take the ids of series that were committed."""
        if fresh:
            self._point_writer.remember(fresh)

    def forget(self, run_id: str) -> None:
        """Forget the ids of series of a recording that was deleted."""
        self._point_writer.forget(run_id)

    def close_series(self, run_id: str) -> None:
        """Make columns of the rows of a recording's series, which will grow no more, or rarely.

        Raises:
            StoreError: It could not be written; then everything stays as it was.
        """
        with self._database.reading("list series") as connection:
            numbers = list(connection.scalars(select(_series.c.id).where(_series.c.run_id == run_id)))
        with self._database.writer.transaction("close the series") as cursor:
            self._point_writer.fold(cursor, numbers)

    def prune(self, run_id: str, before_ns: int) -> int:
        """Remove the events of a recording that happened before a moment; return how many there were.

        The store's very latest event stays: whoever follows knows events by numbers, which must not be given twice.

        Args:
            run_id: The recording.
            before_ns: Nanoseconds since 1970-01-01 UTC.
        """
        with self._database.writing("remove old events", synced=False) as connection:
            latest = select(func.max(_events.c.id)).scalar_subquery()  # stays, or its number is given again
            old = delete(_events).where(
                _events.c.run_id == run_id, _events.c.timestamp_ns < before_ns, _events.c.id < latest
            )
            return connection.execute(old).rowcount

    # --- reading ---

    def series(self, run_id: str) -> list[str]:
        """Return the names of a recording's series, sorted.

        Args:
            run_id: The recording's full id.
        """
        return self._series_reader.names(run_id)

    def points(self, run_id: str, series: str) -> list[tuple[int, float]]:
        """Return a series as (step, value), by step.

        Args:
            run_id: The recording's full id.
            series: A name that `series` returns, such as `crucible_train.batch.stop:loss[model=tuned]`.

        Raises:
            StoreError: The recording has no such series; the message names near ones.
        """
        found = self._series_reader.points(run_id, series)
        return list(zip(found.steps, found.values, strict=True))

    def point_arrays(self, run_id: str, series: str) -> Points:
        """Return a series as arrays, by step; see `points`."""
        return self._series_reader.points(run_id, series)

    def series_summary(self, run_id: str) -> list[SeriesSummary]:
        """Return what each series of a recording comes to, by name, reading few of its points."""
        return self._series_reader.summaries(run_id)

    def last_step(self, run_id: str, series: str) -> int | None:
        """Return the largest step of a series, None if the recording has no such series."""
        return self._series_reader.last_step(run_id, series)

    def event_counts(self, run_id: str) -> dict[str, int]:
        """Return how many events of each name a recording has, by name.

        Args:
            run_id: The recording's full id.
        """
        query = select(_events.c.name, func.count()).where(_events.c.run_id == run_id).group_by(_events.c.name)
        with self._database.reading("count events") as connection:
            return dict(sorted((name, count) for name, count in connection.execute(query)))

    def events(self, run_id: str, name: str | None = None, limit: int | None = None) -> list[StoredEvent]:
        """Return events of a recording in the order in which they arrived.

        Args:
            run_id: The recording's full id.
            name: Only events of this name.
            limit: The last so many; None for all.
        """
        query = select(_events).where(_events.c.run_id == run_id)
        if name is not None:
            query = query.where(_events.c.name == name)
        with self._database.reading("read events") as connection:
            rows = connection.execute(query.order_by(_events.c.id.desc()).limit(limit)).all()
        return [stored_event(row) for row in reversed(rows)]

    def select(self, query: EventQuery) -> Iterator[StoredEvent]:
        """Yield the events that a query wants, in the order of time; see `EventReader.select`."""
        return self._event_reader.select(query)

    def figures(self, query: EventQuery) -> Iterator[EventFigures]:
        """Yield the figures alone of the events that a query wants; see `EventReader.figures`."""
        return self._event_reader.figures(query)

    def token_sums(self, run_id: str) -> tuple[tuple[int, float | None], ...]:
        """Return count and sum of the tokens of prompts, of completions, and in all; see `EventAggregator.sums`."""
        return self._aggregator.sums(run_id, ("prompt_tokens", "completion_tokens", "total_tokens"))

    def malformed(self, run_id: str) -> int:
        """Return how many events of a recording say that something of them could not be read."""
        return self._event_reader.malformed(run_id)

    def count(self, query: EventQuery) -> int:
        """Return how many events a query wants, whatever its `limit` and `offset`."""
        return self._event_reader.count(query)

    def after(self, run_id: str, number: int, limit: int = 1_000) -> list[tuple[int, StoredEvent]]:
        """Return events that arrived after one, for following; see `EventReader.after`."""
        return self._event_reader.after(run_id, number, limit)

    def aggregate(self, query: EventQuery, **how: Any) -> list[Aggregate]:
        """Return numbers over the events that a query wants, computed by the database; see `EventAggregator`."""
        return self._aggregator.aggregate(query, **how)
