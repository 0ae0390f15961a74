"""Which events are wanted, as plain data, and reading them in the order of time without holding a transaction open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select

from crucible.errors import SpecError
from crucible.store import tables
from crucible.store.codec import decode, storable
from crucible.store.engine import Database
from crucible.store.records import StoredEvent
from crucible.store.telemetry_json import field_equals, found_number

__all__ = ["EventFigures", "EventQuery", "EventReader", "conditions", "stored_event"]

_events = tables.telemetry_events
_PAGE = 5_000
_TEXTS = ("name", "stage", "span_id", "parent_span_id", "correlation_id", "condition")
_NUMBERS = ("stage_index", "latency_ms", "cost_usd")


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of a recording; the default is all of them, in the order of time.

    Args:
        run_id: The recording: a run's full id, or a telemetry experiment's.
        names: Any of these: exact names, or `prefix.*`; none: whatever the name.
        since_ns: Not before this moment; nanoseconds since 1970-01-01 UTC.
        until_ns: Before this moment.
        condition: The arm of the experiment.
        success: Whether it went well.
        where: Values by field: a column of the record, else what enrichment found, the metadata or the measurements,
            with dots between nested keys. A value of None asks that nothing is there.
        limit: At most so many; None for all.
        offset: Leave out so many first.
        newest_first: The latest event first.
    """

    run_id: str
    names: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    condition: str | None = None
    success: bool | None = None
    where: Mapping[str, Any] = {}
    limit: int | None = None
    offset: int = 0
    newest_first: bool = False


EventFigures = tuple[int, float | None, float | None, int | None, str, float | None]
"""timestamp_ns, latency_ms, cost_usd, success (0 or 1), name, tokens in all."""


