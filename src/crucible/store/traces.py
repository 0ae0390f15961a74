"""Causal chains of runs, as dicts: what an event means is the business of the room `trace`.

Events are appended as they happen. Saving an event again, known by its `id`, replaces it in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import decode, encode, storable
from crucible.store.engine import Database
from crucible.store.fence import Fence
from crucible.store.happened import TraceRow
from crucible.store.records import StoredChain

__all__ = ["TraceRepository"]

_chains, _events = tables.trace_chains, tables.trace_events


class TraceRepository:
    """The traces of a store.

    Args:
        database: The open database.
        fence: Which runs are this process's to write.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, fence: Fence, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._fence = fence
        self._clock = clock
        self._begun: set[tuple[str, str]] = set()  # chains whose row is committed
        self._insert_chain = database.insert_text(_chains, ["run_id", "chain_id"], replace=False)
        self._insert_event = database.insert_text(_events, ["run_id", "chain_id", "event_id"])

    def save_events(self, run_id: str, chain_id: str, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Append events to a chain, which is made if it is new; they survive the death of this process.

        Args:
            run_id: The run's full id.
            chain_id: The chain's id.
            name: The chain's name.
            events: Each with a text `id` that is unique in the chain.

        Raises:
            StoreError: An event has no id, it could not be written, or the run was claimed by another process.
        """
        for event in events:
            if not isinstance(event.get("id"), str):
                raise StoreError(f"an event of the trace {name} has no id, so it cannot be saved: {dict(event)!r:.200}")
        self.save_rows(run_id, chain_id, name, [(event["id"], encode(event)) for event in events])

    def save_rows(self, run_id: str, chain_id: str, name: str, events: Sequence[TraceRow]) -> None:
        """Do what `save_events` does with events that are encoded already.

        Raises:
            StoreError: It could not be written, or the run was claimed by another process.
        """
        with self._database.writer.transaction(f"save the trace of run {run_id}") as cursor:
            self._fence.check_held(cursor, run_id)
            self.put(cursor, run_id, chain_id, name, events)
        self.remember(run_id, chain_id)

    def put(self, cursor: Any, run_id: str, chain_id: str, name: str, events: Sequence[TraceRow]) -> None:
        """Write what `save_events` does inside a transaction of the database's `writer`; then call `remember`."""
        if (run_id, chain_id) not in self._begun:
            now = self._clock().astimezone(UTC).isoformat(timespec="microseconds")
            cursor.execute(self._insert_chain, (run_id, chain_id, storable(name), now))
        cursor.executemany(self._insert_event, [(run_id, chain_id, *event) for event in events])

    def remember(self, run_id: str, chain_id: str) -> None:
        """Take it that a chain's row was committed."""
        self._begun.add((run_id, chain_id))

    def forget(self, run_id: str) -> None:
        """Forget the chains of a run that was deleted."""
        self._begun = {key for key in self._begun if key[0] != run_id}

    def load(self, run_id: str) -> list[StoredChain]:
        """Return the chains of a run, oldest first: one for every time it was started or resumed.

        Args:
            run_id: The run's full id.
        """
        chains = select(_chains).where(_chains.c.run_id == run_id)
        events = select(_events).where(_events.c.run_id == run_id).order_by(_events.c.id)
        with self._database.reading(f"read the trace of run {run_id}") as connection:
            found = {
                row.chain_id: StoredChain(row.chain_id, row.name, row.created_at, [])
                for row in connection.execute(chains.order_by(_chains.c.created_at, _chains.c.chain_id))
            }
            for row in connection.execute(events):
                found[row.chain_id].events.append(decode(row.document_json))
        return list(found.values())
