"""Runs: what is kept of each, who owns it, and how two of them differ. Satisfies `pipeline.RunRecorder`.

A run belongs to the process that started or resumed it. When that process is gone and the run was not finished, the run
is shown as `interrupted`, and may be claimed by another process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, update

from crucible.errors import StoreError
from crucible.pipeline.records import ContextDelta, Failure, Resume, RunInfo, RunStatus, StageRecord
from crucible.store import tables
from crucible.store.codec import encode
from crucible.store.difference import differences
from crucible.store.engine import Database
from crucible.store.lookup import find_run, require_run, select_runs, stored_run
from crucible.store.owner import Owner, current_owner
from crucible.store.records import RunComparison, StoredRun
from crucible.store.stages import StageRows

__all__ = ["RunRepository"]

_runs, _experiments = tables.runs, tables.experiments


class RunRepository:
    """The runs of a store.

    Args:
        database: The open database.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    # --- written by the runner ---

    def run_started(self, run: RunInfo) -> None:
        """Keep a run that starts; one that this process claimed for resuming simply goes on.

        Raises:
            StoreError: Another run has this id, or it could not be written.
        """
        document = json.dumps(run.experiment, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(document.encode()).hexdigest()
        now, owner = self._now(), current_owner()
        experiment = {
            "sha256": digest,
            "experiment_id": run.experiment_id,
            "document_json": encode(run.experiment),
            "first_seen_at": now,
        }
        row = {
            "run_id": run.run_id,
            "experiment_id": run.experiment_id,
            "experiment_sha256": digest,
            "source": run.source,
            "workspace": run.workspace,
            "provenance_json": encode(run.provenance),
            "status": "running",
            "started_at": now,
            "attempt": 1,
            "owner_pid": owner.pid,
            "owner_host": owner.host,
            "owner_started": owner.started,
        }
        with self._database.writing(f"save the start of run {run.run_id}") as connection:
            known = connection.execute(select_runs(run.run_id)).one_or_none()
            if known is not None:
                self._refuse_other(stored_run(known), owner)
                moved = update(_runs).where(_runs.c.run_id == run.run_id)
                connection.execute(moved, {"workspace": run.workspace})
                return
            connection.execute(self._database.upsert(_experiments, ["sha256"], replace=False), experiment)
            connection.execute(_runs.insert(), row)

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep a stage that starts.

        Raises:
            StoreError: There is no such run, or it could not be written.
        """
        with self._database.writing(f"save the start of stage {record.name} of run {run_id}") as connection:
            require_run(connection, run_id, self._database.location)
            StageRows(self._database, connection, run_id).save(record)

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep a stage that ended or was skipped and, if it is `ok`, what it added to the context: all or nothing.

        Raises:
            StoreError: There is no such run, or it could not be written.
        """
        with self._database.writing(f"save the end of stage {record.name} of run {run_id}") as connection:
            require_run(connection, run_id, self._database.location)
            rows = StageRows(self._database, connection, run_id)
            rows.save(record)
            if record.status == "ok":
                rows.save_delta(record, delta)

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep how the run ended.

        Raises:
            StoreError: There is no such run, or it could not be written.
        """
        ending = {
            "status": status,
            "finished_at": self._now(),
            "failure_json": None if failure is None else encode(failure),
        }
        with self._database.writing(f"save the end of run {run_id}") as connection:
            require_run(connection, run_id, self._database.location)
            connection.execute(update(_runs).where(_runs.c.run_id == run_id), ending)

    # --- read by everybody ---

    def run(self, run_id: str) -> StoredRun:
        """Return a run.

        Args:
            run_id: Its id, or the unique beginning of one.

        Raises:
            StoreError: No run, or more than one, begins so; the message names the latest runs.
        """
        with self._database.reading("read a run") as connection:
            return find_run(connection, run_id, self._database.location)

    def list(self, *, limit: int | None = None, experiment_id: str | None = None) -> Sequence[StoredRun]:
        """Return runs, the latest first.

        Args:
            limit: At most so many; None for all.
            experiment_id: Only runs of this experiment.
        """
        query = select_runs().order_by(_runs.c.started_at.desc(), _runs.c.run_id.desc()).limit(limit)
        if experiment_id is not None:
            query = query.where(_runs.c.experiment_id == experiment_id)
        with self._database.reading("list runs") as connection:
            return [stored_run(row) for row in connection.execute(query)]

    def stages(self, run_id: str, *, all_attempts: bool = False) -> Sequence[StageRecord]:
        """Return what became of a run's stages, in pipeline order.

        Args:
            run_id: The run's id, or the unique beginning of one.
            all_attempts: Every attempt at a stage, not the last alone.
        """
        with self._database.reading("read the stages of a run") as connection:
            run = find_run(connection, run_id, self._database.location)
            records = StageRows(self._database, connection, run.run_id).load()
        return records if all_attempts else _last_attempts(records)

    def snapshot(self, run_id: str) -> ContextDelta:
        """Return the persistent context after the last completed stage: metrics, outputs, artifacts, assigns.

        Args:
            run_id: The run's id, or the unique beginning of one.
        """
        with self._database.reading("read the context of a run") as connection:
            run = find_run(connection, run_id, self._database.location)
            return StageRows(self._database, connection, run.run_id).snapshot()

    def resume_state(self, run_id: str) -> Resume:
        """Return where a run stands, as the runner needs it to go on.

        Args:
            run_id: The run's id, or the unique beginning of one.
        """
        with self._database.reading("read where a run stands") as connection:
            run = find_run(connection, run_id, self._database.location)
            rows = StageRows(self._database, connection, run.run_id)
            records, snapshot = rows.load(), rows.snapshot()
        return Resume(
            snapshot=snapshot,
            completed={record.index: record for record in records if record.status == "ok"},
            attempts={record.index: record.attempt for record in records},  # ordered: the last one stays
        )

    def compare(self, a: str, b: str) -> RunComparison:
        """Return how two runs differ in document, metrics and stages.

        Args:
            a: Id of the first run, or the unique beginning of one.
            b: Id of the second run, or the unique beginning of one.
        """
        with self._database.reading("compare two runs") as connection:
            runs = [find_run(connection, run_id, self._database.location) for run_id in (a, b)]
            rows = [StageRows(self._database, connection, run.run_id) for run in runs]
            metrics_a, metrics_b = (row.snapshot().metrics for row in rows)
            stages_a, stages_b = ([_comparable(record) for record in _last_attempts(row.load())] for row in rows)
        return RunComparison(
            a=runs[0].run_id,
            b=runs[1].run_id,
            experiment=list(differences(runs[0].experiment, runs[1].experiment)),
            metrics=list(differences(metrics_a, metrics_b)),
            stages=list(differences(stages_a, stages_b)),
        )

    # --- ownership ---

    def claim_for_resume(self, run_id: str, *, force: bool = False) -> StoredRun:
        """Make this process the owner of a run that failed, was cancelled, or whose process died.

        Args:
            run_id: The run's id, or the unique beginning of one.
            force: Claim it also from a process that seems to live, such as one on a machine that is gone.

        Raises:
            StoreError: There is no such run, it is completed, or it still runs in a living process.
        """
        with self._database.writing("claim a run for resuming") as connection:
            run = find_run(connection, run_id, self._database.location, lock=True)
            if run.status == "completed":
                raise StoreError(
                    f"run {run.run_id} is completed, so there is nothing to resume; start a new run instead"
                )
            if run.status == "running" and not force:
                raise StoreError(
                    f"run {run.run_id} is still running (process {run.owner.pid} on {run.owner.host}); "
                    "wait for it, or stop that process first"
                )
            self._close_stages(connection, run)
            owner = current_owner()
            change = {
                "status": "running",
                "finished_at": None,
                "failure_json": None,
                "attempt": run.attempt + 1,
                "owner_pid": owner.pid,
                "owner_host": owner.host,
                "owner_started": owner.started,
            }
            connection.execute(update(_runs).where(_runs.c.run_id == run.run_id), change)
            return find_run(connection, run.run_id, self._database.location)

    def mark_orphans(self) -> Sequence[str]:
        """Write down as `interrupted` every run whose process died; returns their ids.

        Reading a run shows it so anyway; writing it down lets other machines see it too.
        """
        with self._database.reading("look for interrupted runs") as connection:
            if not _orphans(connection):
                return []
        with self._database.writing("mark interrupted runs") as connection:
            orphans = _orphans(connection)  # again: somebody may have claimed one
            for run in orphans:
                self._close_stages(connection, run)
                connection.execute(update(_runs).where(_runs.c.run_id == run.run_id), {"status": "interrupted"})
        return [run.run_id for run in orphans]

    # --- inside ---

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds")

    def _close_stages(self, connection: Connection, run: StoredRun) -> None:
        reason = f"its process ({run.owner.pid} on {run.owner.host}) ended before the stage did"
        StageRows(self._database, connection, run.run_id).close_running(reason)

    def _refuse_other(self, known: StoredRun, owner: Owner) -> None:
        if known.status != "running" or known.owner != owner or known.attempt == 1:
            raise StoreError(
                f"run {known.run_id} exists already ({known.status}); start a new run without giving its id, "
                f"or go on with it by `crucible resume {known.run_id}`"
            )


def _orphans(connection: Connection) -> Sequence[StoredRun]:
    query = select_runs().where(_runs.c.status == "running").order_by(_runs.c.started_at)
    return [run for run in map(stored_run, connection.execute(query)) if run.status == "interrupted"]


def _last_attempts(records: Sequence[StageRecord]) -> Sequence[StageRecord]:
    return list({record.index: record for record in records}.values())  # ordered by attempt: the last one stays


def _comparable(record: StageRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "status": record.status,
        "reason": record.reason,
        "attempt": record.attempt,
        "duration_ns": record.duration_ns,
    }
