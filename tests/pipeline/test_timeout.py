"""`timeout_s`: an attempt that takes too long fails, whether or not its stage notices."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

from crucible.errors import Cancelled, StageTimeout
from crucible.pipeline import calling, check_cancelled

WHERE = pytest.mark.parametrize("needs", [None, []])


@WHERE
def test_a_sync_stage_that_checks_is_stopped(lab: Any, needs: Any) -> None:
    """A sync stage is asked to stop when its time is up; it has stopped when the run goes on."""
    ended = threading.Event()

    @lab.stage
    def slow(context: Any, options: Any) -> Any:
        try:
            while True:
                check_cancelled()
                threading.Event().wait(0.005)
        finally:
            ended.set()

    result = lab.run({"name": "slow", "timeout_s": 0.03, "needs": needs})
    assert ended.is_set()
    assert isinstance(result.error, StageTimeout)
    assert result.error.is_stopped
    assert result.failure.message == "pipeline[0] slow took longer than timeout_s = 0.03"
    assert result.stages[0].status == "failed"


def test_a_sync_stage_that_finishes_late_is_late(lab: Any) -> None:
    """A result that comes after the limit does not count, as with an async stage."""
    asked = threading.Event()

    @lab.stage
    def late(context: Any, options: Any) -> Any:
        while True:
            try:
                check_cancelled()
            except Cancelled:
                asked.set()
                return context.put_metric("late", True)
            threading.Event().wait(0.005)

    result = lab.run({"name": "late", "timeout_s": 0.03})
    assert asked.is_set()
    assert result.failure.type == "StageTimeout"
    assert result.context.metrics == {}


@WHERE
def test_a_sync_stage_that_does_not_check_is_left_alone(lab: Any, needs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the grace the run goes on without it, and says that it still runs; it is never tried again."""
    monkeypatch.setattr(calling, "GRACE_S", 0.05)
    calls: list[int] = []
    release, left = threading.Event(), threading.Event()

    @lab.stage
    def deaf(context: Any, options: Any) -> Any:
        calls.append(1)
        release.wait(30)
        left.set()
        return context

    lab.middleware = (Insists(),)
    result = lab.run({"name": "deaf", "timeout_s": 0.03, "needs": needs, "retry": {"attempts": 3, "wait_initial_s": 0}})
    assert not result.error.is_stopped
    assert "it does not ask `check_cancelled()`" in result.failure.message
    assert "is left alone" in result.failure.message
    assert calls == [1]
    release.set()
    assert left.wait(10)  # its end, after the loop has gone, disturbs nobody


class Insists:
    """Middleware that wants every attempt again."""

    def on_error(self, call: Any, error: Exception) -> Any:
        """Ask for another."""
        from crucible.pipeline import Again

        return Again()


def test_a_stage_that_was_left_alone_does_not_keep_the_process(tmp_path: Any) -> None:
    """A process whose stage never returns can still end."""
    code = textwrap.dedent(f"""
        import threading
        from pathlib import Path
        from crucible.ir import BackendRef, Experiment, StageDef
        from crucible.pipeline import Registry, Runner, calling, stage
        calling.GRACE_S = 0.05

        @stage("deaf")
        def deaf(context, options):
            threading.Event().wait()

        pipeline = (StageDef(name="deaf", timeout_s=0.05),)
        experiment = Experiment(id="e", backend=BackendRef(id="local"), pipeline=pipeline)
        result = Runner(Registry(deaf, installed=False)).run(experiment, workspace=Path({str(tmp_path)!r}))
        print(result.failure.type)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "StageTimeout\n", "")


@WHERE
def test_an_async_stage_is_cancelled(lab: Any, needs: Any) -> None:
    """An async stage gets CancelledError at its next await, and may clean up."""
    cleaned: list[bool] = []

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    result = lab.run({"name": "slow", "timeout_s": 0.03, "needs": needs})
    assert cleaned == [True]
    assert result.failure.message == "pipeline[0] slow took longer than timeout_s = 0.03"
    assert result.error.is_stopped


@pytest.mark.parametrize("answer", ["returns", "raises", "cancels"])
def test_an_async_stage_cannot_talk_its_way_out(lab: Any, answer: str) -> None:
    """Whatever an async stage makes of being cancelled, it took too long."""

    @lab.stage
    async def stubborn(context: Any, options: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if answer == "raises":
                raise ValueError("while cleaning up") from None
            if answer == "cancels":
                raise Cancelled("so be it") from None
        return context.put_metric("late", True)

    result = lab.run({"name": "stubborn", "timeout_s": 0.03})
    assert result.failure.type == "StageTimeout"
    assert result.context.metrics == {}


def test_threads_of_an_async_stage_are_told(lab: Any) -> None:
    """A thread that an async stage started sees that the stage's time is up."""
    stopped = threading.Event()

    def work() -> None:
        try:
            while True:
                check_cancelled()
                threading.Event().wait(0.005)
        finally:
            stopped.set()

    @lab.stage
    async def outsources(context: Any, options: Any) -> Any:
        await asyncio.to_thread(work)

    result = lab.run({"name": "outsources", "timeout_s": 0.05})
    assert result.failure.type == "StageTimeout"
    assert stopped.wait(10)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_timeout_of_the_stages_own_is_not_ours(lab: Any, kind: str) -> None:
    """A TimeoutError that the stage raises, from a socket say, is a failure of its own name."""

    def own(context: Any, options: Any) -> Any:
        raise TimeoutError("the socket")

    async def _own(context: Any, options: Any) -> Any:
        raise TimeoutError("the socket")

    _own.__name__ = "own"
    lab.stage(own if kind == "sync" else _own)
    result = lab.run({"name": "own", "timeout_s": 60.0})
    assert (result.failure.type, result.failure.message) == ("TimeoutError", "the socket")


def test_in_time_is_in_time(lab: Any) -> None:
    """A limit that is kept changes nothing, for sync and async stages."""
    result = lab.run({"name": "count", "timeout_s": 60.0}, {"name": "later", "timeout_s": 60.0})
    assert result.context.metrics == {"n": 1, "later": True}


def test_a_timeout_that_stopped_may_be_retried(lab: Any) -> None:
    """A stage that did stop when its time was up is worth another attempt."""
    tries: list[int] = []

    @lab.stage
    async def first_slow(context: Any, options: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.sleep(60)
        return context

    result = lab.run({"name": "first_slow", "timeout_s": 0.05, "retry": {"wait_initial_s": 0}})
    assert result.status == "completed"
    assert result.stages[0].attempt == 2
