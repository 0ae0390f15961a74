"""A block around each call of a function: plain, async, generator or async generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
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
    method = inspect.getattr_static(type(given), "__call__", None)  # of an object that is no function
    ways = {
        inspect.iscoroutinefunction: _awaited,
        inspect.isgeneratorfunction: _stepped,
        inspect.isasyncgenfunction: _stepped_async,
    }
    for is_kind, wrap in ways.items():
        if is_kind(given) or is_kind(method):
            wrapper = wrap(given, open_block)
            break
    else:
        wrapper = _called(given, open_block)
    return cast("Callable[P, R]", functools.update_wrapper(wrapper, given))


def _called(function: Callable[..., Any], open_block: Callable[[], Block]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        block = open_block()
        block.enter()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            block.leave(error)
            raise
        block.leave(None)
        return result

    return call


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
