"""Carries an experiment through its stages and says what became of each: the `Runner` and its `RunResult`.

Knows nothing of training, data, models, storage or statistics. It tells a `RunRecorder`, if there is one, and emits
spans on the bus. A failing stage ends the run as a typed failure; a record that cannot be written does, too.
"""

from __future__ import annotations

import dataclasses
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from crucible import events
from crucible.errors import ContractError, StageError
from crucible.ir import Experiment, to_dict
from crucible.pipeline.attempts import Terms
from crucible.pipeline.bookkeeping import Bookkeeping
from crucible.pipeline.cancel import Cancellation, cancellable, run_sync
from crucible.pipeline.carrying import Carrying, Ending
from crucible.pipeline.context import Context
from crucible.pipeline.middleware import Hooks, Middleware
from crucible.pipeline.records import PASSED_OVER, Failure, Resume, RunInfo, RunRecorder, RunStatus, StageRecord
from crucible.pipeline.registry import Registry
from crucible.pipeline.stage import OptionsMode

__all__ = ["RunResult", "Runner", "new_run_id"]


def new_run_id() -> str:
    """Return a fresh run id: sortable by time, unique by chance."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult:
    """How a run ended.

    Args:
        run_id: The run.
        status: `completed` or `failed`.
        context: The context after the last completed stage.
        stages: One record a stage that was reached, of its last attempt, in pipeline order.
        failure: Why it failed, None if it did not.
        failed: The record of the stage that ended the run, None where no stage did.
        error: The exception behind `failure`, where this process raised it.
    """

    run_id: str
    status: RunStatus
    context: Context
    stages: tuple[StageRecord, ...]
    failure: Failure | None = None
    failed: StageRecord | None = None
    error: BaseException | None = dataclasses.field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"RunResult(run_id={self.run_id!r}, status={self.status!r}, stages={len(self.stages)})"

    @property
    def passed_over(self) -> tuple[StageRecord, ...]:
        """Stages that failed without ending the run, because their `on_error` says so."""
        return tuple(record for record in self.stages if record.error and record.reason in PASSED_OVER.values())

    def raise_for_status(self) -> RunResult:
        """Return this result, or raise if the run failed.

        Raises:
            StageError: The run failed; the cause is chained.
        """
        if self.failure is None:
            return self
        place = f"pipeline[{self.failed.index}] {self.failed.name}" if self.failed else "the run"
        raise StageError(f"{place} failed: {self.failure.message}", run_id=self.run_id, stage=place) from self.error


class Runner:
    """Carries experiments through their stages.

    Args:
        registry: Where stages are found; None: the installed ones.
        recorder: Keeps records of runs and stages; None: nothing is kept.
        middleware: Objects around every attempt at a stage, see `pipeline.Middleware`.
        validate_options: What a mistake in a stage's options does: `error` fails the stage, `warn` logs it, `off`
            does not look.
        max_parallel: How many branches are carried out at once, at least 1; the others wait for their turn. Branches
            that wait for each other need as many.
        wall_clock: Returns the current time, aware.

    Raises:
        ContractError: A middleware has none of the methods, there is no such way to validate options, or
            `max_parallel` is less than 1.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        recorder: RunRecorder | None = None,
        *,
        middleware: Iterable[Middleware] = (),
        validate_options: OptionsMode = "error",
        max_parallel: int = 16,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if validate_options not in get_args(OptionsMode):
            known = ", ".join(get_args(OptionsMode))
            raise ContractError(f"validate_options must be one of: {known}; got {validate_options!r}")
        if max_parallel < 1:
            raise ContractError(f"max_parallel must be at least 1, got {max_parallel}; 1 runs one branch at a time")
        self.max_parallel = max_parallel
        self.registry = registry or Registry()
        self.recorder = recorder
        self.hooks = Hooks.of(tuple(middleware))
        self.validate_options: OptionsMode = validate_options
        self.wall_clock = wall_clock

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
        cancellation: Cancellation | None = None,
    ) -> RunResult:
        """Run an experiment.

        Args:
            experiment: The document.
            run_id: Id of the run; None makes one.
            workspace: Folder for the run's files; None: a temporary one.
            assigns: Values that the stages find in the context.
            resume: Where an earlier attempt stood: completed stages are not run again, but rebuilt.
            source: The file that the document was read from.
            cancellation: How others ask the run to stop, from any thread; None makes one.

        Returns:
            The result; a failed stage is a result, not an exception.

        Raises:
            SpecErrors: The `needs` of the pipeline do not fit together.
            asyncio.CancelledError: The task was cancelled; the run is recorded as cancelled first.
            Cancelled: A stage stopped because it was asked to; the run is recorded as cancelled first.
        """
        run_id = new_run_id() if run_id is None else run_id
        if workspace is None:
            workspace = Path(tempfile.mkdtemp(prefix=f"crucible-{run_id}-"))
        context = Context(run_id=run_id, experiment=experiment, workspace=workspace).assign(assigns or {})
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment.id,
            experiment=to_dict(experiment) if self.recorder else {},
            source=source,
            workspace=str(workspace),
            provenance=_provenance(context),
        )
        where = {"run_id": run_id, "experiment_id": experiment.id, "stage": None, "stage_index": None}
        with events.scope(**where), cancellable(cancellation) as stopping:
            book = Bookkeeping(run_id, self.recorder, self.wall_clock)
            terms = Terms(book, self.hooks, stopping, resume or Resume({}, {}, {}))
            carrying = Carrying(context, terms, self.registry, self.validate_options, self.max_parallel)
            return _result(await carrying.go(info))


def _provenance(context: Context) -> dict[str, Any]:
    """Return what reproduces the run: the facts that the caller assigned as such, and whatever else was assigned."""
    given = {name: value for name, value in context.assigns.items() if name != "provenance"}
    facts: dict[str, Any] = context.get_assign("provenance", {})
    return {**facts, "assigns": given} if given else facts


def _result(ending: Ending) -> RunResult:
    last = {record.index: record for record in ending.records}
    stages = tuple(last[index] for index in sorted(last))
    return RunResult(
        run_id=ending.context.run_id,
        status="failed" if ending.failure else "completed",
        context=ending.context,
        stages=stages,
        failure=ending.failure,
        failed=ending.failed,
        error=ending.error,
    )
