"""What is written down while a run goes on: one record an attempt, told to the recorder as it starts and as it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime

from crucible.errors import Cancelled
from crucible.pipeline.records import (
    ContextDelta,
    Failure,
    RunInfo,
    RunRecorder,
    RunStatus,
    StageRecord,
    StageStatus,
    failure_of,
)

__all__ = ["Bookkeeping"]

_log = logging.getLogger("crucible.pipeline")
_NOTHING = ContextDelta()


class Bookkeeping:
    """The records of one run.

    Args:
        run_id: The run.
        recorder: Who keeps them; None: they are in the result alone.
        wall_clock: Returns the current time, aware.
    """

    def __init__(self, run_id: str, recorder: RunRecorder | None, wall_clock: Callable[[], datetime]) -> None:
        self.records: list[StageRecord] = []
        self.failed: StageRecord | None = None
        self.stop_reason = "the run was asked to stop"
        self._run_id = run_id
        self._recorder = recorder
        self._wall_clock = wall_clock

    def now(self) -> str:
        """Return the wall clock's time, ISO 8601 UTC."""
        return self._wall_clock().astimezone(UTC).isoformat()

    # --- the run ---

    def open(self, info: RunInfo) -> None:
        """Write down that the run starts."""
        if self._recorder:
            self._recorder.run_started(info)

    def close(self, status: RunStatus, failure: Failure | None) -> None:
        """Write down how the run ended."""
        if self._recorder:
            self._recorder.run_finished(self._run_id, status, failure)

    def close_stopped(self, error: BaseException) -> None:
        """Write down that the run was stopped by what was raised."""
        with self._noting(error):
            self.close("cancelled", None)

    @contextlib.contextmanager
    def _noting(self, stop: BaseException) -> Generator[None]:
        """Let what stops the run go on to whoever asked for it, also where the record of it could not be written."""
        try:
            yield
        except Exception as lost:  # noqa: BLE001  # whatever it is, the run is stopping already
            _log.warning("run %s was stopped, and the record of it could not be written: %s", self._run_id, lost)
            stop.add_note(f"the record of it could not be written: {lost}")

    # --- its stages ---

    def begin(self, record: StageRecord) -> int:
        """Write down that an attempt starts; returns the monotonic clock in nanoseconds."""
        if self._recorder:
            self._recorder.stage_started(self._run_id, record)
        return time.monotonic_ns()

    def finish(self, record: StageRecord, delta: ContextDelta = _NOTHING) -> None:
        """Write down how an attempt ended."""
        self.records.append(record)
        if self._recorder:
            self._recorder.stage_finished(self._run_id, record, delta)

    def ended(
        self,
        record: StageRecord,
        status: StageStatus,
        started_ns: int,
        reason: str | None = None,
        *,
        error: Failure | None = None,
        delta: ContextDelta = _NOTHING,
    ) -> StageRecord:
        """Write down how an attempt that began at `started_ns` ended; returns its record."""
        took = time.monotonic_ns() - started_ns
        whole = StageRecord(
            record.index, record.name, status, reason, record.attempt, record.started_at, took, error, delta.metrics
        )
        self.finish(whole, delta)
        return whole

    def halted(self, record: StageRecord) -> None:
        """Keep the record of the stage that ends the run."""
        if self.failed is None:
            self.failed = record
            self.stop_reason = f"pipeline[{record.index}] {record.name} failed"

    def lost(self, error: Exception) -> None:
        """Keep why a run ends that no stage has failed."""
        if self.failed is None:
            self.stop_reason = f"the run failed: {error}"

    def stopped(self, record: StageRecord, started_ns: int, error: BaseException) -> None:
        """Write down that an attempt was stopped by what was raised."""
        if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
            reason = self.stop_reason
        else:
            why = failure_of(error)
            reason = why.message if isinstance(error, Cancelled) else f"{why.type}: {why.message}"
        with self._noting(error):
            self.ended(record, "cancelled", started_ns, reason)
