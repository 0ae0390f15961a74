"""A stage that fails, lies or leaves is a typed result, and never a run that stays open."""

import asyncio
import functools
import pickle
import re
import sys
from typing import Any

import pytest

from crucible.errors import Cancelled, ContractError, SpecErrors, StageError
from crucible.pipeline import Context, Registry, Runner, StageBase, stage
from crucible.pipeline.calling import drive
from crucible.pipeline.records import failure_of


def test_failure_is_a_result_with_stage_and_cause(lab: Any) -> None:
    """An exception becomes a typed failure, later stages do not run, and raise_for_status chains the cause."""
    result = lab.run("count", "boom", "count", run_id="r1")
    assert result.status == "failed"
    assert (result.failure.type, result.failure.message) == ("ValueError", "broken glass")
    assert "broken glass" in result.failure.traceback
    assert [record.status for record in result.stages] == ["ok", "failed"]
    assert result.failed == result.stages[1]
    assert result.passed_over == ()
    assert result.context.metrics == {"n": 1}
    assert lab.memory.ended == ("failed", result.failure)
    with pytest.raises(StageError, match=r"pipeline\[1\] boom failed: broken glass") as caught:
        result.raise_for_status()
    assert isinstance(caught.value.__cause__, ValueError)
    assert (caught.value.run_id, caught.value.stage) == ("r1", "pipeline[1] boom")


@pytest.mark.parametrize("graph", [False, True])
def test_the_cause_of_an_error_is_kept(lab: Any, graph: bool) -> None:
    """`raise … from …` inside a stage is still chained in the result, also out of a branch."""

    @lab.stage
    def chained(context: Any, options: Any) -> Any:
        try:
            {}["x"]
        except KeyError as error:
            raise ValueError("bad") from error

    result = lab.run({"name": "chained", "needs": [] if graph else None})
    assert isinstance(result.error.__cause__, KeyError)
    assert "KeyError" in result.failure.traceback


def test_unknown_stage_and_bad_options_fail_when_their_turn_comes(lab: Any) -> None:
    """The runner refuses what it cannot carry out, with path and hint; stages before it have run."""
    result = lab.run("count", "cont")
    assert 'did you mean "count"' in result.failure.message
    assert [record.status for record in result.stages] == ["ok", "failed"]
    bad = lab.run({"name": "count", "options": {"by": "x", "bye": 1}})
    assert isinstance(bad.error, SpecErrors)
    assert [problem.path for problem in bad.error.errors] == ["pipeline[0].options.by", "pipeline[0].options.bye"]


