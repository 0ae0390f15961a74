"""Stopping a run: the request reaches the running stage, is recorded, and goes on to whoever asked."""

import asyncio
import threading
from typing import Any

import pytest

from crucible import events
from crucible.errors import Cancelled
from crucible.pipeline import Cancellation, Runner, cancellable, check_cancelled, run_sync
from crucible.pipeline.cancel import is_stop

WHERE = pytest.mark.parametrize("needs", [None, []])


async def cancel_when(started: threading.Event, work: Any, expected: Any = asyncio.CancelledError) -> BaseException:
    """Cancel work as soon as `started` is set; returns what came out of it."""
    task = asyncio.create_task(work)
    while not started.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(expected) as caught:
        await task
    return caught.value


@WHERE
def test_cancelling_reaches_a_running_sync_stage(lab: Any, needs: Any) -> None:
    """A cancelled task stops a stage in its thread at its next check, waits for it, and records it."""
    started, ended = threading.Event(), threading.Event()

    @lab.stage
    def slow(context: Any, options: Any) -> Any:
        try:
            while True:
                started.set()
                check_cancelled()
                threading.Event().wait(0.002)
        finally:
            ended.set()

    with events.collect("crucible_framework.run.cancelling") as told:
        asyncio.run(cancel_when(started, lab.arun({"name": "slow", "needs": needs}, "count")))
    assert ended.is_set()
    assert len(told) == 1
    assert lab.memory.ended == ("cancelled", None)
    (record,) = [record for record, _ in lab.memory.finished]
    assert (record.status, record.reason) == ("cancelled", "the run was asked to stop")


@WHERE
def test_cancelling_reaches_a_running_async_stage(lab: Any, needs: Any) -> None:
    """An async stage gets CancelledError and may clean up before the run ends."""
    started, cleaned = threading.Event(), list[str]()

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        try:
            started.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append("yes")

    asyncio.run(cancel_when(started, lab.arun({"name": "slow", "needs": needs, "on_error": "skip"}, "count")))
    assert cleaned == ["yes"]
    assert lab.memory.ended == ("cancelled", None)
    assert [record.status for record, _ in lab.memory.finished] == ["cancelled"]


@WHERE
@pytest.mark.parametrize("answer", ["returns", "raises"])
def test_an_async_stage_cannot_ignore_it(lab: Any, answer: str, needs: Any) -> None:
    """A stage that swallows the request, or makes a failure of it, is still cancelled: nothing is retried or run on."""
    started, calls = threading.Event(), list[int]()

    @lab.stage
    async def stubborn(context: Any, options: Any) -> Any:
        calls.append(1)
        try:
            started.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if answer == "raises":
                raise OSError("connection lost") from None
        return context

    entry = {"name": "stubborn", "needs": needs, "retry": {"wait_initial_s": 0.0}, "on_error": "continue"}
    asyncio.run(cancel_when(started, lab.arun(entry, "count")))
    assert calls == [1]
    assert [record.status for record, _ in lab.memory.finished] == ["cancelled"]
    assert lab.memory.ended == ("cancelled", None)


def test_a_sync_stage_that_swallows_it_is_the_last(lab: Any) -> None:
    """A stage that finishes although it was asked to stop is ok; the next one does not begin."""
    started, asked = threading.Event(), threading.Event()

    @lab.stage
    def stubborn(context: Any, options: Any) -> Any:
        started.set()
        while not asked.is_set():
            try:
                check_cancelled()
            except Cancelled:
                asked.set()
            threading.Event().wait(0.002)
        return context

    asyncio.run(cancel_when(started, lab.arun("stubborn", "count")))
    assert [(record.name, record.status) for record, _ in lab.memory.finished] == [("stubborn", "ok")]
    assert lab.memory.ended == ("cancelled", None)


