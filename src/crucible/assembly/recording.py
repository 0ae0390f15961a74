"""One recorder for a run: its records, its telemetry and its trace, durable together.

Each start and end of a stage is one transaction with all that happened until then: what the run's record says is there,
is there.
While the run goes on, a heartbeat renews its lease.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from pathlib import Path

from crucible.assembly.run_trace import RunTrace, TraceTerms
from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, Failure, RunInfo, RunStatus, StageRecord
from crucible.pipeline.records import failure_of
from crucible.store import Happened, Heartbeat, Store
from crucible.telemetry import Recorder

__all__ = ["RunRecording"]

_KEPT = TraceTerms()


class RunRecording:
    """Keeps one run in a store; satisfies `pipeline.RunRecorder`.

    Args:
        store: Where to keep it.
        run_id: The run; an earlier attempt's trace is continued.
        name: The trace's name, such as the experiment's id.
        workspace: Folder of the run's files; the whole chain is left there as `trace.json`.
        trace: Whether the causal trace is kept, too, and sealed.
        on_failure: Called once, on whatever thread noticed, when in the middle of a stage telemetry could not be
            written, or another process had taken the run over: the chance to cancel the run at once. The next call of
            this recording raises anyway.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        name: str,
        workspace: Path,
        *,
        trace: TraceTerms = _KEPT,
        on_failure: Callable[[StoreError], None] | None = None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._name = name
        self._workspace = workspace
        self._on_failure = on_failure
        self._told = threading.Lock()  # taken for good by the first failure
        self._failure: StoreError | None = None
        self._recorder = Recorder(store, run_id, on_failure=self._fail)
        self._trace = RunTrace(store, run_id, name, trace) if trace.is_kept else None
        self._heartbeat = Heartbeat(store.runs, run_id, on_lost=self._fail)
        self._has_started = False
        self._start_error: BaseException | None = None

    @property
    def failure(self) -> StoreError | None:
        """What went wrong in the middle of a stage, None while nothing did."""
        return self._failure

    @property
    def has_started(self) -> bool:
        """Whether the run's start is in the store."""
        return self._has_started

    @property
    def start_error(self) -> BaseException | None:
        """Why the run could not start, None if it could, or did not try yet."""
        return self._start_error

    def run_started(self, run: RunInfo) -> None:
        """Keep the run and begin to listen; runs whose process died are marked as interrupted.

        Raises:
            StoreError: The start could not be kept, or another run has this id: nothing is kept then, nor later.
        """
        try:
            self._store.runs.mark_orphans()
            self._store.runs.run_started(run)
            self._has_started = True
            self._listen()
        except BaseException as error:
            self._start_error = error
            if self._has_started:  # its row is there, and nobody else will end it
                failure = failure_of(error) if isinstance(error, Exception) else None
                self._store.runs.run_finished(run.run_id, "failed" if failure else "cancelled", failure)
            raise

    def _listen(self) -> None:
        self._heartbeat.start()
        self._recorder.start()
        if self._trace is not None:
            self._trace.start()

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep a stage that starts, with the telemetry and trace of what was before: all of it or nothing."""
        with self._happened() as happened:
            self._store.runs.stage_started(run_id, record, happened)

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep a stage's end with its telemetry and trace: all of it or nothing."""
        with self._happened() as happened:
            self._store.runs.stage_finished(run_id, record, delta, happened)
        self._raise_if_missed()

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep the rest, then the run's end; a lost record is raised after the run's end was tried.

        Of a run that did not start nothing is kept: its id may be another run's.
        """
        if not self._has_started or self._start_error is not None:
            return
        try:
            self._recorder.flush()
            if self._trace is not None:
                self._trace.finish(self._workspace)
            self._raise_if_missed()
        finally:
            self._heartbeat.stop()  # the lease lasts long enough for what is left
            if self._failure is not None and status == "cancelled":  # by us, because nothing could be kept any more
                status, failure = "failed", failure_of(self._failure)
            self._store.runs.run_finished(run_id, status, failure)

    def close(self) -> None:
        """Stop listening, whatever happened."""
        self._heartbeat.stop()
        if self._trace is not None:
            self._trace.stop()
        self._recorder.stop()

    @contextlib.contextmanager
    def _happened(self) -> Generator[Happened]:
        """Hand over what happened and is not kept yet; it is, when the block ends well."""
        with self._recorder.drained() as (rows, points):
            if self._trace is None:
                yield Happened(rows, points)
                return
            fresh = self._trace.fresh()
            yield Happened(rows, points, self._trace.chain.id, self._name, fresh, self._trace.vouched())
        self._trace.kept()

    def _raise_if_missed(self) -> None:
        if self._trace is not None:
            self._trace.check()

    def _fail(self, error: StoreError) -> None:
        if self._told.acquire(blocking=False):
            self._failure = error
            if self._on_failure is not None:
                self._on_failure(error)