WRONG: dict[str, Any] = {
    "nothing": lambda context: None,
    "a name": lambda context: "count",
    "the class": lambda context: Context,
    "another run": lambda context: Context("other", context.experiment, context.workspace),
    "a generator": lambda context: (context for _ in ()),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("needs", [None, []])
def test_a_stage_that_returns_no_context_broke_its_contract(lab: Any, wrong: str, needs: Any) -> None:
    """Returning anything but the run's next Context is a ContractError that names the stage and what came."""

    @lab.stage
    def liar(context: Any, options: Any) -> Any:
        return WRONG[wrong](context)

    result = lab.run("count", {"name": "liar", "needs": needs})
    assert isinstance(result.error, ContractError)
    assert '"liar" must return the new Context, got' in result.failure.message
    assert result.stages[1].status == "failed"


def test_a_coroutine_of_a_plain_def_is_refused_with_advice(lab: Any) -> None:
    """A sync `run` that returns a coroutine is told to be `async def`; the coroutine is closed, not leaked."""

    async def work(context: Any) -> Any:
        return context

    @lab.stage
    def hidden(context: Any, options: Any) -> Any:
        return work(context)

    assert "declare its run with `async def`" in lab.run("hidden").failure.message


def test_a_generator_is_not_a_stage(lab: Any) -> None:
    """A `run` with `yield` in it returns a generator, and is told so."""

    @lab.stage
    def steps(context: Any, options: Any) -> Any:
        yield context

    assert lab.run("steps").failure.message.endswith("got generator")


def test_a_context_that_forgot_something_is_refused(lab: Any) -> None:
    """A stage that returns an older context of the run would drop results: it is told what is missing."""
    kept: list[Any] = []

    @lab.stage
    def stale(context: Any, options: Any) -> Any:
        kept.append(context)
        return kept[0]

    assert lab.run("stale", "stale").status == "completed"
    kept.clear()
    result = lab.run("stale", "count", "stale")
    assert 'stage "stale" was given 1 metrics and returned a context with 0' in result.failure.message
    assert result.context.metrics == {"n": 1}


@pytest.mark.parametrize("needs", [None, []])
@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_stop_iteration_is_a_failure_like_any_other(lab: Any, needs: Any, timeout_s: Any) -> None:
    """`next()` of an empty iterator inside a stage fails it, wherever it runs, instead of hanging the run."""

    @lab.stage
    def empty(context: Any, options: Any) -> Any:
        return next(iter(()))

    result = lab.run({"name": "empty", "needs": needs, "timeout_s": timeout_s})
    assert result.failure.type == "RuntimeError"
    assert "StopIteration" in result.failure.message
    assert result.stages[0].status == "failed"


@pytest.mark.parametrize("needs", [None, []])
@pytest.mark.parametrize("raised", [GeneratorExit(), Cancelled("enough")])
def test_leaving_the_process_from_a_stage_is_recorded_first(lab: Any, raised: BaseException, needs: Any) -> None:
    """What is meant for the process goes on to the process, and the run and its stage are recorded as cancelled."""

    @lab.stage
    def leave(context: Any, options: Any) -> Any:
        raise raised

    with pytest.raises(type(raised)):
        lab.run("count", {"name": "leave", "needs": needs, "retry": {"attempts": 3}, "on_error": "skip"}, "count")
    assert lab.memory.ended == ("cancelled", None)
    assert [record.status for record, _ in lab.memory.finished if record.name == "leave"] == ["cancelled"]
    reason = next(record.reason for record, _ in lab.memory.finished if record.name == "leave")
    assert reason == {GeneratorExit: "GeneratorExit: ", Cancelled: "enough"}[type(raised)]


@pytest.mark.parametrize("needs", [None, []])
@pytest.mark.parametrize("timeout_s", [None, 30.0])
@pytest.mark.parametrize(
    ("raised", "is_async", "message"),
    [
        (SystemExit(0), False, "the stage called sys.exit(0)"),
        (SystemExit("no luck"), True, "the stage called sys.exit('no luck')"),
        (SystemExit(), True, "the stage called sys.exit()"),
        (KeyboardInterrupt(), False, "the stage raised KeyboardInterrupt"),
    ],
)
def test_a_stage_cannot_end_the_process(
    lab: Any, raised: BaseException, message: str, needs: Any, timeout_s: Any, is_async: bool
) -> None:
    """What would end a process is the stage's failure where a stage raises it, in every way that a stage can run."""

    def leave(context: Any, options: Any) -> Any:
        raise raised

    async def aleave(context: Any, options: Any) -> Any:
        raise raised

    lab.knows(stage("leave")(aleave if is_async else leave))
    result = lab.run("count", {"name": "leave", "needs": needs, "timeout_s": timeout_s})
    assert (result.status, result.failure.message) == ("failed", message)
    assert lab.memory.ended[0] == "failed"
    assert result.failed.status == "failed"
    with pytest.raises(StageError, match=re.escape(f"pipeline[1] leave failed: {message}")):
        result.raise_for_status()


@pytest.mark.parametrize("needs", [None, []])
@pytest.mark.parametrize("kind", ["sync", "async", "thread with a limit"])
def test_cancelled_error_that_nobody_asked_for(lab: Any, needs: Any, kind: str) -> None:
    """A stage that lets a CancelledError of its own out stops the run; branches that wait for it do not hang."""

    async def _astray(context: Any, options: Any) -> Any:
        task = asyncio.ensure_future(asyncio.sleep(10))
        task.cancel()
        await task

    def astray(context: Any, options: Any) -> Any:
        raise asyncio.CancelledError

    if kind == "async":
        _astray.__name__ = "astray"
        lab.stage(_astray)
    else:
        lab.stage(astray)
    limit = 60.0 if kind == "thread with a limit" else None
    with pytest.raises(Cancelled, match="stopped itself with CancelledError"):
        lab.run({"name": "astray", "id": "a", "needs": needs, "timeout_s": limit}, "count")
    assert lab.memory.ended == ("cancelled", None)
    assert [record.status for record, _ in lab.memory.finished] == ["cancelled"]


def test_cancellations_in_a_group_are_a_cancellation(lab: Any) -> None:
    """A stage whose own task group was stopped raises a group of Cancelled: that is no failure to retry."""

    @lab.stage
    async def group(context: Any, options: Any) -> Any:
        raise ExceptionGroup("tasks", [Cancelled("asked"), ExceptionGroup("more", [Cancelled("asked")])])

    with pytest.raises(ExceptionGroup):
        lab.run({"name": "group", "retry": {"attempts": 2}})
    assert lab.memory.ended == ("cancelled", None)
    assert len(lab.memory.finished) == 1


class Unspeakable(Exception):
    """An error whose message cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_that_cannot_be_printed_is_still_recorded(lab: Any) -> None:
    """A broken `__str__` hides neither the failure nor the run's end."""

    @lab.stage
    def mute(context: Any, options: Any) -> Any:
        raise Unspeakable

    result = lab.run("mute")
    assert (result.failed.error.type, result.failed.status) == ("Unspeakable", "failed")
    assert result.failed.error.message == "its message cannot be read: RuntimeError"
    assert lab.memory.ended[0] == "failed"


def test_an_error_that_cannot_be_pickled_travels_as_words(lab: Any) -> None:
    """Records are plain words: an error that holds a lock or a lambda does not stop them from being stored."""

    @lab.stage
    def locked(context: Any, options: Any) -> Any:
        error = ValueError("held", lambda: None)
        error.lock = sys.stdout
        raise error

    result = lab.run("locked")
    assert pickle.loads(pickle.dumps(result.failed)) == result.failed


def test_a_huge_message_is_cut_in_the_middle() -> None:
    """A message of megabytes is kept as its beginning and its end, and says how much is missing."""
    failure = failure_of(ValueError("<" + "x" * 5_000_000 + ">"))
    assert len(failure.message) < 21_000
    assert failure.message.startswith("<xxx")
    assert failure.message.endswith("xxx>")
    assert "[…4980002 characters left out…]" in failure.message
    assert len(failure.traceback) < 101_000
    assert failure_of(ValueError("short")).message == "short"


def test_deep_recursion_is_a_failure(lab: Any) -> None:
    """A stage that recurses for ever fails, and the next run works."""

    @lab.stage
    def deep(context: Any, options: Any) -> Any:
        return deep(context, options)

    assert lab.run("deep").failure.type == "RecursionError"
    assert lab.run("count").status == "completed"


def test_raise_for_status_without_a_failed_stage(lab: Any) -> None:
    """Where no stage failed, such as a lost record, the run itself is named."""
    lab.memory.fail_at = "run_finished"
    with pytest.raises(StageError, match="the run failed: disk full"):
        lab.run("count").raise_for_status()


def test_a_stage_of_a_stranger_needs_no_base_class(lab: Any) -> None:
    """Four attributes make a stage, also a `run` that is a partial or a callable object."""

    async def add(step: int, context: Any, options: Any) -> Any:
        return context.put_metric("added", step)

    class Foreign:
        """A stage that is no StageBase."""

        name = "foreign"
        Options = StageBase.Options

        def __init__(self) -> None:
            self.run = functools.partial(add, 3)

        def describe(self) -> dict[str, Any]:
            """Say nothing."""
            return {}

    result = lab.knows(Foreign()).run("foreign")
    assert result.context.metrics == {"added": 3}


def test_what_waits_for_a_loop_is_not_carried_without_one() -> None:
    """The synchronous drive refuses work that would wait, instead of dropping it half done."""

    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waits for an event loop"):
        drive(waits())


def test_options_of_the_runner_are_checked() -> None:
    """A mode that does not exist is refused when the runner is made."""
    with pytest.raises(ContractError, match="validate_options must be one of: off, warn, error; got 'strict'"):
        Runner(Registry(installed=False), validate_options="strict")


@pytest.mark.parametrize("needs", [None, []])
def test_a_module_that_leaves_while_it_is_imported(lab: Any, tmp_path: Any, monkeypatch: Any, needs: Any) -> None:
    """A stage whose module calls sys.exit when it is imported fails, as any that cannot be found."""
    (tmp_path / "leaves_at_once.py").write_text("import sys; sys.exit(4)")
    monkeypatch.syspath_prepend(tmp_path)
    lab.registry = lab.registry.allowing(["leaves_at_once"])
    result = lab.run({"name": "x", "module": "leaves_at_once:x", "needs": needs})
    assert (result.status, result.failure.type) == ("failed", "ContractError")
    assert result.failure.message.endswith("cannot be imported: 4")
