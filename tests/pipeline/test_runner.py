"""The runner: order, records, failures, cancellation, resume, and what it says on the bus."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

from crucible import events
from crucible.errors import Cancelled, ContractError, SpecErrors, StageError, StoreError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import (
    Context,
    ContextDelta,
    Failure,
    NoOptions,
    Registry,
    Resume,
    RunInfo,
    Runner,
    RunStatus,
    Stage,
    StageBase,
    StageOptions,
    StageRecord,
    check_cancelled,
    parse_options,
    pipeline_problems,
    run_sync,
    stage,
)


class CountOptions(StageOptions):
    """Options of the counting stage."""

    by: int = Field(default=1, ge=1, description="Step.")


class Count(StageBase):
    """Count up."""

    name: ClassVar[str] = "count"
    Options: ClassVar[type[BaseModel]] = CountOptions

    def run(self, context: Context, options: CountOptions) -> Context:
        """Add to the metric `n`."""
        return context.put_metric("n", context.get_metric("n", 0) + options.by).put_resource("live", "run")

    def rebuild(self, context: Context, options: CountOptions) -> Context:
        """Bring the resource back."""
        return context.put_resource("live", "rebuilt")

    def check(self, experiment: Experiment, options: CountOptions) -> list[tuple[str, str]]:
        """Refuse thirteen."""
        return [("by", "13 is unlucky"), ("dataset", "is not used")] if options.by == 13 else []


@stage("boom")
def boom(context: Context, options: NoOptions) -> Context:
    """Fail."""
    raise ValueError("broken glass")


@stage("later")
async def later(context: Context, options: NoOptions) -> Context:
    """Work in the event loop."""
    await asyncio.sleep(0)
    return context.put_metric("later", True)


@stage("lost")
def lost(context: Context, options: NoOptions) -> Any:
    """Forget to return."""


class Memory:
    """A recorder that keeps everything in a list, and can be told to fail."""

    def __init__(self, fail_at: str = "") -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fail_at = fail_at

    def _keep(self, what: str, value: Any) -> None:
        if what == self.fail_at:
            raise StoreError("disk full")
        self.calls.append((what, value))

    def run_started(self, run: RunInfo) -> None:
        """Keep."""
        self._keep("run_started", run)

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep."""
        self._keep("stage_started", record)

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep."""
        self._keep("stage_finished", (record, delta))

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep."""
        self._keep("run_finished", (status, failure))


def experiment(*stages: str | StageDef) -> Experiment:
    """An experiment of these stages."""
    pipeline = tuple(StageDef(name=entry) if isinstance(entry, str) else entry for entry in stages)
    return Experiment(id="e", backend=BackendRef(id="local"), pipeline=pipeline)


def runner(recorder: Memory | None = None, *more: Stage) -> Runner:
    """A runner that knows the stages of this file only."""
    return Runner(Registry(Count(), boom, later, lost, *more, installed=False), recorder)


def test_stages_run_in_order_with_options_and_defaults(tmp_path: Path) -> None:
    """Sync and async stages see each other's context in order; options have their defaults."""
    memory = Memory()
    result = runner(memory).run(
        experiment("count", StageDef(name="count", options={"by": 5}), "later"), workspace=tmp_path
    )
    assert result.status == "completed"
    assert result.context.metrics == {"n": 6, "later": True}
    assert [record.status for record in result.stages] == ["ok", "ok", "ok"]
    assert [record.index for record in result.stages] == [0, 1, 2]
    assert result.raise_for_status() is result
    kinds = [what for what, _ in memory.calls]
    assert kinds == ["run_started", *["stage_started", "stage_finished"] * 3, "run_finished"]
    assert memory.calls[4][1][1].metrics == {"n": 6}


def test_disabled_stage_is_skipped_and_recorded(tmp_path: Path) -> None:
    """enabled: false runs nothing and leaves a record that says why."""
    memory = Memory()
    result = runner(memory).run(experiment(StageDef(name="boom", enabled=False), "count"), workspace=tmp_path)
    assert [(record.name, record.status) for record in result.stages] == [("boom", "skipped"), ("count", "ok")]
    assert result.stages[0].reason == "enabled: false"


def test_failure_is_a_result_with_stage_and_cause(tmp_path: Path) -> None:
    """An exception becomes a typed failure, later stages do not run, and raise_for_status chains the cause."""
    memory = Memory()
    result = runner(memory).run(experiment("count", "boom", "count"), run_id="r1", workspace=tmp_path)
    assert result.status == "failed"
    assert result.failure is not None
    assert (result.failure.type, result.failure.message) == ("ValueError", "broken glass")
    assert "broken glass" in result.failure.traceback
    assert [record.status for record in result.stages] == ["ok", "failed"]
    assert result.context.metrics == {"n": 1}
    assert memory.calls[-1] == ("run_finished", ("failed", result.failure))
    with pytest.raises(StageError, match=r"pipeline\[1\] boom failed: broken glass") as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.run_id == "r1"


