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
from typing import Any, TypeVar

from crucible import events
from crucible.errors import Cancelled, StageTimeout
from crucible.pipeline.cancel import Cancellation, cancellable

__all__ = ["GRACE_S", "drive", "in_thread", "with_limit"]

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
        return await _awaited(function(*arguments))
    with cancellable(Cancellation(run)) as own:
        if not is_async:
            return await in_thread(lambda: function(*arguments), own, timeout_s=timeout_s, what=what)
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await _awaited(function(*arguments))
        except BaseException as error:
            own.request()  # for threads that it started
            if limit.expired() and isinstance(error, TimeoutError):
                raise StageTimeout(f"{what} took longer than timeout_s = {timeout_s:g}") from error
            raise


async def _awaited(work: Coroutine[Any, Any, T]) -> T:
    """Await a stage. A request to stop holds whatever the stage makes of it; one that nobody made stops the stage."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # inside a coroutine there is one
    asked = task.cancelling()
    try:
        result = await work
    except asyncio.CancelledError as error:
        if task.cancelling() > asked:
            raise
        raise _renamed(error) from error
    except Exception as error:
        if task.cancelling() > asked:
            raise asyncio.CancelledError from error
        raise
    if task.cancelling() > asked:
        raise asyncio.CancelledError
    return result


def _renamed(error: BaseException) -> Exception:
    """Return an error that asyncio would take for a sign of its own as what it is: a stage's."""
    if isinstance(error, asyncio.CancelledError):
        renamed: Exception = Cancelled("the stage stopped itself with CancelledError")
    else:
        renamed = RuntimeError("the stage raised StopIteration")
    renamed.__cause__ = error
    return renamed
