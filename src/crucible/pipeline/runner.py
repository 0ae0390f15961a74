"""Carries an experiment through its stages, in order, and writes down what became of each.

Knows nothing of training, data, models, storage or statistics. It tells a `RunRecorder`, if there is one, and emits
spans on the bus. A failing stage ends the run as a typed failure; a record that cannot be written does, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import functools
import inspect
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible import events
from crucible.errors import Cancelled, ContractError, StageError
from crucible.ir import Experiment, StageDef, to_dict
from crucible.pipeline.cancel import Cancellation, cancellable, run_sync
from crucible.pipeline.context import Context
from crucible.pipeline.records import (
    ContextDelta,
    Failure,
    Resume,
    RunInfo,
    RunRecorder,
    RunStatus,
    StageRecord,
    StageStatus,
)
from crucible.pipeline.registry import Registry
from crucible.pipeline.stage import Stage, parse_options

__all__ = ["RunResult", "Runner", "new_run_id"]


def new_run_id() -> str:
    """Return a fresh run id: sortable by time, unique by chance."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Args:
        run_id: The run.
        status: `completed` or `failed`.
        context: The context after the last completed stage.
        stages: One record a stage that was reached, in order.
        failure: Why it failed, None if it did not.
        error: The exception behind `failure`, where this process raised it.
    """

    run_id: str
    status: RunStatus
    context: Context
    stages: tuple[StageRecord, ...]
    failure: Failure | None = None
    error: BaseException | None = dataclasses.field(default=None, repr=False)

    def raise_for_status(self) -> RunResult:
        """Return this result, or raise if the run failed.

        Raises:
            StageError: The run failed; the cause is chained.
        """
        if self.failure is None:
            return self
        last = self.stages[-1] if self.stages else None
        place = f"pipeline[{last.index}] {last.name}" if last else "the run"
        raise StageError(f"{place} failed: {self.failure.message}", run_id=self.run_id, stage=place) from self.error


_STOPS = (asyncio.CancelledError, Cancelled, KeyboardInterrupt, SystemExit)


class Runner:
    """Carries experiments through their stages.

    Args:
        registry: Where stages are found; None: the installed ones.
        recorder: Keeps records of runs and stages; None: nothing is kept.
        wall_clock: Returns the current time, aware.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        recorder: RunRecorder | None = None,
        *,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._registry = registry or Registry()
        self._recorder = recorder
        self._wall_clock = wall_clock

    def run(self, experiment: Experiment, **options: Any) -> RunResult:
        """Run an experiment from sync code; takes the options of `arun`."""
        return run_sync(self.arun(experiment, **options))

    async def arun(
        self,
        experiment: Experiment,
        *,
        run_id: str | None = None,
        workspace: Path | None = None,
        assigns: Mapping[str, Any] | None = None,
        resume: Resume | None = None,
        source: str | None = None,
    ) -> RunResult:
        """Run an experiment.

        Args:
            experiment: The document.
            run_id: Id of the run; None makes one.
            workspace: Folder for the run's files; None: a temporary one.
            assigns: Values that the stages find in the context.
            resume: Where an earlier attempt stood: completed stages are not run again, but rebuilt.
            source: The file that the document was read from.

        Returns:
            The result; a failed stage is a result, not an exception.

        Raises:
            asyncio.CancelledError: The task was cancelled; the run is recorded as cancelled first.
            Cancelled: A stage stopped because it was asked to; the run is recorded as cancelled first.
        """
        run_id = new_run_id() if run_id is None else run_id
        if workspace is None:
            workspace = Path(tempfile.mkdtemp(prefix=f"crucible-{run_id}-"))
        context = Context(run_id=run_id, experiment=experiment, workspace=workspace)
        for name, value in (assigns or {}).items():
            context = context.assign(name, value)
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment.id,
            experiment=to_dict(experiment),
            source=source,
            workspace=str(workspace),
            provenance=context.get_assign("provenance", {}),
        )
        with events.scope(run_id=run_id, experiment_id=experiment.id), cancellable() as cancellation:
            return await _Run(self._registry, self._recorder, self._wall_clock, context, cancellation).go(info, resume)


