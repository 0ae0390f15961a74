"""Who works on a run: leases, claims for resuming, and runs whose process died.

A run belongs to the process that started or resumed it. When that process is gone, or cannot be seen from here and let
its lease run out, the run is shown as `interrupted` and may be claimed by another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, select, update

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.owner import current_owner
from crucible.store.parts import PartOfRuns
from crucible.store.records import StoredRun
from crucible.store.stage_rows import StageRows

__all__ = ["LeaseState", "RunOwnership"]

LeaseState = Literal["renewed", "lost"]
_runs = tables.runs


class RunOwnership(PartOfRuns):
    """The part of the run repository that says whose a run is."""

    @property
    def lease_s(self) -> float:
        """How long a lease lasts, in seconds."""
        return self._parts.lease_s

    def renew_lease(self, run_id: str) -> LeaseState:
        """Say that this process still works on a run; takes back what was only marked as interrupted.

        Args:
            run_id: The run's full id; it was started or claimed through this store.

        Returns:
            `lost` if another process claimed the run, or it is gone: then this one must stop.

        Raises:
            StoreError: It could not be written; the run is not lost by that.
        """
        mine = (_runs.c.run_id == run_id) & (_runs.c.attempt == self._parts.fence.held(run_id))
        living = mine & _runs.c.status.in_(("running", "interrupted"))
        change = {"lease_expires_at": self._parts.lease_end(), "status": "running"}
        with self._database.writing(f"renew the lease of run {run_id}", synced=False) as connection:
            renewed = connection.execute(update(_runs).where(living), change).rowcount
        return "renewed" if renewed else "lost"

    def claim_for_resume(self, run_id: str, *, force: bool = False) -> StoredRun:
        """Make this process the owner of a run that failed, was cancelled, or whose process died.

        From then on the earlier owner can write nothing more for it, should it still live.

        Args:
            run_id: The run's id, or the unique beginning of one.
            force: Claim it also from a process that seems to live, such as one on a machine that is gone.

        Raises:
            StoreError: There is no such run, it is completed, or it still runs in a living process.
        """
        with self._database.writing("claim a run for resuming") as connection:
            rows = self._parts.run_rows(connection)
            run = rows.find(run_id, lock=True)
            if run.status == "completed":
                raise StoreError(
                    f"run {run.run_id} is completed, so there is nothing to resume; start a new run instead"
                )
            if run.status == "running" and not force:
                raise StoreError(
                    f"run {run.run_id} is still running (process {run.owner.pid} on {run.owner.host}); "
                    "wait for it, or stop that process first"
                )
            stood = connection.execute(
                select(_runs.c.finished_at, _runs.c.failure_json).where(_runs.c.run_id == run.run_id)
            ).one()
            status = "interrupted" if run.status == "running" else run.status  # whoever was forced out is shut out
            before = {"status": status, "finished_at": stood.finished_at, "failure_json": stood.failure_json}
            _close_stages(connection, run)
            owner = current_owner()
            change = {
                "status": "running",
                "finished_at": None,
                "failure_json": None,
                "attempt": run.attempt + 1,
                "owner_pid": owner.pid,
                "owner_host": owner.host,
                "owner_started": owner.started,
                "lease_expires_at": self._parts.lease_end(),
            }
            connection.execute(update(_runs).where(_runs.c.run_id == run.run_id), change)
            claimed = rows.find(run.run_id)
        self._parts.fence.hold(claimed.run_id, claimed.attempt, before)
        return claimed

    def give_back(self, run_id: str) -> bool:
        """Give a claim back whose run never began: the run stands as it did, and may be claimed again.

        The number of its attempt is used up, so that an earlier owner stays shut out.

        Args:
            run_id: The run's full id.

        Returns:
            Whether there was such a claim; what began, or was never claimed through this store, is left alone.

        Raises:
            StoreError: It could not be written; the run then counts as running until this process ends.
        """
        fence = self._parts.fence
        before = fence.claim(run_id)
        if before is None:
            return False
        mine = (_runs.c.run_id == run_id) & (_runs.c.attempt == fence.held(run_id))
        with self._database.writing(f"give back the claim of run {run_id}") as connection:
            connection.execute(update(_runs).where(mine), dict(before))
        fence.leave(run_id)
        return True

    def mark_orphans(self) -> Sequence[str]:
        """Write down as `interrupted` every run whose process died or let its lease run out; returns their ids.

        Reading a run shows it so anyway; writing it down lets other machines see it too.
        """
        with self._parts.reading_runs("look for interrupted runs") as (_, rows):
            if not rows.orphans():
                return []
        with self._database.writing("mark interrupted runs") as connection:
            orphans = self._parts.run_rows(connection).orphans(lock=True)  # again: somebody may have claimed one
            for run in orphans:
                _close_stages(connection, run)
                connection.execute(update(_runs).where(_runs.c.run_id == run.run_id), {"status": "interrupted"})
        return [run.run_id for run in orphans]


def _close_stages(connection: Connection, run: StoredRun) -> None:
    reason = f"its process ({run.owner.pid} on {run.owner.host}) ended before the stage did"
    StageRows(connection, run.run_id).close_running(reason)