def test_a_stage_that_returns_no_context_broke_its_contract(tmp_path: Path) -> None:
    """Returning anything else is a ContractError that names the stage."""
    result = runner().run(experiment("lost"), workspace=tmp_path)
    assert isinstance(result.error, ContractError)
    assert "lost" in str(result.error)


def test_unknown_stage_and_bad_options_fail_before_running(tmp_path: Path) -> None:
    """The runner refuses what it cannot carry out, with path and hint."""
    assert 'did you mean "count"' in str(runner().run(experiment("cont"), workspace=tmp_path).failure)
    bad = runner().run(experiment(StageDef(name="count", options={"by": "x", "bye": 1})), workspace=tmp_path)
    assert isinstance(bad.error, SpecErrors)
    assert 'pipeline[0].options.by: expected integer, got "x"' in str(bad.error)
    imported = runner().run(experiment(StageDef(name="count", module="os.system")), workspace=tmp_path)
    assert "names code to import" in str(imported.failure)


def test_events_are_emitted_once_each(tmp_path: Path) -> None:
    """Pipeline and stages start and end once, in their scope, also when a stage fails."""
    with events.collect("crucible_framework.*", run_id="r") as found:
        runner().run(experiment("count", "boom"), run_id="r", workspace=tmp_path)
    names = [event.name.removeprefix("crucible_framework.") for event in found]
    assert names == [
        "pipeline.start",
        "stage.start",
        "stage.stop",
        "stage.start",
        "stage.exception",
        "pipeline.exception",
    ]
    assert (found[1].scope.stage, found[1].scope.stage_index, found[1].scope.experiment_id) == ("count", 0, "e")
    assert found[1].parent_span_id == found[0].span_id


@pytest.mark.parametrize("place", ["run_started", "stage_started", "stage_finished", "run_finished"])
def test_a_lost_record_fails_the_run(tmp_path: Path, place: str) -> None:
    """A record that cannot be kept ends the run as a failure, wherever it happens."""
    result = runner(Memory(fail_at=place)).run(experiment("count", "count"), workspace=tmp_path)
    assert result.status == "failed"
    assert result.failure is not None
    assert result.failure.type == "StoreError"


def test_resume_skips_completed_stages_and_rebuilds_their_resources(tmp_path: Path) -> None:
    """A resumed run restores the snapshot, rebuilds resources, and counts attempts on."""
    memory = Memory()
    done = StageRecord(0, "count", "ok", started_at="2026-01-01T00:00:00+00:00")
    state = Resume(ContextDelta(metrics={"n": 7}), {0: done}, {0: 1, 1: 2})
    result = runner(memory).run(experiment("count", "later"), workspace=tmp_path, resume=state)
    assert result.context.metrics == {"n": 7, "later": True}
    assert result.context.resource("live") == "rebuilt"
    assert result.stages[0] == done
    assert result.stages[1].attempt == 3
    assert [what for what, _ in memory.calls] == ["run_started", "stage_started", "stage_finished", "run_finished"]


def test_cancelling_reaches_a_running_sync_stage(tmp_path: Path) -> None:
    """A cancelled task stops a stage in its thread at its next check, waits for it, and records it."""
    started, steps = threading.Event(), list[int]()

    @stage("slow")
    def slow(context: Context, options: NoOptions) -> Context:
        for step in range(1000):
            started.set()
            steps.append(step)
            check_cancelled()
            time.sleep(0.005)
        return context

    memory = Memory()

    async def scenario() -> None:
        task = asyncio.create_task(runner(memory, slow).arun(experiment("slow", "count"), workspace=tmp_path))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert len(steps) < 1000
    assert memory.calls[-1] == ("run_finished", ("cancelled", None))
    assert memory.calls[-2][1][0].status == "cancelled"


def test_a_stage_may_end_as_cancelled_itself(tmp_path: Path) -> None:
    """Cancelled raised inside a stage is a cancellation, not a failure."""

    @stage("stop")
    def stop(context: Context, options: NoOptions) -> Context:
        raise Cancelled("enough")

    memory = Memory()
    with pytest.raises(Cancelled):
        runner(memory, stop).run(experiment("stop"), workspace=tmp_path)
    assert memory.calls[-1] == ("run_finished", ("cancelled", None))


def test_run_sync_works_inside_a_running_loop(tmp_path: Path) -> None:
    """The sync shell works where a loop already runs, as in a notebook, and passes errors on."""

    async def notebook() -> Any:
        return runner().run(experiment("later"), workspace=tmp_path).context.metrics

    assert asyncio.run(notebook()) == {"later": True}

    async def failing() -> None:
        raise KeyError("x")

    async def outer() -> None:
        run_sync(failing())

    with pytest.raises(KeyError):
        asyncio.run(outer())


def test_without_workspace_a_temporary_one_is_made() -> None:
    """A runner alone needs no folder and no store."""
    result = runner().run(experiment("count"))
    assert result.context.workspace.is_dir()
    result.context.workspace.rmdir()


