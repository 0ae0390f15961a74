"""Finding a run's row by its id or the beginning of one, and turning it into a `StoredRun`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from crucible.errors import StoreError
from crucible.pipeline.records import Failure, RunStatus
from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.owner import Owner
from crucible.store.records import StoredRun

__all__ = ["find_run", "require_run", "select_runs", "stored_run"]

_runs, _experiments = tables.runs, tables.experiments
_SUGGESTED = 3


def find_run(connection: Connection, run_id: str, location: str, *, lock: bool = False) -> StoredRun:
    """Return the run that has this id or, alone, begins with it.

    Args:
        connection: Inside a transaction.
        run_id: A run's id, or the unique beginning of one.
        location: How the message names the store.
        lock: Whether to keep the row for this transaction (SQLite's writers keep everything anyway).

    Raises:
        StoreError: No run, or more than one, begins so; the message names the latest runs.
    """
    exact = select_runs(run_id).with_for_update(of=_runs) if lock else select_runs(run_id)
    row = connection.execute(exact).one_or_none()
    if row is not None:
        return stored_run(row)
    begins = func.substr(_runs.c.run_id, 1, len(run_id)) == run_id
    found: Sequence[str] = connection.scalars(select(_runs.c.run_id).where(begins).order_by(_runs.c.run_id)).all()
    if not run_id:
        found = ()  # everything begins with nothing
    if len(found) == 1:
        return find_run(connection, found[0], location, lock=lock)
    if found:
        shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise StoreError(f'"{run_id}" fits {len(found)} runs: {shown}; give more of the id')
    raise StoreError(_unknown(connection, run_id, location))


def require_run(connection: Connection, run_id: str, location: str) -> None:
    """Make sure that a run exists.

    Raises:
        StoreError: It does not; the message names the latest runs.
    """
    if connection.execute(select(_runs.c.run_id).where(_runs.c.run_id == run_id)).first() is None:
        raise StoreError(_unknown(connection, run_id, location))


def _unknown(connection: Connection, run_id: str, location: str) -> str:
    latest = connection.scalars(select(_runs.c.run_id).order_by(_runs.c.started_at.desc()).limit(100)).all()
    if not latest:
        return f'there is no run "{run_id}" in {location}: it holds no run yet'
    near = difflib.get_close_matches(run_id, latest, n=1, cutoff=0.8)
    hint = f'did you mean "{near[0]}"?' if near else f"the latest runs are {', '.join(latest[:_SUGGESTED])}"
    return f'there is no run "{run_id}" in {location}; {hint}'


def select_runs(run_id: str | None = None) -> Select[Any]:
    """Return the query for runs with their documents, or for the one of this full id."""
    query = select(_runs, _experiments.c.document_json).join(_experiments)
    return query if run_id is None else query.where(_runs.c.run_id == run_id)


def stored_run(row: Row[Any]) -> StoredRun:
    """Return a row of `select_runs` as a run; one whose process is gone is `interrupted`."""
    owner = Owner(row.owner_pid, row.owner_host, row.owner_started)
    status: RunStatus = row.status
    if status == "running" and not owner.is_alive():
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
        provenance=decode(row.provenance_json),
        experiment=decode(row.document_json),
    )
