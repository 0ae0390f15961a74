"""Calling a stage's function: in the loop, in a thread, with a time limit, and so that it can be stopped.

The runner is written once, as coroutines. A stretch of synchronous stages is carried through on one thread by `drive`,
without an event loop; whatever needs one (an async stage, a time limit, a branch) is awaited in the run's own loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from crucible import events
from crucible.errors import Cancelled, StageError, StageTimeout
from crucible.pipeline.cancel import Cancellation, cancellable

__all__ = ["GRACE_S", "as_failure", "awaited", "drive", "in_thread", "on_thread", "with_limit"]

T = TypeVar("T")
GRACE_S = 5.0
"""Seconds that a synchronous stage has to notice that its time is up."""


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Carry a coroutine that never waits for an event loop to its end, on this thread."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    work.close()
    raise RuntimeError("a stage that waits for an event loop was carried on a thread")


async def in_thread(
    work: Callable[[], T], cancellation: Cancellation, *, timeout_s: float | None = None, what: str = ""
) -> T:
    """Do work on a thread of its own; a cancelled caller asks it to stop and waits until it has.

    Args:
        work: What to do.
        cancellation: How it is asked to stop.
        timeout_s: Seconds that it may take.
        what: How the message names it.

    Raises:
        StageTimeout: It took longer. If it did not stop `GRACE_S` later either, it is left alone on its thread.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    scope = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        future.set_exception(error) if error is not None else future.set_result(result)  # pyright: ignore[reportArgumentType]  # one of the two is there

    def target() -> None:
        result, error = None, None
        try:
            result = scope.run(work)
        except (asyncio.CancelledError, StopIteration) as raised:  # a future has meanings of its own for these
            error = _renamed(raised)
        except BaseException as raised:  # noqa: BLE001  # handed to whoever waits
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: the work was left alone
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=target, name="crucible-stage", daemon=True).start()
    try:
        if timeout_s is None:
            await asyncio.wait([future])
        else:
            await _wait_in_time(future, cancellation, timeout_s, what)
        return future.result()
    except asyncio.CancelledError:
        cancellation.request()
        events.emit("crucible_framework.run.cancelling")
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):  # asking twice does not make it end sooner
                await asyncio.wait([future])
        raise
    finally:
        if future.done() and not future.cancelled():
            future.exception()  # looked at, so that asyncio does not complain that nobody did


async def _wait_in_time(future: asyncio.Future[Any], cancellation: Cancellation, timeout_s: float, what: str) -> None:
    done, _ = await asyncio.wait([future], timeout=timeout_s)
    if done:
        return
    cancellation.request()
    done, _ = await asyncio.wait([future], timeout=GRACE_S)
    end = (
        "" if done else f"; it does not ask `check_cancelled()`, so it still runs {GRACE_S:g} s later and is left alone"
    )
    raise StageTimeout(f"{what} took longer than timeout_s = {timeout_s:g}{end}", is_stopped=bool(done))


async def with_limit(
    function: Callable[..., Any], arguments: tuple[Any, ...], timeout_s: float | None, run: Cancellation, *, what: str
) -> Any:
    """Call a stage's function from the run's loop: an async one there, another one on a thread.

    Args:
        function: The stage's `run` or `rebuild`.
        arguments: Context and options.
        timeout_s: Seconds that it may take; None: as long as it likes.
        run: How the run is asked to stop.
        what: How messages name the stage.

    Raises:
        StageTimeout: It took longer.
    """
    is_async = inspect.iscoroutinefunction(function)
    if is_async and timeout_s is None:
        return await awaited(function(*arguments), run)
    with cancellable(Cancellation(run)) as own:
        if not is_async:
            return await in_thread(lambda: on_thread(function, *arguments), own, timeout_s=timeout_s, what=what)
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await awaited(function(*arguments), own)
        except BaseException as error:
            own.request()  # for threads that it started
            if limit.expired() and isinstance(error, TimeoutError):
                raise StageTimeout(f"{what} took longer than timeout_s = {timeout_s:g}") from error
            raise


async def awaited(work: Coroutine[Any, Any, T], run: Cancellation) -> T:
    """Await a stage, or a pause. A request to stop holds whatever the stage makes of it.

    Args:
        work: What to await.
        run: How others ask for a stop; the work gets CancelledError at once, and `Cancelled` goes on.

    Raises:
        Cancelled: Somebody asked through `run`, or the stage stopped itself.
        asyncio.CancelledError: The task was cancelled.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101  # inside a coroutine there is one
    asked, cut = task.cancelling(), asyncio.Event()
    result: T | None = None
    error: BaseException | None = None
    is_over = False

    def stop() -> None:
        if not is_over and not cut.is_set():
            cut.set()
            task.cancel()

    def listener() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the work has ended
            loop.call_soon_threadsafe(stop)

    with run.told(listener):
        try:
            result = await work
        except BaseException as raised:  # noqa: BLE001  # goes on below
            error = raised
        is_over = True
    if cut.is_set():
        task.uncancel()
    if task.cancelling() > asked and (error is None or isinstance(error, (Exception, asyncio.CancelledError))):
        raise asyncio.CancelledError from error
    if cut.is_set():
        raise Cancelled("the run was asked to stop") from error
    if isinstance(error, asyncio.CancelledError):
        raise _renamed(error) from error
    if error is not None:
        raise error
    return cast("T", result)


def on_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call a stage's function on a thread of its own; there, `sys.exit` and Ctrl-C can only be its own doing.

    Raises:
        StageError: It raised `SystemExit` or `KeyboardInterrupt`, which would end the thread alone.
    """
    try:
        return function(*arguments)
    except (SystemExit, KeyboardInterrupt) as error:
        raise as_failure(error) from error


def as_failure(error: SystemExit | KeyboardInterrupt) -> StageError:
    """Return what a stage raised that means the whole process elsewhere as what it is: a failure of the stage."""
    if isinstance(error, SystemExit):
        return StageError(f"the stage called sys.exit({'' if error.code is None else repr(error.code)})")
    return StageError("the stage raised KeyboardInterrupt")


def _renamed(error: BaseException) -> Exception:
    """Return an error that asyncio would take for a sign of its own as what it is: a stage's."""
    if isinstance(error, asyncio.CancelledError):
        renamed: Exception = Cancelled("the stage stopped itself with CancelledError")
    else:
        renamed = RuntimeError("the stage raised StopIteration")
    renamed.__cause__ = error
    return renamed
