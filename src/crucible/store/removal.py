"""Removing runs: one by name, or what a rule no longer keeps, with everything that belongs to them.

Rows go first, in one transaction a run; files after. A process killed in between leaves a folder without a run, which
the next `gc` finds. A run that still goes on is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, select, union

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.parts import PartOfRuns
from crucible.store.records import StoredRun
from crucible.store.run_rows import moment_text, select_runs
from crucible.store.workspaces import folder_bytes, remove_workspace

__all__ = ["Collected", "CollectedRun", "RunRemoval"]

_runs, _experiments, _workspaces = tables.runs, tables.experiments, tables.workspaces
_GRACE = timedelta(hours=1)  # what belongs to no run may belong to one that is about to start


class CollectedRun(msgspec.Struct, frozen=True):
    """A run that `gc` removed, or would remove.

    Args:
        run_id: Its id.
        experiment_id: The experiment's id.
        status: How it stood.
        started_at: ISO 8601 UTC.
        size_bytes: Bytes of its files; the rows are not counted.
    """

    run_id: str
    experiment_id: str
    status: str
    started_at: str
    size_bytes: int


class Collected(msgspec.Struct, frozen=True):
    """What `gc` removed or, on a dry run, would remove.

    Args:
        dry_run: Whether nothing was removed.
        runs: Runs with all that belongs to them, the oldest first.
        folders: Folders that were made for runs which never started or were deleted, by run id, with their bytes.
        dangling: Ids under which telemetry or traces lie for which there is no run.
        experiments: How many documents no run uses any more.
        size_bytes: Bytes of files in all.
    """

    dry_run: bool
    runs: tuple[CollectedRun, ...]
    folders: dict[str, int]
    dangling: tuple[str, ...]
    experiments: int
    size_bytes: int


class RunRemoval(PartOfRuns):
    """The part of the run repository that removes."""

    def delete(self, run_id: str) -> None:
        """Remove a run with its stages, telemetry, trace, reports and files.

        Args:
            run_id: The run's id, or the unique beginning of one.

        Raises:
            StoreError: There is no such run, it still goes on, or something could not be removed.
        """
        with self._database.writing("delete a run") as connection:
            run = self._parts.run_rows(connection).find(run_id, lock=True)
            if run.status == "running":
                raise StoreError(
                    f"run {run.run_id} is still running (process {run.owner.pid} on {run.owner.host}), so it is not "
                    "deleted; wait for it, or stop that process first"
                )
            _delete_rows(connection, run.run_id)
            connection.execute(delete(_runs).where(_runs.c.run_id == run.run_id))
            connection.execute(delete(_experiments).where(~_experiments.c.sha256.in_(_used())))
        self._parts.telemetry.forget(run.run_id)
        self._parts.traces.forget(run.run_id)
        remove_workspace(self._database, self._parts.artifacts_dir, run.run_id)

    def gc(
        self, *, older_than: timedelta | None = None, keep_last: int | None = None, dry_run: bool = True
    ) -> Collected:
        """Remove runs that are not kept any more, and what belongs to no run; runs that still go on are never touched.

        Args:
            older_than: Remove runs that started longer ago than this; None: age does not matter.
            keep_last: Keep so many of the latest runs, whatever their age; None: none is kept for being late. With
                neither of the two, no run is removed.
            dry_run: Only say what would go.

        Raises:
            StoreError: Something could not be read or removed; what was removed before stays removed.
        """
        now = self._parts.clock()
        with self._parts.reading_runs("look for what can go") as (connection, rows):
            latest_first = list(rows.all(select_runs().order_by(_runs.c.started_at.desc(), _runs.c.run_id.desc())))
            folders, dangling = self._left_over(connection, now)
            going = _going(latest_first, keep_last, None if older_than is None else moment_text(now - older_than))
            staying = {run.run_id for run in latest_first} - {run.run_id for run in going}
            experiments = _unused(connection, staying)
        found = Collected(
            dry_run=dry_run,
            runs=tuple(self._measured(run) for run in reversed(going)),
            folders=folders,
            dangling=tuple(dangling),
            experiments=experiments,
            size_bytes=0,
        )
        found = msgspec.structs.replace(
            found, size_bytes=sum(run.size_bytes for run in found.runs) + sum(folders.values())
        )
        if not dry_run:
            self._collect(found)
        return found

    def _collect(self, found: Collected) -> None:
        for run in found.runs:
            self.delete(run.run_id)
        for run_id in found.folders:
            remove_workspace(self._database, self._parts.artifacts_dir, run_id)
        with self._database.writing("remove what belongs to no run") as connection:
            for run_id in found.dangling:
                _delete_rows(connection, run_id)
            connection.execute(delete(_experiments).where(~_experiments.c.sha256.in_(_used())))

    def _left_over(self, connection: Connection, now: datetime) -> tuple[dict[str, int], Sequence[str]]:
        """Return folders without a run that lie here, and ids of telemetry and traces without a run."""
        known = select(_runs.c.run_id)
        made = select(_workspaces.c.run_id).where(
            ~_workspaces.c.run_id.in_(known), _workspaces.c.made_at < moment_text(now - _GRACE)
        )
        folders = {
            run_id: folder_bytes(self._parts.artifacts_dir / run_id)
            for run_id in connection.scalars(made.order_by(_workspaces.c.run_id))
            if (self._parts.artifacts_dir / run_id).is_dir()
        }
        return folders, _dangling(connection, now - _GRACE)

    def _measured(self, run: StoredRun) -> CollectedRun:
        size_bytes = folder_bytes(self._parts.artifacts_dir / run.run_id)
        return CollectedRun(run.run_id, run.experiment_id, run.status, run.started_at, size_bytes)


_RECORDED = (tables.telemetry_events, tables.telemetry_series, tables.trace_chains)


def _going(latest_first: Sequence[StoredRun], keep_last: int | None, before: str | None) -> list[StoredRun]:
    if keep_last is None and before is None:
        return []
    candidates = latest_first[keep_last or 0 :]
    return [run for run in candidates if run.status != "running" and (before is None or run.started_at < before)]


def _delete_rows(connection: Connection, run_id: str) -> None:
    """Delete what has no foreign key to the run's row; the rest goes with that row."""
    for table in _RECORDED:
        connection.execute(delete(table).where(table.c.run_id == run_id))