def test_asking_twice_does_not_abandon_the_stage(lab: Any) -> None:
    """A second cancel waits for the running stage as the first did, so nothing writes behind the run's back."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    @lab.stage
    def deaf(context: Any, options: Any) -> Any:
        started.set()
        release.wait(30)
        ended.set()
        return context

    async def scenario() -> None:
        task = asyncio.create_task(lab.arun("deaf"))
        while not started.is_set():
            await asyncio.sleep(0.001)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scenario())


def test_cancelling_while_a_late_stage_has_its_grace(lab: Any) -> None:
    """A request that comes while a stage over its time is given a last chance waits for the stage."""
    started, release = threading.Event(), threading.Event()

    @lab.stage
    def deaf(context: Any, options: Any) -> Any:
        while True:
            try:
                check_cancelled()
            except Cancelled:
                started.set()
                release.wait(30)
                return context
            threading.Event().wait(0.002)

    async def scenario() -> None:
        task = asyncio.create_task(lab.arun({"name": "deaf", "timeout_s": 0.02}))
        while not started.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert [record.status for record, _ in lab.memory.finished] == ["cancelled"]


def test_cancelling_all_branches(lab: Any) -> None:
    """Every running branch is stopped and recorded; what waits has no record."""
    both = threading.Barrier(2, timeout=30)
    started = threading.Event()

    @lab.stage
    def slow(context: Any, options: Any) -> Any:
        both.wait()
        started.set()
        while True:
            check_cancelled()
            threading.Event().wait(0.002)

    entries = [{"name": "slow", "id": "a", "needs": []}, {"name": "slow", "id": "b", "needs": []}]
    asyncio.run(cancel_when(started, lab.arun(*entries, "count")))
    reasons = [(record.status, record.reason) for record, _ in lab.memory.finished]
    assert reasons == [("cancelled", "the run was asked to stop")] * 2


def test_threads_that_a_stage_left_are_told(lab: Any) -> None:
    """When a run is stopped, a thread that an async stage started sees it."""
    started, stopped = threading.Event(), threading.Event()

    def work() -> None:
        try:
            while True:
                started.set()
                check_cancelled()
                threading.Event().wait(0.002)
        except Cancelled:
            stopped.set()

    @lab.stage
    async def outsources(context: Any, options: Any) -> Any:
        await asyncio.to_thread(work)

    asyncio.run(cancel_when(started, lab.arun("outsources")))
    assert stopped.wait(10)


def test_a_stage_may_end_as_cancelled_itself(lab: Any) -> None:
    """Cancelled raised inside a stage is a cancellation with its own reason, not a failure."""

    @lab.stage
    def stop(context: Any, options: Any) -> Any:
        raise Cancelled("the budget is used up")

    with pytest.raises(Cancelled):
        lab.run("stop")
    assert lab.memory.ended == ("cancelled", None)
    assert lab.memory.finished[0][0].reason == "the budget is used up"


@pytest.mark.parametrize("place", ["stage_finished", "run_finished"])
def test_a_lost_record_does_not_hide_the_request(lab: Any, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where the record of a cancellation cannot be written, it still goes on, with a note and a line in the log."""
    started = threading.Event()

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        started.set()
        await asyncio.sleep(60)

    lab.memory.fail_at = place
    error = asyncio.run(cancel_when(started, lab.arun("slow")))
    assert "the record of it could not be written: disk full" in error.__notes__
    assert "could not be written: disk full" in caplog.text


def test_a_deadline_around_a_run(lab: Any) -> None:
    """`asyncio.timeout` around a run works as around anything else."""

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        await asyncio.sleep(60)

    async def scenario() -> None:
        async with asyncio.timeout(0.05):
            await lab.arun("slow")

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    assert lab.memory.ended == ("cancelled", None)


def test_run_sync_works_inside_a_running_loop(lab: Any) -> None:
    """The sync shell works where a loop already runs, as in a notebook, and passes errors on."""

    async def notebook() -> Any:
        return lab.run("later", "count").context.metrics

    assert asyncio.run(notebook()) == {"later": True, "n": 1}

    async def failing() -> None:
        raise KeyError("x")

    async def outer() -> None:
        run_sync(failing())

    with pytest.raises(KeyError):
        asyncio.run(outer())


def test_a_notebook_keeps_its_scope(lab: Any) -> None:
    """A run from a notebook is inside the scope of the cell that started it."""
    with events.collect("crucible_framework.stage.start") as found:

        async def notebook() -> None:
            with events.scope(experiment_id="outer"), cancellable():
                lab.run("count", run_id="r")

        asyncio.run(notebook())
    assert (found[0].scope.run_id, found[0].scope.experiment_id) == ("r", "e")