class _Run:
    """One run under way."""

    def __init__(
        self,
        registry: Registry,
        recorder: RunRecorder | None,
        wall_clock: Callable[[], datetime],
        context: Context,
        cancellation: Cancellation,
    ) -> None:
        self.registry = registry
        self.recorder = recorder
        self.wall_clock = wall_clock
        self.context = context
        self.cancellation = cancellation
        self.records: list[StageRecord] = []

    async def go(self, info: RunInfo, resume: Resume | None) -> RunResult:
        if resume is not None:
            self.context = self.context.restored(resume.snapshot)
        error: BaseException | None = None
        try:
            if self.recorder:
                self.recorder.run_started(info)
            with events.span("crucible_framework.pipeline", {"stages": len(self.context.experiment.pipeline)}):
                for index, definition in enumerate(self.context.experiment.pipeline):
                    with events.scope(stage=definition.name, stage_index=index):
                        await self._one(index, definition, resume)
        except _STOPS:
            self._close("cancelled", None)
            raise
        except Exception as failed:  # noqa: BLE001  # a stage that failed, or a record that could not be written
            error = failed
        return self._result(error)

    def _result(self, error: BaseException | None) -> RunResult:
        status: RunStatus = "failed" if error else "completed"
        failure = _failure(error) if error else None
        try:
            self._close(status, failure)
        except Exception as lost:  # noqa: BLE001  # the run's own end could not be written: that is its failure
            if error is None:
                status, failure, error = "failed", _failure(lost), lost
        return RunResult(self.context.run_id, status, self.context, tuple(self.records), failure, error)

    def _close(self, status: RunStatus, failure: Failure | None) -> None:
        if self.recorder:
            self.recorder.run_finished(self.context.run_id, status, failure)

    async def _one(self, index: int, definition: StageDef, resume: Resume | None) -> None:
        done = resume.completed.get(index) if resume else None
        attempt = (resume.attempts.get(index, 0) if resume else 0) + 1
        record = StageRecord(index, definition.name, "running", attempt=attempt, started_at=self._now())
        if not definition.enabled:
            self._finish(record, "skipped", 0, reason="enabled: false")
            return
        started = time.monotonic_ns()
        try:
            chosen = self._find(definition)
            options = parse_options(chosen, definition.options, path=f"pipeline[{index}].options")
            if done is not None:
                self.context = await self._rebuild(chosen, options)
                self.records.append(done)
                return
            if self.recorder:
                self.recorder.stage_started(self.context.run_id, record)
            before = self.context
            with events.span("crucible_framework.stage", {"stage": definition.name, "stage_index": index}):
                self.context = _checked(await self._call(chosen.run, options), before, chosen)
        except _STOPS:
            self._finish(record, "cancelled", time.monotonic_ns() - started, reason="the run was asked to stop")
            raise
        except Exception as error:
            self._finish(record, "failed", time.monotonic_ns() - started, error=_failure(error))
            raise
        self._finish(record, "ok", time.monotonic_ns() - started, delta=self.context.delta_since(before))

    def _find(self, definition: StageDef) -> Stage:
        if definition.module is not None:
            raise ContractError(
                f"module: {definition.module} names code to import, which a document may not do; "
                "register the stage through the entry-point group crucible.stages"
            )
        return self.registry.get(definition.name)

    async def _rebuild(self, chosen: Stage, options: Any) -> Context:
        rebuild = getattr(chosen, "rebuild", None)
        if rebuild is None:
            return self.context
        return _checked(await self._call(rebuild, options), self.context, chosen)

    async def _call(self, function: Callable[..., Any], options: Any) -> Any:
        """Call a stage's function: async in this task, sync in a thread that a cancelled run waits for."""
        if inspect.iscoroutinefunction(function):
            return await function(self.context, options)
        work = functools.partial(contextvars.copy_context().run, function, self.context, options)
        future = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_forget)
            self.cancellation.request()
            events.emit("crucible_framework.run.cancelling")
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):  # asking twice does not make it end sooner
                    await asyncio.wait([future])
            raise

    def _finish(
        self,
        record: StageRecord,
        status: StageStatus,
        duration_ns: int,
        *,
        reason: str | None = None,
        error: Failure | None = None,
        delta: ContextDelta | None = None,
    ) -> None:
        record = msgspec.structs.replace(record, status=status, duration_ns=duration_ns, reason=reason, error=error)
        self.records.append(record)
        if self.recorder:
            self.recorder.stage_finished(self.context.run_id, record, delta or ContextDelta())

    def _now(self) -> str:
        return self.wall_clock().astimezone(UTC).isoformat()


def _checked(result: Any, before: Context, chosen: Stage) -> Context:
    if not isinstance(result, Context) or result.run_id != before.run_id:
        raise ContractError(
            f'stage "{chosen.name}" must return the new Context, got {type(cast("object", result)).__name__}'
        )
    return result


def _forget(future: asyncio.Future[Any]) -> None:
    """Look at what became of a cancelled stage, so that asyncio does not complain that nobody did."""
    if not future.cancelled():
        future.exception()


def _failure(error: BaseException) -> Failure:
    return Failure(type(error).__name__, str(error), "".join(traceback.format_exception(error)))
