"""`retry`: which errors are worth another attempt, how many, and after how long."""

import asyncio
import threading
from typing import Any

import pytest

from crucible import events
from crucible.errors import (
    BackendError,
    Cancelled,
    ContractError,
    MissingExtra,
    RateLimited,
    SpecError,
    SpecErrors,
    StageTimeout,
)
from crucible.ir import RetryPolicy
from crucible.pipeline import Again, Retry, StageCall, check_cancelled, run_sync, stage
from crucible.pipeline.middleware import worth_retrying

NOW = {"wait_initial_s": 0.0, "wait_max_s": 0.0}
WHERE = pytest.mark.parametrize("needs", [None, []])


def failing(lab: Any, times: int, error: Exception) -> list[int]:
    """Add a stage `flaky` that fails so many times; returns the list that its calls are kept in."""
    calls: list[int] = []

    @lab.stage
    def flaky(context: Any, options: Any) -> Any:
        calls.append(len(calls) + 1)
        if len(calls) <= times:
            raise error
        return context.put_metric("calls", len(calls))

    return calls


@WHERE
def test_it_is_tried_until_it_works(lab: Any, needs: Any) -> None:
    """Each attempt has a record and a number; the result holds the last one."""
    failing(lab, 2, OSError("busy"))
    result = lab.run({"name": "flaky", "retry": {"attempts": 3, **NOW}, "needs": needs})
    assert result.context.metrics == {"calls": 3}
    assert [(r.status, r.attempt) for r, _ in lab.memory.finished] == [("failed", 1), ("failed", 2), ("ok", 3)]
    assert [r.attempt for r in result.stages] == [3]
    assert lab.memory.finished[0][0].reason == "try again after 0 s"
    assert result.stages[0].reason is None
    assert result.passed_over == ()
    assert result.context.completed_stages == ["flaky"]


def test_it_gives_up_after_the_last_attempt(lab: Any) -> None:
    """`attempts` counts the first one, and the last error is the run's."""
    calls = failing(lab, 99, OSError("busy"))
    result = lab.run({"name": "flaky", "retry": {"attempts": 4, **NOW}})
    assert calls == [1, 2, 3, 4]
    assert result.failure.message == "busy"
    assert result.failed.attempt == 4
    assert result.failed.reason is None


def test_every_attempt_starts_from_the_same_context(lab: Any) -> None:
    """What a failed attempt made of the context is not seen by the next one."""
    seen: list[Any] = []

    @lab.stage
    def half(context: Any, options: Any) -> Any:
        seen.append(dict(context.metrics))
        after = context.put_metric("half", True)
        if len(seen) < 3:
            raise OSError("after half the work")
        return after

    assert lab.run("count", {"name": "half", "retry": NOW}).context.metrics == {"n": 1, "half": True}
    assert seen == [{"n": 1}] * 3


def test_retries_are_told_on_the_bus(lab: Any) -> None:
    """Each further attempt is one event with attempt, wait and error, and a decision with its alternative."""
    failing(lab, 2, OSError("busy"))
    with events.collect() as found:
        lab.run({"name": "flaky", "retry": {"attempts": 3, **NOW}}, run_id="r")
    retries = [event for event in found if event.name == "crucible_framework.stage.retry"]
    assert [event.measurements["attempt"] for event in retries] == [1, 2]
    assert retries[0].metadata == {"stage": "flaky", "stage_index": 0, "error_type": "OSError", "error": "busy"}
    assert (retries[0].scope.run_id, retries[0].scope.stage) == ("r", "flaky")
    (stop,) = [event for event in found if event.name == "crucible_framework.stage.stop"]
    assert stop.measurements["attempts"] == 3
    decision = next(event for event in found if event.name == "crucible_trace.decision.made")
    assert decision.metadata["decision"] == "pipeline[0] flaky: try again after 0 s"
    assert (decision.metadata["reasoning"], decision.metadata["alternatives"]) == ("OSError: busy", ["give up"])


@pytest.mark.parametrize(
    ("error", "names", "expected"),
    [
        (OSError("x"), None, True),
        (ValueError("x"), None, True),
        (SpecError("x"), None, False),
        (SpecErrors("x", [SpecError("x")]), None, False),
        (ContractError("x"), None, False),
        (MissingExtra("train"), None, False),
        (BackendError("x", is_retryable=False), None, False),
        (BackendError("x", is_retryable=True), None, True),
        (StageTimeout("x"), None, True),
        (StageTimeout("x", is_stopped=False), None, False),
        (StageTimeout("x", is_stopped=False), ["StageTimeout"], False),
        (RateLimited("x"), ["RateLimited"], True),
        (RateLimited("x"), ["BackendError"], True),
        (RateLimited("x"), ["BackendTimeout", "ValueError"], False),
        (FileNotFoundError("x"), ["OSError"], True),
        (OSError("x"), ["FileNotFoundError"], False),
        (ContractError("x"), ["Exception"], True),
    ],
)
def test_which_errors_are_worth_another_attempt(error: Exception, names: Any, expected: bool) -> None:
    """Mistakes, final refusals and what still runs are not; named errors are, by class or by any of its bases."""
    assert worth_retrying(error, names) is expected


