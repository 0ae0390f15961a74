"""Stopping a run on request, and running async cores from sync code.

A run carries one `Cancellation` in a contextvar; loops in stages ask `check_cancelled()` once per step.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, TypeVar, cast

from crucible.errors import Cancelled

__all__ = ["Cancellation", "cancellable", "check_cancelled", "is_stop", "run_sync"]

T = TypeVar("T")
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
        self._listeners: dict[object, Callable[[], None]] = {}  # no lock: a signal's handler may ask, too

    def request(self) -> None:
        """Ask the run to stop: loops at the next step, what is awaited at once."""
        self._requested.set()
        for listener in tuple(self._listeners.values()):
            listener()

    @contextlib.contextmanager
    def told(self, listener: Callable[[], None]) -> Generator[None]:
        """Tell a listener when somebody asks while the block runs, also where somebody has asked before it.

        Args:
            listener: Called on the thread that asks; may be called more than once.
        """
        key, wider = object(), list(self._and_wider())
        for each in wider:
            each._listeners[key] = listener  # noqa: SLF001  # another one of these
        try:
            if self.is_requested:
                listener()
            yield
        finally:
            for each in wider:
                each._listeners.pop(key, None)  # noqa: SLF001

    def _and_wider(self) -> Iterator[Cancellation]:
        yield self
        if self._parent is not None:
            yield from self._parent._and_wider()  # noqa: SLF001  # another one of these

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

    The first Ctrl-C cancels the work, and `KeyboardInterrupt` goes on once it has cleaned up and written down its end;
    however often it is pressed, it does not end sooner.
    """
    interrupts = _Interrupts()

    async def main() -> T:
        interrupts.aim()
        return await work

    scope = contextvars.copy_context()
    with interrupts:
        if _is_loop_running():
            return _on_a_thread(lambda: scope.run(asyncio.run, main()), interrupts)
        return asyncio.run(main())


class _Interrupts:
    """What Ctrl-C does while work runs, its clean-up and that of its loop included: cancel it, once."""

    def __init__(self) -> None:
        self._is_pressed = False
        self._is_ours = False
        self._cancel: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # whoever has another one knows what to do
            signal.signal(signal.SIGINT, self.press)
            self._is_ours = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._is_pressed and (error is None or isinstance(error, asyncio.CancelledError)):
            raise KeyboardInterrupt from None

    def aim(self) -> None:
        """Cancel the current task from now on; at once where it was pressed before."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # inside a coroutine there is one
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel) and None
        if self._is_pressed:
            self._cancel()

    def press(self, *_: object) -> None:
        """Do what the first Ctrl-C does; the others do nothing."""
        if self._is_pressed:
            return
        self._is_pressed = True
        if self._cancel is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._cancel()


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _on_a_thread(work: Callable[[], T], interrupts: _Interrupts) -> T:
    """Do work on a thread and wait for its end, also where a handler of somebody else's interrupts the waiting."""
    results: list[T] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def target() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # handed to the caller below
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=target, name="crucible-run-sync").start()
    while not ended.is_set():
        try:
            ended.wait()  # not `join`: interrupted once, Python 3.11 takes the thread for ended
        except KeyboardInterrupt:
            interrupts.press()
    if errors:
        raise errors[0]
    return results[0]