def test_describe_is_derived_from_the_options_model() -> None:
    """describe() cannot drift from what run reads."""
    described = Count().describe()
    assert described["name"] == "count"
    assert described["description"] == "Count up."
    assert described["optional"] == ["by"]
    assert described["required"] == []
    assert described["types"] == {"by": "integer"}
    assert described["defaults"] == {"by": 1}
    assert boom.describe()["description"] == "Fail."


def test_pipeline_problems_lists_everything_in_order() -> None:
    """Unknown stages, bad options and a stage's own objections come together, with paths; disabled ones are spared."""
    registry = Registry(Count(), installed=False)
    found = pipeline_problems(
        experiment(
            "nobody",
            StageDef(name="count", options={"by": 0}),
            StageDef(name="count", options={"by": 13}),
            StageDef(name="count", options={"by": 13}, enabled=False),
            StageDef(name="count", module="x.y"),
        ),
        registry,
    )
    assert [problem.path for problem in found] == [
        "pipeline[0].name",
        "pipeline[1].options.by",
        "pipeline[2].options.by",
        "dataset",
        "pipeline[4].module",
    ]


def test_registry_refuses_what_is_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point that cannot be imported, or is no stage, is named as such."""
    from importlib.metadata import EntryPoint

    offers = [
        EntryPoint("broken", "no_such_module_here:X", "crucible.stages"),
        EntryPoint("number", "math:pi", "crucible.stages"),
    ]
    monkeypatch.setattr("crucible.pipeline.registry.entry_points", lambda group: offers)
    registry = Registry()
    assert registry.names() == ["broken", "number"]
    with pytest.raises(ContractError, match="cannot be imported"):
        registry.get("broken")
    with pytest.raises(ContractError, match="without name, Options, run and describe"):
        registry.get("number")


def test_validate_stage_strict_and_not(tmp_path: Path) -> None:
    """The stage `validate` ends a run with problems, or writes them down when strict is off."""
    good = Runner().run(experiment("validate"), workspace=tmp_path)
    assert good.context.metrics["validation"] == {"status": "passed", "warnings": []}
    bad = Runner().run(experiment("validate", "nobody"), workspace=tmp_path)
    assert 'unknown stage "nobody"' in str(bad.failure)
    soft = Runner().run(experiment(StageDef(name="validate", options={"strict": False}), "nobody"), workspace=tmp_path)
    assert soft.context.metrics["validation"]["status"] == "warnings"


class Kinds(StageOptions):
    """One option of each kind."""

    name: str
    choice: Literal["a", "b"] = "a"
    several: tuple[int, ...] = ()
    maybe: float | None = None
    inner: CountOptions = CountOptions()
    fixed: Literal["only"] = "only"


def test_describe_words_every_kind_of_option() -> None:
    """Types are said in the words of the document."""
    made = stage("kinds", options=Kinds)(lambda context, options: context)
    assert made.describe()["types"] == {
        "name": "string",
        "choice": "a | b",
        "several": "list of integer",
        "maybe": "number | null",
        "inner": "CountOptions",
        "fixed": "only",
    }
    assert made.describe()["required"] == ["name"]


def test_options_that_are_not_json_are_refused() -> None:
    """An object among the options is a problem with a path, not a crash."""
    with pytest.raises(SpecErrors) as caught:
        parse_options(Count(), {"by": object()}, path="pipeline[0].options")
    assert "pipeline[0].options.by: expected a plain JSON value" in str(caught.value)


def test_a_failing_rebuild_fails_the_resumed_run(tmp_path: Path) -> None:
    """A resource that cannot be brought back is a failure of its stage, recorded as such."""

    class Broken(Count):
        """Cannot come back."""

        name: ClassVar[str] = "broken"

        def rebuild(self, context: Context, options: CountOptions) -> Context:
            """Fail."""
            raise OSError("adapter gone")

    done = {0: StageRecord(0, "broken", "ok")}
    result = runner(None, Broken()).run(
        experiment("broken"), workspace=tmp_path, resume=Resume(ContextDelta(), done, {0: 1})
    )
    assert result.failure is not None
    assert result.failure.message == "adapter gone"


def test_a_stage_without_rebuild_is_simply_skipped_on_resume(tmp_path: Path) -> None:
    """Nothing to bring back: the context goes on as it was stored."""
    done = {0: StageRecord(0, "bare", "ok")}

    class Bare:
        """A stage that is no StageBase."""

        name: ClassVar[str] = "bare"
        Options: ClassVar[type[BaseModel]] = NoOptions

        def run(self, context: Context, options: NoOptions) -> Context:
            """Never runs here."""
            raise AssertionError

        def describe(self) -> dict[str, Any]:
            """Say nothing."""
            return {}

    state = Resume(ContextDelta(), done, {0: 1})
    result = runner(None, Bare()).run(experiment("bare"), workspace=tmp_path, resume=state)
    assert result.status == "completed"
    assert pipeline_problems(experiment("bare"), Registry(Bare(), installed=False)) == []
