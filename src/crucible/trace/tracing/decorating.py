"""A block around each call of a function: plain, async, generator or async generator.

A plain call that returns something to be awaited, as wrappers of async functions do, is over when that is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from crucible.trace.tracing.block import Block

__all__ = ["decorated"]

P = ParamSpec("P")
R = TypeVar("R")


def decorated(function: Callable[P, R], open_block: Callable[[], Block]) -> Callable[P, R]:
    """Return a function that does the same within a block, of the same kind as `function`.

    Args:
        function: Anything that can be called. A generator's block opens at its first step.
        open_block: Makes the block of one call.

    Raises:
        TypeError: `function` cannot be called, or is a class.
    """
    if not callable(function) or inspect.isclass(function):
        raise TypeError(f"expected a function to trace, got {function!r}")
    given = cast("Callable[..., Any]", function)
    inner = _unwrapped(given)
    method = inspect.getattr_static(type(inner), "__call__", None)  # of an object that is no function
    ways = {
        inspect.iscoroutinefunction: _awaited,
        inspect.isgeneratorfunction: _stepped,
        inspect.isasyncgenfunction: _stepped_async,
    }
    for is_kind, wrap in ways.items():
        if is_kind(inner) or is_kind(method):
            wrapper = wrap(given, open_block)
            break
    else:
        wrapper = _called(given, open_block)
    made = functools.update_wrapper(wrapper, given)
    return cast("Callable[P, R]", staticmethod(made) if isinstance(given, staticmethod) else made)


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a static method or a partial one calls."""
    while isinstance(function, staticmethod | functools.partial):
        function = cast(
            "Callable[..., Any]", function.__func__ if isinstance(function, staticmethod) else function.func
        )
    return function


def _called(function: Callable[..., Any], open_block: Callable[[], Block]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        block = open_block()
        block.enter()
        try:
            result = function(*args, **kwargs)
            if _is_awaited(result):
                block.set_aside()
                return _to_be_awaited(result, block)
        except BaseException as error:
            block.leave(error)
            raise
        block.leave(None)
        return result

    return call


def _is_awaited(result: Any) -> bool:
    """Return whether a call is over only when its result is: a coroutine, or a future of asyncio.

    Other things that can be awaited have faces of their own (a handle, a query), and are not for us to replace.
    """
    return inspect.iscoroutine(result) or (inspect.isawaitable(result) and _is_future(result))


def _is_future(result: Any) -> bool:
    import asyncio  # slow to import; whoever makes something to be awaited has done so already

    return asyncio.isfuture(result)


def _to_be_awaited(result: Awaitable[Any], block: Block) -> Awaitable[Any]:
    """Return what gives the same when it is awaited, and ends the block; a future is watched and stays itself."""
    import asyncio

    if not asyncio.isfuture(result):
        return _rest(result, block)

    def end(future: asyncio.Future[Any]) -> None:
        try:
            error = future.exception()
        except asyncio.CancelledError as cancelled:
            error = cancelled
        block.close(error)

    result.add_done_callback(end)
    return result


async def _rest(result: Awaitable[Any], block: Block) -> Any:
    block.enter()
    try:
        value = await result
    except BaseException as error:
        block.leave(error)
        raise
    block.leave(None)
    return value


def _awaited(function: Callable[..., Any], open_block: Callable[[], Block]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        block = open_block()
        block.enter()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            block.leave(error)
            raise
        block.leave(None)
        return result

    return call


def _stepped(function: Callable[..., Any], open_block: Callable[[], Block]) -> Callable[..., Any]:
    def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        block = open_block()
        try:
            result = yield from _steps(block, function(*args, **kwargs))
        except BaseException as error:
            block.close(error)
            raise
        block.close(None)
        return result

    return generate


def _steps(block: Block, inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Pass a generator through, the block innermost while it runs."""
    step: Callable[[], Any] = partial(next, inner)
    while True:
        try:
            with block.step():
                item = step()
        except StopIteration as stop:
            return stop.value
        try:
            sent = yield item
        except GeneratorExit:
            with block.step():
                inner.close()
            raise
        except BaseException as error:  # noqa: BLE001  # the generator inside is the one to handle it
            step = partial(inner.throw, error)
        else:
            step = partial(inner.send, sent)


def _stepped_async(function: Callable[..., Any], open_block: Callable[[], Block]) -> Callable[..., Any]:
    async def generate(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        block = open_block()
        inner: AsyncGenerator[Any, Any] = function(*args, **kwargs)
        step: Callable[[], Any] = partial(anext, inner)
        try:
            while True:
                try:
                    with block.step():
                        item = await step()
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    with block.step():
                        await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  # the generator inside is the one to handle it
                    step = partial(inner.athrow, error)
                else:
                    step = partial(inner.asend, sent)
        except BaseException as error:
            block.close(error)
            raise
        block.close(None)

    return generate
