"""Chains as wholes: finding one, listing them, putting them aside and deleting them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, exists, func, select, update

from crucible.errors import StoreError
from crucible.ir import did_you_mean
from crucible.store import tables
from crucible.store.codec import storable
from crucible.store.engine import Database
from crucible.store.records import StoredChain
from crucible.store.run_rows import RunRows, moment_text
from crucible.store.trace_words import fold

__all__ = ["ChainQuery", "TraceChains", "chains_where"]

_chains, _events, _runs = tables.trace_chains, tables.trace_events, tables.runs
_SUGGESTED_AMONG = 1_000


class ChainQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which chains; the default is all that are not archived.

    Args:
        name_contains: Part of the name, in whatever case.
        created_after: Made then or later; naive counts as UTC.
        created_before: Made then or earlier; naive counts as UTC.
        min_events: At least so many events.
        max_events: At most so many.
        run_id: Of this run, by its full id.
        experiment_id: With an event of this experiment.
        types: With an event of one of these types, as the events spell them; empty for any.
        archived: True for archived ones only, None for both.
    """

    name_contains: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None
    min_events: int | None = None
    max_events: int | None = None
    run_id: str | None = None
    experiment_id: str | None = None
    types: tuple[str, ...] = ()
    archived: bool | None = False


_NOT_ARCHIVED = ChainQuery()


def chains_where(query: ChainQuery) -> list[Any]:
    """Return a query's conditions on `trace_chains`; the name is left to Python, as databases differ in case."""
    columns = _chains.c
    conditions: list[Any] = []
    if query.created_after is not None:
        conditions.append(columns.created_at >= _bound(query.created_after))
    if query.created_before is not None:
        conditions.append(columns.created_at <= _bound(query.created_before))
    if query.min_events is not None:
        conditions.append(columns.event_count >= query.min_events)
    if query.max_events is not None:
        conditions.append(columns.event_count <= query.max_events)
    if query.run_id is not None:
        conditions.append(columns.run_id == storable(query.run_id))
    if query.archived is not None:
        conditions.append(columns.archived_at.is_not(None) if query.archived else columns.archived_at.is_(None))
    held = _events.c.chain == columns.id
    if query.experiment_id is not None:
        conditions.append(exists().where(held, _events.c.experiment_id == storable(query.experiment_id)))
    if query.types:
        conditions.append(exists().where(held, _events.c.type.in_([storable(word) for word in query.types])))
    return conditions


