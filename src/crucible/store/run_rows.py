"""Finding the rows of runs inside a transaction, and turning them into `StoredRun`s."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from crucible.errors import StoreError
from crucible.pipeline.records import Failure, RunStatus
from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.owner import Owner
from crucible.store.records import StoredRun

__all__ = ["RunRows", "moment_text", "select_runs", "unknown_run"]

_runs, _experiments = tables.runs, tables.experiments
_SUGGESTED = 3


def moment_text(moment: datetime) -> str:
    """Return a moment as it lies in the database, such that texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def select_runs(run_id: str | None = None) -> Select[Any]:
    """Return the query for runs with their documents, or for the one of this full id."""
    query = select(_runs, _experiments.c.document_json).join(_experiments)
    return query if run_id is None else query.where(_runs.c.run_id == run_id)


def unknown_run(connection: Connection, run_id: str, location: str) -> str:
    """Return the sentence about a run that does not exist; it names the one that was probably meant."""
    query = select(_runs.c.run_id).order_by(_runs.c.started_at.desc()).limit(100)
    latest = connection.scalars(query).all()
    if not latest:
        return f'there is no run "{run_id}" in {location}: it holds no run yet'
    near = difflib.get_close_matches(run_id, latest, n=1, cutoff=0.8)
    hint = f'did you mean "{near[0]}"?' if near else f"the latest runs are {', '.join(latest[:_SUGGESTED])}"
    return f'there is no run "{run_id}" in {location}; {hint}'


class RunRows:
    """The rows of runs as they are at one moment.

    Args:
        connection: Inside a transaction.
        location: How messages name the store.
        now: The current time, for leases.
    """

    def __init__(self, connection: Connection, location: str, now: datetime) -> None:
        self._connection = connection
        self._location = location
        self._now = moment_text(now)

    def find(self, run_id: str, *, lock: bool = False) -> StoredRun:
        """Return the run that has this id or, alone, begins with it.

        Args:
            run_id: A run's id, or the unique beginning of one.
            lock: Whether to keep the row for this transaction (SQLite's writers keep everything anyway).

        Raises:
            StoreError: No run, or more than one, begins so; the message names the latest runs.
        """
        exact = select_runs(run_id).with_for_update(of=_runs) if lock else select_runs(run_id)
        row = self._connection.execute(exact).one_or_none()
        if row is not None:
            return self.stored(row)
        begins = func.substr(_runs.c.run_id, 1, len(run_id)) == run_id
        query = select(_runs.c.run_id).where(begins).order_by(_runs.c.run_id)
        found: Sequence[str] = self._connection.scalars(query).all() if run_id else ()  # everything begins with nothing
        if len(found) == 1:
            return self.find(found[0], lock=lock)
        if found:
            shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
            raise StoreError(f'"{run_id}" fits {len(found)} runs: {shown}; give more of the id')
        raise StoreError(unknown_run(self._connection, run_id, self._location))

    def orphans(self, *, lock: bool = False) -> Sequence[StoredRun]:
        """Return the runs that are written down as running and are not any more, the oldest first.

        Args:
            lock: Whether to keep their rows for this transaction, so that nobody renews a lease meanwhile.
        """
        query = select_runs().where(_runs.c.status == "running").order_by(_runs.c.started_at)
        query = query.with_for_update(of=_runs) if lock else query
        return [run for run in self.all(query) if run.status == "interrupted"]

    def all(self, query: Select[Any]) -> Iterable[StoredRun]:
        """Yield the runs of a query made from `select_runs`."""
        return map(self.stored, self._connection.execute(query))

    def stored(self, row: Row[Any]) -> StoredRun:
        """Return a row of `select_runs` as a run; one whose owner is gone is `interrupted`."""
        owner = Owner(row.owner_pid, row.owner_host, row.owner_started)
        status: RunStatus = row.status
        if status == "running" and self._is_orphan(owner, row.lease_expires_at):
            status = "interrupted"
        return StoredRun(
            run_id=row.run_id,
            experiment_id=row.experiment_id,
            status=status,
            started_at=row.started_at,
            finished_at=row.finished_at,
            source=row.source,
            workspace=row.workspace,
            attempt=row.attempt,
            failure=None if row.failure_json is None else msgspec.convert(decode(row.failure_json), Failure),
            owner=owner,
            lease_expires_at=row.lease_expires_at,
            provenance=decode(row.provenance_json),
            experiment=decode(row.document_json),
        )

    def _is_orphan(self, owner: Owner, lease_expires_at: str | None) -> bool:
        fate = owner.fate()
        return fate == "gone" or (fate == "unseen" and (lease_expires_at is None or lease_expires_at < self._now))
