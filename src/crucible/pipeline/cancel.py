"""Stopping a run on request, and running async cores from sync code.

A run carries one `Cancellation` in a contextvar; loops in stages ask `check_cancelled()` once per step.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar, cast

from crucible.errors import Cancelled

__all__ = ["Cancellation", "cancellable", "check_cancelled", "is_stop", "run_sync"]

T = TypeVar("T")
_START_S = 10.0  # a thread that was interrupted as it started may never start
_LOOK_S = 0.1  # a wider request wakes nobody who waits for his own; so he looks


def is_stop(error: BaseException) -> bool:
    """Return whether an error stops a run without being a failure of its stage, such as `Cancelled` or `SystemExit`."""
    if isinstance(error, ExceptionGroup):
        return all(is_stop(inner) for inner in cast("ExceptionGroup[Exception]", error).exceptions)
    return isinstance(error, Cancelled) or not isinstance(error, Exception)


class Cancellation:
    """A request to stop, seen by every thread of a run.

    Args:
        parent: A wider request; what stops it stops this one too.
    """

    def __init__(self, parent: Cancellation | None = None) -> None:
        self._requested = threading.Event()
        self._parent = parent

    def request(self) -> None:
        """Ask the run to stop at the next step."""
        self._requested.set()

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked."""
        return self._requested.is_set() or (self._parent is not None and self._parent.is_requested)

    def check(self) -> None:
        """Raise if somebody asked.

        Raises:
            Cancelled: The run was asked to stop.
        """
        if self.is_requested:
            raise Cancelled("the run was asked to stop")

    def wait(self, seconds: float) -> None:
        """Wait so long on this thread, or until somebody asks.

        Raises:
            Cancelled: The run was asked to stop.
        """
        deadline = time.monotonic() + seconds
        while not self.is_requested and (left := deadline - time.monotonic()) > 0:
            self._requested.wait(left if self._parent is None else min(left, _LOOK_S))
        self.check()


_current: contextvars.ContextVar[Cancellation | None] = contextvars.ContextVar("crucible_cancellation", default=None)


@contextlib.contextmanager
def cancellable(cancellation: Cancellation | None = None) -> Generator[Cancellation]:
    """Run a block whose loops can be stopped through the yielded request.

    Args:
        cancellation: The request to use; None makes one below that of the block around it.
    """
    cancellation = Cancellation(_current.get()) if cancellation is None else cancellation
    token = _current.set(cancellation)
    try:
        yield cancellation
    finally:
        _current.reset(token)


def check_cancelled() -> None:
    """Raise if the run was asked to stop; call it once per step of a long loop.

    Raises:
        Cancelled: The run was asked to stop.
    """
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.check()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run an async core to its end from sync code, also where an event loop already runs (a notebook).

    Ctrl-C cancels the work and waits for it to clean up before `KeyboardInterrupt` goes on.
    """
    return _run_beside(work) if _is_loop_running() else asyncio.run(work)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_beside(work: Coroutine[Any, Any, T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []
    started, ended = threading.Event(), threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # inside a coroutine there is one
        running.append((asyncio.get_running_loop(), task))
        started.set()
        return await work

    def target() -> None:
        try:
            results.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001  # handed to the caller below
            errors.append(error)
        finally:
            started.set()
            ended.set()

    scope = contextvars.copy_context()
    try:
        threading.Thread(target=lambda: scope.run(target), name="crucible-run-sync").start()
        ended.wait()  # not `join`: interrupted once, Python 3.11 takes the thread for ended
    except KeyboardInterrupt:
        started.wait(_START_S)
        for loop, task in running:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)
            ended.wait()
        raise
    if errors:
        raise errors[0]
    return results[0]
