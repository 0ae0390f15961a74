"""Fetching ahead: a thread makes the next batches while this one is used."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from crucible.errors import DataError

__all__ = ["Prefetched", "prefetch"]

T = TypeVar("T")


class _End:
    """What comes after the last value: nothing, or the error that ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetched(Generic[T]):
    """Values of an iterable, made up to `depth` ahead on a thread of its own; in order, each once.

    An error of the iterable is raised where its value would have come, after all before it. Leave early through `with`
    or `close`: the thread has then ended. Where the iterable has a `state()`, this has one, too: that of the values
    that were handed out, not of those that lie ready.

    Args:
        values: What to fetch.
        depth: Values made ahead, at least 1.

    Raises:
        DataError: `depth` is below 1.
    """

    def __init__(self, values: Iterable[T], depth: int = 2) -> None:
        self._is_over = True  # until there is a thread to be ended
        if depth < 1:
            raise DataError(f"at least 1 value is made ahead, got depth {depth}")
        state = cast("Callable[[], Mapping[str, Any]] | None", getattr(values, "state", None))
        self._state: Mapping[str, Any] | None = state() if state else None
        self._ready: queue.Queue[tuple[T, Mapping[str, Any] | None] | _End] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        context = contextvars.copy_context()
        work = (values, state, self._ready, self._stop)
        self._thread = threading.Thread(target=context.run, args=(_make, *work), name="prefetch", daemon=True)
        self._thread.start()
        self._is_over = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._is_over:
            raise StopIteration
        found = self._ready.get()
        if isinstance(found, _End):
            self.close()
            if found.error is not None:
                raise found.error
            raise StopIteration
        value, self._state = found
        return value

    def state(self) -> Mapping[str, Any]:
        """Return the position after the last value that was handed out.

        Raises:
            DataError: What is fetched has no state.
        """
        if self._state is None:
            raise DataError("what is fetched ahead has no state; Batches have one")
        return self._state

    def close(self) -> None:
        """Stop fetching, and wait until the thread has ended: it finishes the value that it is making."""
        self._is_over = True
        self._stop.set()
        while self._thread.is_alive():
            _drain(self._ready)  # a thread that waits for a place finds one
            self._thread.join(timeout=0.01)
        _drain(self._ready)

    def __enter__(self) -> Prefetched[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._is_over:
            self.close()


def prefetch(values: Iterable[T], depth: int = 2) -> Prefetched[T]:
    """Return the values of an iterable, made up to `depth` ahead on a thread; see `Prefetched`."""
    return Prefetched(values, depth)


def _drain(ready: queue.Queue[Any]) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return


def _make(
    values: Iterable[T],
    state: Callable[[], Mapping[str, Any]] | None,
    ready: queue.Queue[tuple[T, Mapping[str, Any] | None] | _End],
    stop: threading.Event,
) -> None:
    """Make values until there are no more, or nobody wants them. Holds no reference to who asked for them."""
    end = _End(None)
    try:
        source = iter(values)
        while not stop.is_set():
            try:
                value = next(source)
            except StopIteration:
                break
            ready.put((value, state() if state else None))
        close = getattr(source, "close", None)
        if stop.is_set() and close is not None:
            close()
    except BaseException as error:  # noqa: BLE001  # it is raised where the value would have come
        end = _End(error)
    if not stop.is_set():
        ready.put(end)