def test_a_request_is_seen_below_and_not_above() -> None:
    """A narrower request does not stop what is around it; a wider one stops what is inside."""
    with cancellable() as outer:
        with cancellable() as inner:
            inner.request()
            with pytest.raises(Cancelled):
                check_cancelled()
        check_cancelled()
        outer.request()
        with cancellable() as inner, pytest.raises(Cancelled):
            inner.wait(600)
    check_cancelled()


def test_waiting_ends_by_itself() -> None:
    """Without a request a wait takes its time and returns."""
    Cancellation().wait(0.01)
    Cancellation(Cancellation()).wait(0.01)
    Cancellation().wait(-1.0)


def test_what_stops_a_run() -> None:
    """A stop is what somebody asked for; a failure is anything else."""
    stops = [Cancelled("x"), asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()]
    assert all(map(is_stop, [*stops, ExceptionGroup("g", [Cancelled("x")]), BaseExceptionGroup("g", stops)]))
    assert not any(map(is_stop, [ValueError(), TimeoutError(), ExceptionGroup("g", [Cancelled("x"), ValueError()])]))


def test_the_runner_has_no_run_without_its_loop(lab: Any) -> None:
    """`run` in a thread without a loop makes one of its own."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(Runner(lab.registry).run(lab.experiment("later"))))
    thread.start()
    thread.join()
    assert results[0].status == "completed"
    results[0].context.workspace.rmdir()


@WHERE
@pytest.mark.parametrize("answer", ["stops", "swallows", "fails"])
@pytest.mark.parametrize("timeout_s", [None, 30.0])
def test_a_request_from_another_thread_reaches_what_is_awaited(
    lab: Any, answer: str, timeout_s: Any, needs: Any
) -> None:
    """`Cancellation.request()` cuts an async stage short whatever it makes of it; nothing is run on, nor completed."""
    stopping, started = Cancellation(), threading.Event()

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        started.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            if answer == "stops":
                raise
            if answer == "fails":
                raise OSError("connection lost") from None
        return context

    thread = threading.Thread(target=lambda: started.wait(30) and stopping.request())
    thread.start()
    entry = {"name": "slow", "needs": needs, "timeout_s": timeout_s, "on_error": "continue"}
    with pytest.raises(Cancelled, match="asked to stop"):
        lab.run(entry, cancellation=stopping)
    thread.join()
    assert lab.memory.ended == ("cancelled", None)
    assert [record.status for record, _ in lab.memory.finished] == ["cancelled"]


@WHERE
@pytest.mark.parametrize("timeout_s", [None, 30.0])
def test_a_request_from_another_thread_ends_the_wait_for_another_attempt(lab: Any, timeout_s: Any, needs: Any) -> None:
    """A stage that waits to be tried again is not tried again."""
    stopping = Cancellation()

    @lab.stage
    def fails(context: Any, options: Any) -> Any:
        threading.Timer(0.05, stopping.request).start()
        raise OSError("busy")

    retry = {"attempts": 2, "wait_initial_s": 600.0, "wait_max_s": 600.0}
    with pytest.raises(Cancelled):
        lab.run({"name": "fails", "needs": needs, "timeout_s": timeout_s, "retry": retry}, cancellation=stopping)
    assert lab.memory.ended == ("cancelled", None)
    assert [record.status for record, _ in lab.memory.finished] == ["failed"]


@pytest.mark.parametrize("verdict", ["skip", "continue", "fallback"])
def test_a_stage_that_failed_because_it_was_stopped_does_not_complete_the_run(lab: Any, verdict: str) -> None:
    """A stage that makes a failure of the request is not passed over: the run is cancelled."""
    stopping = Cancellation()

    @lab.stage
    def fails(context: Any, options: Any) -> Any:
        stopping.request()
        raise OSError("connection lost")

    fallback = {"name": "count"} if verdict == "fallback" else None
    with pytest.raises(Cancelled):
        lab.run({"name": "fails", "on_error": verdict, "fallback": fallback}, cancellation=stopping)
    assert lab.memory.ended == ("cancelled", None)


def test_who_listens_is_told_of_wider_and_earlier_requests_and_not_of_later_ones() -> None:
    """A listener hears requests around its own, one that is there already, and none once its block has ended."""
    wide, told = Cancellation(), list[str]()
    narrow = Cancellation(wide)
    with narrow.told(lambda: told.append("first")):
        wide.request()
    with narrow.told(lambda: told.append("late")):
        assert told == ["first", "late"]
    narrow.request()
    assert told == ["first", "late"]
