"""Calling strangers' functions, plain or coroutines, so that what one raises is a value and the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from crucible.pipeline import check_cancelled, run_sync
from crucible.pipeline.cancel import is_stop

__all__ = ["call_each"]

_LOOK_S: Final = 0.2  # how long a request to stop may go unseen while all wait


def call_each(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each call returned, or the exception that it raised, in their order.

    Plain functions run one after another; what coroutine functions return is awaited together, in one event loop, and
    cancelled there when the run is asked to stop.

    Raises:
        Cancelled: The run was asked to stop, or one of them said so; as is raised whatever is no `Exception`.
    """
    found: list[Any] = []
    for call in calls:
        try:
            found.append(call())
        except Exception as error:
            if is_stop(error):
                _close(found)
                raise
            found.append(error)
    waiting = [place for place, value in enumerate(found) if inspect.isawaitable(value)]
    if waiting:
        for place, value in zip(waiting, run_sync(_all([found[place] for place in waiting])), strict=True):
            if isinstance(value, BaseException) and is_stop(value):
                raise value
            found[place] = value
    return found


async def _all(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    together = asyncio.gather(*waiting, return_exceptions=True)
    try:
        while not together.done():
            await asyncio.wait([together], timeout=_LOOK_S)
            check_cancelled()
        return await together
    finally:
        if not together.done():
            together.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await together


def _close(found: Sequence[Any]) -> None:
    """End the coroutines that nobody will await."""
    for value in found:
        if inspect.iscoroutine(value):
            value.close()