class EventReader:
    """Reads events.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def select(self, query: EventQuery) -> Iterator[StoredEvent]:
        """Yield the events that are wanted, in the order of time; of one moment, in the order of arrival.

        Each few thousand are read in a transaction of their own: events that are recorded meanwhile may or may not
        be seen.

        Raises:
            SpecError: The query asks for what cannot be a field's name or value.
            StoreError: The store cannot be read.
        """
        for what, count in (("limit", query.limit), ("offset", query.offset)):
            if count is not None and (not isinstance(count, int) or count < 0):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpecError(f"{what} is a count of events, got {count!r:.80}")
        wanted = select(_events).where(*conditions(query, self._database))
        at, number = _events.c.timestamp_ns, _events.c.id
        order = (at.desc(), number.desc()) if query.newest_first else (at, number)
        left, offset, after = query.limit, query.offset, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = wanted if after is None else wanted.where(_beyond(after, newest_first=query.newest_first))
            with self._database.reading("read events") as connection:
                rows = connection.execute(page.order_by(*order).limit(size).offset(offset)).all()
            yield from map(stored_event, rows)
            if len(rows) < size:
                return
            after, offset = (rows[-1].timestamp_ns, rows[-1].id), 0
            left = None if left is None else left - len(rows)

    def figures(self, query: EventQuery) -> Iterator[EventFigures]:
        """Yield the figures alone of the events that are wanted, in the order of time: far quicker than `select`."""
        at, number = _events.c.timestamp_ns, _events.c.id
        tokens = found_number("total_tokens", sqlite=self._database.is_sqlite)
        columns = (at, _events.c.latency_ms, _events.c.cost_usd, _events.c.success, _events.c.name, tokens, number)
        wanted, after = select(*columns).where(*conditions(query, self._database)), None
        while True:
            page = wanted if after is None else wanted.where(_beyond(after, newest_first=False))
            with self._database.reading("read events") as connection:
                rows = connection.execute(page.order_by(at, number).limit(10 * _PAGE)).all()
            for row in rows:
                yield row[0], row[1], row[2], row[3], row[4], row[5]
            if len(rows) < 10 * _PAGE:
                return
            after = rows[-1][0], rows[-1][6]

    def count(self, query: EventQuery) -> int:
        """Return how many events are wanted, whatever `limit` and `offset` say.

        Raises:
            SpecError: The query asks for what cannot be a field's name or value.
            StoreError: The store cannot be read.
        """
        counted = select(func.count()).select_from(_events).where(*conditions(query, self._database))
        with self._database.reading("count events") as connection:
            return connection.scalar(counted) or 0

    def malformed(self, run_id: str) -> int:
        """Return how many events of a recording say that something of them could not be read."""
        mark = _events.c.fields_json.like('%"malformed":%')
        counted = select(func.count()).select_from(_events).where(_events.c.run_id == run_id, mark)
        with self._database.reading("count malformed events") as connection:
            return connection.scalar(counted) or 0

    def after(self, run_id: str, number: int, limit: int = 1_000) -> list[tuple[int, StoredEvent]]:
        """Return events that arrived after one, each with its number, in the order of arrival; for following.

        Args:
            run_id: The recording.
            number: Of the last event that was seen; 0 for none, -1 for what is there already.
            limit: At most so many.
        """
        order = _events.c.timestamp_ns.desc(), _events.c.id.desc()  # as an index has them: nothing is sorted
        unindexed = _events.c.run_id.concat("") == run_id  # or all events of the recording are looked at, not the newer
        with self._database.reading("follow events") as connection:
            if number < 0:
                last = select(_events).where(_events.c.run_id == run_id).order_by(*order).limit(limit)
                rows = sorted(connection.execute(last).all(), key=lambda row: row.id)
            else:
                newer = select(_events).where(unindexed, _events.c.id > number).order_by(_events.c.id).limit(limit)
                rows = list(connection.execute(newer).all())
        return [(row.id, stored_event(row)) for row in rows]


def conditions(query: EventQuery, database: Database) -> list[ColumnElement[bool]]:
    """Return what a query asks of a row of `telemetry_events`.

    Raises:
        SpecError: The query asks for what cannot be a field's name or value.
    """
    found: list[ColumnElement[bool]] = [_events.c.run_id == query.run_id]
    if query.names:
        found.append(or_(*(_named(name) for name in query.names)))
    if query.since_ns is not None:
        found.append(_events.c.timestamp_ns >= query.since_ns)
    if query.until_ns is not None:
        found.append(_events.c.timestamp_ns < query.until_ns)
    if query.condition is not None:
        found.append(_events.c.condition == query.condition)
    if query.success is not None:
        found.append(_events.c.success == int(_truth(query.success)))
    return found + [_field(name, value, database) for name, value in query.where.items()]


def stored_event(row: Any) -> StoredEvent:
    """Return the event of a row of `telemetry_events`."""
    return StoredEvent(
        name=row.name,
        timestamp_ns=row.timestamp_ns,
        stage=row.stage,
        stage_index=row.stage_index,
        span_id=row.span_id,
        parent_span_id=row.parent_span_id,
        measurements=decode(row.measurements_json),
        metadata=decode(row.metadata_json),
        run_id=row.run_id,
        event_id=f"{row.event_id:016x}",
        correlation_id=row.correlation_id,
        condition=row.condition,
        latency_ms=row.latency_ms,
        cost_usd=row.cost_usd,
        success=None if row.success is None else bool(row.success),
        fields={} if row.fields_json is None else decode(row.fields_json),
    )


def _named(name: str) -> ColumnElement[bool]:
    if not name.endswith(".*"):
        return _events.c.name == storable(name)
    prefix = storable(name[:-1])
    return and_(_events.c.name.like(_escaped(prefix) + "%", escape="!"), _events.c.name >= prefix)


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _beyond(after: tuple[int, int], *, newest_first: bool) -> ColumnElement[bool]:
    at, number = _events.c.timestamp_ns, _events.c.id
    if newest_first:
        return or_(at < after[0], and_(at == after[0], number < after[1]))
    return or_(at > after[0], and_(at == after[0], number > after[1]))


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise SpecError(f"success is true or false, got {value!r:.80}")


def _event_number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise SpecError(f"an event's id is 16 hexadecimal digits, got {value!r:.80}") from None


def _field(name: str, value: Any, database: Database) -> ColumnElement[bool]:
    if name in _TEXTS or name in _NUMBERS:
        column: ColumnElement[Any] = _events.c[name]
        if value is None:
            return column.is_(None)
        wanted = isinstance(value, str) if name in _TEXTS else isinstance(value, (int, float))
        if not wanted or isinstance(value, bool):
            kind = "a text" if name in _TEXTS else "a number"
            raise SpecError(f"{name} is {kind}, and it was compared with {value!r:.80}")
        return column == value
    if name == "success":
        return _events.c.success.is_(None) if value is None else _events.c.success == int(_truth(value))
    if name == "event_id":
        return _events.c.event_id == _event_number(value)
    return field_equals(name, value, sqlite=database.is_sqlite)