def test_named_errors_only(lab: Any) -> None:
    """`on` names what is worth another attempt; anything else fails at once."""
    calls = failing(lab, 9, ValueError("no"))
    assert lab.run({"name": "flaky", "retry": {"errors": ["OSError"], **NOW}}).failure.message == "no"
    assert calls == [1]


def test_a_mistake_in_the_document_is_not_retried(lab: Any) -> None:
    """Bad options meet the same refusal every time, so there is one attempt, whatever `retry` says."""
    lab.run({"name": "count", "options": {"by": 0}, "retry": {"attempts": 5, "errors": ["Exception"], **NOW}})
    assert [record.attempt for record, _ in lab.memory.finished] == [1]


@pytest.mark.parametrize("attempt", [1, 2, 5, 50, 999, 2000])
def test_the_wait_doubles_with_jitter_and_has_a_bound(attempt: int) -> None:
    """Waits lie between the doubled first one and one second more, and never above `wait_max_s`."""
    policy = RetryPolicy(attempts=1000, wait_initial_s=0.5, wait_max_s=30.0)
    verdict = Retry(policy).on_error(StageCall(0, "s", min(attempt, 999), None, None), OSError("x"))  # type: ignore[arg-type]
    assert isinstance(verdict, Again)
    floor = min(30.0, 0.5 * 2.0 ** (min(attempt, 999) - 1))
    assert floor <= verdict.after_s <= min(30.0, floor + 0.5)


def test_waits_differ() -> None:
    """Two runs that failed together do not come back together."""
    retry = Retry(RetryPolicy(attempts=9, wait_initial_s=1.0, wait_max_s=60.0))
    call = StageCall(0, "s", 1, None, None)  # type: ignore[arg-type]
    assert len({retry.on_error(call, OSError("x")).after_s for _ in range(20)}) > 1  # type: ignore[union-attr]


@WHERE
def test_a_request_to_stop_ends_the_wait(lab: Any, needs: Any) -> None:
    """Cancelling while a stage waits for its next attempt stops at once, and the attempt is not made."""
    import asyncio

    calls = failing(lab, 9, OSError("busy"))
    waiting = threading.Event()
    events.attach("t", "crucible_framework.stage.retry", lambda _event: waiting.set())
    slow = {"attempts": 2, "wait_initial_s": 600.0, "wait_max_s": 600.0}

    async def scenario() -> None:
        task = asyncio.create_task(lab.arun({"name": "flaky", "retry": slow, "needs": needs}))
        while not waiting.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_sync(scenario())
    assert calls == [1]
    assert lab.memory.ended == ("cancelled", None)


def test_a_request_to_an_outer_run_ends_the_wait_of_an_inner_one(lab: Any) -> None:
    """A run inside a stage hears what its outer run is asked, also while it waits."""
    import asyncio

    failing(lab, 9, OSError("busy"))
    waiting = threading.Event()
    events.attach("t", "crucible_framework.stage.retry", lambda _event: waiting.set())
    slow = {"attempts": 2, "wait_initial_s": 600.0, "wait_max_s": 600.0}
    inner: list[type[BaseException]] = []

    @lab.stage
    def outer(context: Any, options: Any) -> Any:
        from crucible.pipeline import Runner

        try:
            Runner(lab.registry).run(lab.experiment({"name": "flaky", "retry": slow}), workspace=context.workspace)
        except BaseException as error:
            inner.append(type(error))
            raise
        finally:
            with pytest.raises(Cancelled):
                check_cancelled()

    async def scenario() -> None:
        task = asyncio.create_task(lab.arun("outer"))
        while not waiting.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_sync(scenario())
    assert inner == [Cancelled]
    assert lab.memory.finished[0][0].status == "cancelled"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_timeout_is_a_timeout_error(lab: Any, is_async: bool) -> None:
    """`errors: [TimeoutError]` covers a stage that took longer than its `timeout_s`."""

    def slow(context: Any, options: Any) -> Any:
        while True:
            check_cancelled()
            threading.Event().wait(0.002)

    async def aslow(context: Any, options: Any) -> Any:
        await asyncio.sleep(600)

    lab.knows(stage("slow")(aslow if is_async else slow))
    retry = {"attempts": 3, "wait_initial_s": 0.0, "errors": ["TimeoutError"]}
    result = lab.run({"name": "slow", "timeout_s": 0.02, "retry": retry})
    assert (result.failure.type, result.stages[0].attempt) == ("StageTimeout", 3)
    assert isinstance(result.error, TimeoutError)
