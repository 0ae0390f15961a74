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
from crucible.store.codec import decode, encode
from crucible.store.engine import Database
from crucible.store.records import StoredChain

__all__ = ["TraceRepository"]

_chains, _events = tables.trace_chains, tables.trace_events


class TraceRepository:
    """The traces of a store.

    Args:
        database: The open database.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def save_events(self, run_id: str, chain_id: str, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Append events to a chain, which is made if it is new; durable when it returns.

        Args:
            run_id: The run's full id.
            chain_id: The chain's id.
            name: The chain's name.
            events: Each with a text `id` that is unique in the chain.

        Raises:
            StoreError: An event has no id, or it could not be written.
        """
        for event in events:
            if not isinstance(event.get("id"), str):
                raise StoreError(f"an event of the trace {name} has no id, so it cannot be saved: {dict(event)!r:.200}")
        chain = {
            "run_id": run_id,
            "chain_id": chain_id,
            "name": name,
            "created_at": self._clock().astimezone(UTC).isoformat(timespec="microseconds"),
        }
        with self._database.writing(f"save the trace of run {run_id}") as connection:
            connection.execute(self._database.upsert(_chains, ["run_id", "chain_id"], replace=False), chain)
            statement = self._database.upsert(_events, ["run_id", "chain_id", "event_id"])
            for event in events:
                row = {"run_id": run_id, "chain_id": chain_id, "event_id": event["id"], "document_json": encode(event)}
                connection.execute(statement, row)

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