class TraceChains:
    """The part of the trace repository that deals with chains as wholes.

    Args:
        database: The open database.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def list(self, query: ChainQuery = _NOT_ARCHIVED, *, limit: int | None = None) -> Sequence[StoredChain]:
        """Return chains, the latest first.

        Args:
            query: Which of them.
            limit: At most so many; None for all.
        """
        wanted = select(_chains).where(*chains_where(query)).order_by(_chains.c.created_at.desc(), _chains.c.id.desc())
        name = fold(storable(query.name_contains))
        if not name and limit is not None:
            wanted = wanted.limit(limit)
        with self._database.reading("list traces") as connection:
            found = [StoredChain(*row) for row in connection.execute(wanted)]
        if name:
            found = [chain for chain in found if name in fold(chain.name)]
        return found[:limit]

    def find(self, chain_id: str) -> StoredChain:
        """Return a chain.

        Args:
            chain_id: Its id, or the unique beginning of it.

        Raises:
            StoreError: There is no such chain, or several.
        """
        with self._database.reading(f"look for the chain {chain_id}") as connection:
            return self._found(connection, chain_id)

    def archive(self, chain_id: str) -> StoredChain:
        """Put a chain aside; one that is archived stays as it is.

        Raises:
            StoreError: There is no such chain, or it could not be written.
        """
        with self._database.writing(f"archive the chain {chain_id}") as connection:
            chain = self._found(connection, chain_id)
            if chain.archived_at is None:
                chain = msgspec.structs.replace(chain, archived_at=self._now())
                changed = update(_chains).where(_chains.c.id == chain.id)
                connection.execute(changed.values(archived_at=chain.archived_at))
        return chain

    def archive_older(self, older_than: timedelta) -> Sequence[str]:
        """Put aside every chain that nothing was added to for this long; return their ids, the oldest first.

        Raises:
            StoreError: It could not be written.
        """
        before = moment_text(self._clock() - older_than)
        old = (_chains.c.archived_at.is_(None), _chains.c.updated_at < before)
        with self._database.writing("archive old chains") as connection:
            query = select(_chains.c.id, _chains.c.chain_id).where(*old).order_by(_chains.c.updated_at, _chains.c.id)
            found = connection.execute(query).all()
            connection.execute(update(_chains).where(*old).values(archived_at=self._now()))
        return [row.chain_id for row in found]

    def restore(self, chain_id: str) -> StoredChain:
        """Take a chain back out of the archive; one that is not in it stays as it is.

        Raises:
            StoreError: There is no such chain, or it could not be written.
        """
        with self._database.writing(f"restore the chain {chain_id}") as connection:
            chain = self._found(connection, chain_id)
            connection.execute(update(_chains).where(_chains.c.id == chain.id).values(archived_at=None))
        return msgspec.structs.replace(chain, archived_at=None)

    def delete(self, chain_id: str) -> StoredChain:
        """Remove a chain with its events.

        Raises:
            StoreError: There is no such chain, its run still goes on, or it could not be removed.
        """
        with self._database.writing(f"delete the chain {chain_id}") as connection:
            chain = self._found(connection, chain_id)
            if chain.run_id is not None and self._is_running(connection, chain.run_id):
                raise StoreError(
                    f"the chain {chain.chain_id} is not deleted: its run {chain.run_id} is still running; wait for it"
                )
            connection.execute(delete(_chains).where(_chains.c.id == chain.id))
        return chain

    def _is_running(self, connection: Connection, run_id: str) -> bool:
        if connection.execute(select(_runs.c.run_id).where(_runs.c.run_id == run_id)).first() is None:
            return False
        return RunRows(connection, self._database.location, self._clock()).find(run_id).status == "running"

    def _found(self, connection: Connection, chain_id: str) -> StoredChain:
        wanted = storable(chain_id)
        exact = connection.execute(select(_chains).where(_chains.c.chain_id == wanted)).first()
        if exact is not None:
            return StoredChain(*exact)
        begin = func.substr(_chains.c.chain_id, 1, len(wanted)) == wanted
        latest = _latest(select(_chains).where(begin)).limit(4)
        near: Sequence[Any] = connection.execute(latest).all() if wanted else ()
        if len(near) == 1:
            return StoredChain(*near[0])
        if near:
            several = ", ".join(f"{row.chain_id} ({row.name})" for row in near[:3])
            raise StoreError(f'several chains begin with "{chain_id}": {several}; give more of the id')
        raise StoreError(self._unknown(connection, chain_id))

    def _unknown(self, connection: Connection, chain_id: str) -> str:
        latest = connection.execute(_latest(select(_chains)).limit(_SUGGESTED_AMONG)).all()
        start = f'there is no chain "{chain_id}" in {self._database.location}'
        if not latest:
            return f"{start}: it holds no chain yet"
        if named := [row.chain_id for row in latest if row.name == chain_id]:
            return f'{start}; the one of this name is "{named[0]}"'
        hint = did_you_mean(chain_id, [row.chain_id for row in latest])
        return start + (hint or f"; the latest ones are {', '.join(row.chain_id for row in latest[:3])}")

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds")


def _bound(moment: datetime) -> str:
    """Return a moment as it lies in the database; one that UTC has no year for as the first or the last there is."""
    try:
        return moment_text(moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment)
    except OverflowError:
        end = datetime.min if moment.year == 1 else datetime.max
        return moment_text(end.replace(tzinfo=UTC))


def _latest(query: Select[Any]) -> Select[Any]:
    return query.order_by(_chains.c.created_at.desc(), _chains.c.id.desc())
