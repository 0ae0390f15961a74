"""Stopping a run on request, and running async cores from sync code.

A run carries one `Cancellation` in a contextvar; loops in stages ask `check_cancelled()` once per step.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from crucible.errors import Cancelled

__all__ = ["Cancellation", "cancellable", "check_cancelled", "run_sync"]

T = TypeVar("T")


class Cancellation:
    """A request to stop, seen by every thread of a run."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    def request(self) -> None:
        """Ask the run to stop at the next step."""
        self._requested.set()

    @property
    def is_requested(self) -> bool:
        """Whether somebody asked."""
        return self._requested.is_set()


_current: contextvars.ContextVar[Cancellation | None] = contextvars.ContextVar("crucible_cancellation", default=None)


@contextlib.contextmanager
def cancellable() -> Generator[Cancellation]:
    """Run a block whose loops can be stopped through the yielded request."""
    cancellation = Cancellation()
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
    if cancellation is not None and cancellation.is_requested:
        raise Cancelled("the run was asked to stop")


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run an async core to its end from sync code, also where an event loop already runs (a notebook).

    Ctrl-C cancels the work and waits for it to clean up before `KeyboardInterrupt` goes on.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _run_beside(work)


def _run_beside(work: Coroutine[Any, Any, T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []
    started = threading.Event()
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

    scope = contextvars.copy_context()
    thread = threading.Thread(target=lambda: scope.run(target), name="crucible-run-sync")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        started.wait()
        loop, task = running[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if errors:
        raise errors[0]
    return results[0]
