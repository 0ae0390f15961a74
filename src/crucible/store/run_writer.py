"""What the runner writes of a run as it goes on; satisfies `pipeline.RunRecorder`.

A run's start and end are state changes and synced; a stage's start and end are small transactions of the database's
`writer`, which survive the death of the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Generator
from typing import Any

from sqlalchemy import update

from crucible.errors import StoreError
from crucible.pipeline.records import ContextDelta, Failure, RunInfo, RunStatus, StageRecord
from crucible.store import tables
from crucible.store.codec import encode
from crucible.store.happened import Happened
from crucible.store.owner import current_owner
from crucible.store.parts import PartOfRuns, Parts
from crucible.store.records import StoredRun
from crucible.store.run_rows import select_runs
from crucible.store.stage_rows import StageRows
from crucible.store.stage_writer import StageWriter

__all__ = ["RunWriter"]

_runs, _experiments = tables.runs, tables.experiments
_NOTHING = Happened()


class RunWriter(PartOfRuns):
    """The writing side of the run repository.

    Args:
        parts: The open store's parts.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._stage_writer = StageWriter(parts.database)

    def run_started(self, run: RunInfo) -> None:
        """Keep a run that starts; one that was claimed for resuming through this store simply goes on, once.

        Raises:
            StoreError: Another run has this id, also one of this process, or it could not be written; then the run that
                has the id is as it was.
        """
        document = json.dumps(run.experiment, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(document.encode("utf-8", "backslashreplace")).hexdigest()
        now, owner = self._parts.now(), current_owner()
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
            "lease_expires_at": self._parts.lease_end(),
        }
        with self._database.writing(f"save the start of run {run.run_id}") as connection:
            known = connection.execute(select_runs(run.run_id)).one_or_none()
            if known is None:
                known_document = self._database.upsert(_experiments, ["sha256"], ["experiment_id"])
                connection.execute(known_document, experiment)  # touches the row, so that no `gc` takes it meanwhile
                connection.execute(_runs.insert(), row)
            else:
                self._refuse_other(self._parts.run_rows(connection).stored(known))
                moved = update(_runs).where(_runs.c.run_id == run.run_id)
                connection.execute(moved, {"workspace": run.workspace})
        if known is None:
            self._parts.fence.hold(run.run_id, 1)
        self._parts.fence.begin(run.run_id)

    def stage_started(self, run_id: str, record: StageRecord, happened: Happened = _NOTHING) -> None:
        """Keep a stage that starts.

        Args:
            run_id: The run's full id.
            record: How it starts.
            happened: Telemetry and trace of this run to be kept with it.

        Raises:
            StoreError: There is no such run, it is not this store's to write, or it could not be written.
        """
        doing = f"save the start of stage {record.name} of run {run_id}"
        with self._stage_transaction(doing, run_id, happened) as cursor:
            self._stage_writer.save(cursor, run_id, record)

    def stage_finished(
        self, run_id: str, record: StageRecord, delta: ContextDelta, happened: Happened = _NOTHING
    ) -> None:
        """Keep a stage that ended or was skipped and, if it is `ok`, what it added to the context: all or nothing.

        Args:
            run_id: The run's full id.
            record: How it ended.
            delta: What it added.
            happened: Telemetry and trace of this run to be kept with it.

        Raises:
            StoreError: There is no such run, it is not this store's to write, or it could not be written.
        """
        doing = f"save the end of stage {record.name} of run {run_id}"
        with self._stage_transaction(doing, run_id, happened) as cursor:
            self._stage_writer.save(cursor, run_id, record)
            if record.status == "ok":
                self._stage_writer.save_delta(cursor, run_id, record, delta)

    @contextlib.contextmanager
    def _stage_transaction(self, doing: str, run_id: str, happened: Happened) -> Generator[Any]:
        fresh = None
        with self._database.writer.transaction(doing) as cursor:
            self._parts.fence.check(cursor, run_id)
            if happened.events or happened.points:
                fresh = self._parts.telemetry.put(cursor, happened.events, happened.points)
            if happened.trace:
                self._parts.traces.put(
                    cursor,
                    run_id,
                    happened.chain_id,
                    happened.chain_name,
                    happened.trace,
                    integrity_json=happened.integrity_json,
                )
            yield cursor
        if fresh:
            self._parts.telemetry.remember(fresh)

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep how the run ended; a stage whose end could not be kept is written down as cancelled.

        Raises:
            StoreError: There is no such run, it is not this store's to write, or it could not be written.
        """
        ending = {
            "status": status,
            "finished_at": self._parts.now(),
            "failure_json": None if failure is None else encode(failure),
        }
        with self._database.writing(f"save the end of run {run_id}") as connection:
            self._parts.fence.check(connection.connection.cursor(), run_id)
            reason = f"the run ended ({status}) before the end of this stage was recorded"
            StageRows(connection, run_id).close_running(reason)
            connection.execute(update(_runs).where(_runs.c.run_id == run_id), ending)

    def _refuse_other(self, known: StoredRun) -> None:
        fence = self._parts.fence
        if fence.claim(known.run_id) is None or fence.held(known.run_id) != known.attempt:
            raise StoreError(
                f"run {known.run_id} exists already ({known.status}); start a new run without giving its id, "
                f"or go on with it by `crucible resume {known.run_id}`"
            )
