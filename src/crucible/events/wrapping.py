"""Functions of which every call is a span: ordinary ones, coroutine functions, and generators of both kinds."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Protocol

from crucible.errors import ContractError

__all__ = ["wrapped"]


class _Span(Protocol):
    """The part of a span that is used here; `span` imports this."""

    def __enter__(self) -> Any: ...
    def __exit__(self, kind: Any, error: BaseException | None, trace: Any, /) -> None: ...
    def begin(self) -> None: ...
    def resume(self) -> None: ...
    def suspend(self) -> None: ...
    def end(self, error: BaseException | None) -> None: ...


_Make = Callable[[], _Span]


def wrapped(fn: Any, make: _Make) -> Any:
    """Return a function that does what `fn` does inside a span of its own.

    Args:
        fn: An ordinary function or method, a coroutine function, a generator function or an asynchronous one.
        make: Makes a span, which is opened here.

    Raises:
        ContractError: It is a class, or cannot be called.
    """
    if inspect.isclass(fn) or not callable(fn):
        raise ContractError(f"a span decorates a function, got {fn!r}; for a class decorate its methods")
    if inspect.isasyncgenfunction(fn):
        return _async_generator(fn, make)
    if inspect.isgeneratorfunction(fn):
        return _generator(fn, make)
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with make():
                return await fn(*args, **kwargs)

        return coroutine

    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        with make():
            return fn(*args, **kwargs)

    return function


@contextlib.contextmanager
def _resumed(span: _Span) -> Generator[None]:
    span.resume()
    try:
        yield
    finally:
        span.suspend()


@contextlib.contextmanager
def _whole(span: _Span) -> Generator[None]:
    """The time from a generator's first item to its end; being closed early is no failure."""
    span.begin()
    error: BaseException | None = None
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as raised:
        error = raised
        raise
    finally:
        span.end(error)


def _generator(fn: Callable[..., Generator[Any, Any, Any]], make: _Make) -> Callable[..., Generator[Any, Any, Any]]:
    @functools.wraps(fn)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = make()
        with _whole(span):
            items = fn(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(next, items)
            while True:
                try:
                    with _resumed(span):
                        item = step()
                except StopIteration as end:
                    return end.value
                try:
                    sent = yield item
                except GeneratorExit:
                    with _resumed(span):
                        items.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001  # the generator's to handle
                    step = functools.partial(items.throw, thrown)
                else:
                    step = functools.partial(items.send, sent)

    return generator


def _async_generator(
    fn: Callable[..., AsyncGenerator[Any, Any]], make: _Make
) -> Callable[..., AsyncGenerator[Any, Any]]:
    @functools.wraps(fn)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = make()
        with _whole(span):
            items = fn(*args, **kwargs)
            step: Callable[[], Any] = items.__anext__
            while True:
                try:
                    with _resumed(span):
                        item = await step()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    with _resumed(span):
                        await items.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001  # the generator's to handle
                    step = functools.partial(items.athrow, thrown)
                else:
                    step = functools.partial(items.asend, sent)

    return generator
