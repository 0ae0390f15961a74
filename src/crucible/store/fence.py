"""The fence: an open store writes for the attempt at a run that it started or claimed, and for no other one.

A process that was paused (a laptop that slept, a container that was frozen) may wake up after its lease ended and
another process claimed the run. Every write for a run looks, in its own transaction, whether the attempt is still the
one it holds, so that what the two write never mixes. The same holds inside
one process: a second use of an id is refused, and writes nothing for the run that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.owner import Owner, current_owner
from crucible.store.run_rows import unknown_run

__all__ = ["Fence"]


class Fence:
    """The attempts at runs that one open store writes for.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, int] = {}
        self._claims: dict[str, Mapping[str, Any]] = {}  # claimed and not begun: what a claim changed
        columns = "attempt, owner_pid, owner_host, owner_started"
        lock = "" if database.is_sqlite else " FOR SHARE"  # a claim waits until this transaction has ended
        self._look = database.text(f"SELECT {columns} FROM {tables.runs.name} WHERE run_id = ?{lock}")  # noqa: S608  # our own names

    def hold(self, run_id: str, attempt: int, before: Mapping[str, Any] | None = None) -> None:
        """Write for this attempt from now on.

        Args:
            run_id: The run's full id.
            attempt: The attempt at it.
            before: Of a claim, what gives it back until the attempt begins: values by column; None for a start.
        """
        self._held[run_id] = attempt
        if before is not None:
            self._claims[run_id] = before

    def claim(self, run_id: str) -> Mapping[str, Any] | None:
        """Return what gives back a claim whose attempt has not begun; None if there is no such claim here."""
        return self._claims.get(run_id)

    def begin(self, run_id: str) -> None:
        """Take it that the attempt that was started or claimed here has begun."""
        self._claims.pop(run_id, None)

    def leave(self, run_id: str) -> None:
        """Write no more for a run."""
        self._claims.pop(run_id, None)
        self._held.pop(run_id, None)

    def held(self, run_id: str) -> int | None:
        """Return the attempt that is written for; None for a run that was neither started nor claimed here."""
        return self._held.get(run_id)

    def check(self, cursor: Any, run_id: str) -> None:
        """Make sure, inside a transaction, that a run is still this opening's to write.

        Raises:
            StoreError: There is no such run, another process claimed it, or it was never started or claimed here.
        """
        cursor.execute(self._look, (run_id,))
        row = cursor.fetchone()
        if row is None:
            with self._database.reading("look for a run") as connection:
                raise StoreError(unknown_run(connection, run_id, self._database.location))
        attempt, owner = row[0], row[1:]
        held = self._held.get(run_id)
        if held == attempt:
            return
        raise StoreError(_lost(run_id, held, attempt, Owner(*owner)))

    def check_held(self, cursor: Any, run_id: str) -> None:
        """Do what `check` does for a run that was started or claimed here; what has no such run may be written."""
        if run_id in self._held:
            self.check(cursor, run_id)


def _lost(run_id: str, held: int | None, attempt: int, other: Owner) -> str:
    who = f"process {other.pid} on {other.host}"
    if held is None:
        whose = "another run of this process, which used its id first" if other == current_owner() else who
        return f"run {run_id} belongs to {whose}; only who started or resumed a run writes for it"
    return (
        f"run {run_id} was taken over by {who} (attempt {attempt}) while this process (attempt {held}) was paused or "
        f"cut off for longer than its lease; nothing more is written here, see `crucible runs show {run_id}`"
    )
