"""Causal chains: appended to while a run goes on, or kept whole; what an event means is the business of `trace`.

Events are rows of `trace_events` as `TraceRow` names them. Saving an event again, known by its id, replaces it in its
place. A chain's number is looked up once an opening, and checked whenever events are added: another process may have
deleted the chain meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, delete, select, update

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import storable
from crucible.store.engine import Database
from crucible.store.fence import Fence
from crucible.store.happened import TraceRow
from crucible.store.records import StoredChain
from crucible.store.run_rows import unknown_run
from crucible.store.trace_chains import TraceChains
from crucible.store.trace_index import update_index
from crucible.store.trace_search import EventQuery, FoundRow, search_events, select_events
from crucible.store.trace_words import SearchWords

__all__ = ["TraceRepository"]

_chains, _events = tables.trace_chains, tables.trace_events
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROW = [column for column in _events.c if column.name not in ("id", "chain")]
_BATCH = 2_000
_CACHE = -64_000  # kB, at most: the index of a large chain's ids is filled at random
_UNKNOWN = (0, None, "")
_RARE = ("code_section", "spec_reference", "extra_json", "hash", "signature")  # NULL in what a run records
_PLAIN = [column.name for column in _events.c if column.name not in ("id", *_RARE)]


class TraceRepository(TraceChains):
    """The traces of a store.

    Args:
        database: The open database.
        fence: Which runs are this process's to write.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, fence: Fence, *, clock: Callable[[], datetime]) -> None:
        super().__init__(database, clock)
        self._fence = fence
        self._numbers: dict[str, tuple[int, str, str]] = {}  # number, run and stored id, by id: chains of runs
        chains, events = _chains.name, _events.name
        self._find = database.text(f"SELECT id, run_id FROM {chains} WHERE chain_id = ?")  # noqa: S608  # our own names
        self._insert_chain = database.insert_text(_chains, ["chain_id"], replace=False)
        self._grow = database.text(
            f"UPDATE {chains} SET event_count = event_count + ?, "  # noqa: S608  # our own name
            "updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at END WHERE id = ? AND chain_id = ?"
        )
        self._vouch = database.text(f"UPDATE {chains} SET integrity_json = ? WHERE id = ?")  # noqa: S608  # our own name
        self._shrink = database.text(f"UPDATE {chains} SET event_count = event_count - ? WHERE id = ?")  # noqa: S608  # our own name
        self._insert_event = database.insert_text(_events, ["chain", "event_id"], replace=False)
        self._insert_plain_event = database.text(
            f"INSERT INTO {events} ({', '.join(_PLAIN)}) VALUES ({', '.join('?' * len(_PLAIN))}) "  # noqa: S608  # our own names
            "ON CONFLICT (chain, event_id) DO NOTHING"
        )
        self._add_event = database.insert_text(_events)
        self._replace_event = database.insert_text(_events, ["chain", "event_id"])
        names = ", ".join(column.name for column in _events.c if column.name != "id")
        self._copy_events = f"COPY {events} ({names}) FROM STDIN"

    def save_rows(
        self, run_id: str, chain_id: str, name: str, events: Sequence[TraceRow], *, integrity_json: str | None = None
    ) -> None:
        """Append events to a run's chain, which is made if it is new; they survive the death of this process.

        Args:
            run_id: The run's full id.
            chain_id: The chain's id.
            name: The chain's name.
            events: In order; a known id is replaced in its place.
            integrity_json: Of a sealed chain, its ledger without the entries, as it stands after these events.

        Raises:
            StoreError: It could not be written, the chain is another run's, or the run was claimed by another process.
        """
        if not events:
            return
        with self._database.writer.transaction(f"save the trace of run {run_id}") as cursor:
            self._fence.check_held(cursor, run_id)
            self.put(cursor, run_id, chain_id, name, events, integrity_json=integrity_json)

    def put(
        self,
        cursor: Any,
        run_id: str,
        chain_id: str,
        name: str,
        events: Sequence[TraceRow],
        *,
        integrity_json: str | None = None,
    ) -> None:
        """Write what `save_rows` does inside a transaction of the database's `writer`.

        Args:
            cursor: Of the transaction.
            run_id: As in `save_rows`.
            chain_id: As in `save_rows`.
            name: As in `save_rows`.
            events: As in `save_rows`.
            integrity_json: As in `save_rows`.
        """
        at = _moment(max([event[1] for event in events]))
        number, owner, kept_id = self._numbers.get(chain_id, _UNKNOWN)
        if owner == run_id:
            cursor.execute(self._grow, (len(events), at, at, number, kept_id))
        if owner != run_id or cursor.rowcount != 1:  # not seen yet, or deleted by somebody
            number, kept_id = self._number(cursor, run_id, chain_id, name)
            cursor.execute(self._grow, (len(events), at, at, number, kept_id))
        if all(event[7] is event[8] is event[14] is event[15] is event[16] is None for event in events):
            rows = [(number, *event[:7], *event[9:14]) for event in events]
            cursor.executemany(self._insert_plain_event, rows)  # sqlite3 takes its time over each None
        else:
            cursor.executemany(self._insert_event, [(number, *event) for event in events])
        if cursor.rowcount != len(events):  # some are known already
            cursor.execute(self._shrink, (len(events) - cursor.rowcount, number))
            cursor.executemany(self._replace_event, [(number, *event) for event in events])
        if integrity_json is not None:
            cursor.execute(self._vouch, (integrity_json, number))

    def _number(self, cursor: Any, run_id: str, chain_id: str, name: str) -> tuple[int, str]:
        """Return the number of a run's chain, made if it is missing, and its id as it is stored."""
        now, kept_id = self._now(), storable(chain_id)
        cursor.execute(self._insert_chain, (kept_id, run_id, storable(name), None, now, now, 0, "{}", None, None, None))
        cursor.execute(self._find, (kept_id,))
        number, owner = cursor.fetchone()
        if owner != run_id:
            whose = "no run" if owner is None else f"run {owner}"
            raise StoreError(
                f"cannot save the trace of run {run_id}: the chain {chain_id} is of {whose}; give it another id"
            )
        self._numbers[chain_id] = number, run_id, kept_id
        return number, kept_id

    def forget(self, run_id: str) -> None:
        """Forget the chains of a run that was deleted."""
        self._numbers = {key: known for key, known in self._numbers.items() if known[1] != run_id}

    def save_chain(self, chain: StoredChain, events: Iterable[TraceRow]) -> int:
        """Make what the store has of a chain exactly this, in one transaction; return how many events were written.

        Events that are there already, from the first on, stay untouched; from the first difference on they are
        replaced.

        Args:
            chain: Its `id` does not matter; a `run_id` of None leaves it with the run that it is of.
            events: Their ids are distinct.

        Raises:
            StoreError: It could not be written, the chain is another run's, there is no such run, or the run was
                claimed by another process.
        """
        with self._database.writing(f"save the chain {chain.chain_id}") as connection:
            if self._database.is_sqlite:
                connection.exec_driver_sql(f"PRAGMA cache_size={_CACHE}")
            number = self._put_head(connection, chain)
            waiting = iter(events)
            kept, first_other, pending = self._compare(connection, number, waiting)
            if first_other is not None:
                gone = delete(_events).where(_events.c.chain == number, _events.c.id >= first_other)
                connection.execute(gone)
            written = self._append(connection, number, itertools.chain(pending, waiting))
            total = kept + written
            connection.execute(update(_chains).where(_chains.c.id == number).values(event_count=total))
        update_index(self._database)
        return written

    def _put_head(self, connection: Connection, chain: StoredChain) -> int:
        """Keep a chain's own row; return its number."""
        values = msgspec.structs.asdict(chain)
        del values["id"], values["archived_at"]
        touch = self._database.upsert(_chains, ["chain_id"], ["chain_id"]).returning(_chains.c.id, _chains.c.run_id)
        known = connection.execute(touch, {**values, "run_id": None}).one()  # made or found, and locked
        run_id = known.run_id or chain.run_id
        if run_id is not None:
            if chain.run_id not in (None, run_id):
                raise StoreError(
                    f"the chain {chain.chain_id} is of run {run_id}, so it cannot be saved as one of run "
                    f"{chain.run_id}; copy it under another id"
                )
            self._check_run(connection, run_id, is_new=known.run_id is None)
        connection.execute(update(_chains).where(_chains.c.id == known.id), {**values, "run_id": run_id})
        return known.id

    def _check_run(self, connection: Connection, run_id: str, *, is_new: bool) -> None:
        runs = tables.runs.c
        if is_new and connection.execute(select(runs.run_id).where(runs.run_id == run_id)).first() is None:
            raise StoreError(unknown_run(connection, run_id, self._database.location))
        self._fence.check_held(connection.connection.cursor(), run_id)

    def _compare(
        self, connection: Connection, number: int, events: Iterator[TraceRow]
    ) -> tuple[int, int | None, list[TraceRow]]:
        """Return how many stored events are as they should be, the id of the first other one, what to go on with."""
        kept = 0
        with contextlib.closing(self._rows(connection, number)) as rows:
            for event_number, row in rows:
                wanted = next(events, None)
                if wanted != row:
                    return kept, event_number, [] if wanted is None else [wanted]
                kept += 1
        return kept, None, []

    def _append(self, connection: Connection, number: int, events: Iterable[TraceRow]) -> int:
        """Write many events, as fast as the database takes them; return how many there were."""
        written = 0
        cursor: Any = connection.connection.cursor()
        with contextlib.nullcontext() if self._database.is_sqlite else cursor.copy(self._copy_events) as copy:
            for batch in _batched(events, _BATCH):
                if copy is None:
                    cursor.executemany(self._add_event, [(number, *event) for event in batch])
                else:
                    for event in batch:
                        copy.write_row((number, *event))
                written += len(batch)
        return written

    def load(self, run_id: str) -> Sequence[StoredChain]:
        """Return the chains of a run, oldest first.

        Args:
            run_id: The run's full id.
        """
        query = select(_chains).where(_chains.c.run_id == run_id).order_by(_chains.c.created_at, _chains.c.chain_id)
        with self._database.reading(f"read the trace of run {run_id}") as connection:
            return [StoredChain(*row) for row in connection.execute(query)]

    def load_chain(self, chain_id: str) -> tuple[StoredChain, list[TraceRow]]:
        """Return a chain and its events, in order.

        Args:
            chain_id: Its id, or the unique beginning of it.

        Raises:
            StoreError: There is no such chain, or several.
        """
        with self._database.reading(f"read the chain {chain_id}") as connection:
            chain = self._found(connection, chain_id)
            return chain, [row for _, row in self._rows(connection, chain.id)]

    def _rows(self, connection: Connection, number: int) -> Generator[tuple[int, TraceRow]]:
        own = select(_events.c.id).where(_events.c.chain == number).order_by(_events.c.id).cte("own")
        own = own.prefix_with(
            "MATERIALIZED"
        )  # numbers first: then SQLite reads the rows in the order in which they lie
        query = select(_events.c.id, *_ROW).join(own, own.c.id == _events.c.id).order_by(own.c.id)
        with contextlib.closing(connection.execute(query, execution_options={"yield_per": _BATCH})) as found:
            for row in found:
                yield row[0], cast("TraceRow", tuple(row[1:]))

    def search_events(self, words: SearchWords, query: EventQuery, limit: int) -> Sequence[FoundRow]:
        """Return the events that have the words, the best first; see `trace_search.search_events`."""
        return search_events(self._database, words, query, limit)

    def select_events(self, condition: Any, query: EventQuery) -> Generator[FoundRow]:
        """Yield the events that fulfil a condition in SQL; see `trace_search.select_events`."""
        return select_events(self._database, condition, query)


def _moment(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")


def _batched(rows: Iterable[TraceRow], size: int) -> Generator[list[TraceRow]]:
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, size)):
        yield batch