def _dangling(connection: Connection, before: datetime) -> list[str]:
    """Return the ids without a run under which telemetry or traces lie, none of it from `before` or later."""
    events, points, chains = tables.telemetry_events.c, tables.telemetry_points.c, tables.trace_chains.c
    known = union(select(_runs.c.run_id), select(tables.telemetry_experiments.c.id))
    recorded = union(*(select(table.c.run_id).where(~table.c.run_id.in_(known)) for table in _RECORDED))
    before_ns = int(before.timestamp()) * 1_000_000_000
    measured = select(tables.telemetry_series.c.run_id).join(tables.telemetry_points)
    packed = select(tables.telemetry_series.c.run_id).join(tables.telemetry_segments)
    late = union(
        select(events.run_id).where(events.timestamp_ns >= before_ns),
        measured.where(points.timestamp_ns >= before_ns),
        packed.where(tables.telemetry_segments.c.written_ns >= before_ns),
        select(chains.run_id).where(chains.created_at >= moment_text(before)),
    )
    return sorted(set(connection.scalars(recorded)) - set(connection.scalars(late)))


def _used() -> Select[Any]:
    return select(_runs.c.experiment_sha256)


def _unused(connection: Connection, staying: set[str]) -> int:
    """Return how many documents no run uses but those that go."""
    total = connection.scalar(select(func.count()).select_from(_experiments)) or 0
    rows = connection.execute(select(_runs.c.run_id, _runs.c.experiment_sha256))
    return total - len({row.experiment_sha256 for row in rows if row.run_id in staying})
