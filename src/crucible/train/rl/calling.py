"""Calling strangers' functions, plain or coroutines, so that what one raises is a value and the others go on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from crucible.pipeline import run_sync
from crucible.pipeline.cancel import is_stop

__all__ = ["call_each"]


def call_each(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each call returned, or the exception that it raised, in their order.

    Plain functions run one after another; what coroutine functions return is awaited together, in one event loop.

    Raises:
        Cancelled: One of them said that the run is to stop; so is whatever is no `Exception`.
    """
    found: list[Any] = []
    for call in calls:
        try:
            found.append(call())
        except Exception as error:
            if is_stop(error):
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
    return await asyncio.gather(*waiting, return_exceptions=True)
