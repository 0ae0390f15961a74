"""Spans: something that takes time, told when it begins and when it ends.

What a span needs only if somebody listens (its id, its scope, the names of its events) is made when it is asked for.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Mapping
from time import monotonic_ns
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from crucible.errors import ContractError
from crucible.events.board import EMPTY, Table, board, tell
from crucible.events.failures import error_words
from crucible.events.scope import Frame, Scope, current_frame
from crucible.events.wrapping import wrapped

__all__ = ["Span", "current_span", "span"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _new_ids() -> itertools.count[int]:
    """Return numbers of 16 hexadecimal digits from a random one on, so that no two processes give the same."""
    return itertools.count(int.from_bytes(os.urandom(8)) >> 2 | 1 << 62)


_lock = threading.RLock()
_ids = _new_ids()


def _begin_anew() -> None:
    global _ids, _lock  # noqa: PLW0603  # a forked child must not go on with the ids, nor wait for a lock, of its parent
    _ids = _new_ids()
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class Span(Frame):
    """A span: a context manager for one block, or a decorator for a function.

    Made by `span`. Inside the block, `measure` and `annotate` add to the closing event.
    """

    __slots__ = ("_around", "_correlation_id", "_id", "_measured", "_metadata", "_name", "_said", "_started")

    def __init__(self, name: str, metadata: Mapping[str, Any], correlation_id: str | None) -> None:
        self.known = None
        self._name = name
        self._metadata = metadata
        self._correlation_id = correlation_id
        self._around: Scope | None = None
        self._id: str | None = None
        self._measured: dict[str, Any] | None = None
        self._said: dict[str, Any] | None = None
        self._started = 0

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits, as OpenTelemetry has them; no other span of any process has the same."""
        if self._id is None:
            fresh = hex(next(_ids))[2:]  # noqa: FURB116  # half the time of an f-string
            with _lock:  # several threads may be inside of one span
                if self._id is None:
                    self._id = fresh
        return self._id

    @property
    def correlation_id(self) -> str:
        """What this span shares with everything that is done for the same request; known while it is open."""
        return cast("str", self.scope().correlation_id)

    def measure(self, **measurements: float) -> None:
        """Add numbers to the closing event."""
        if self._measured is None:
            self._measured = measurements
        else:
            self._measured.update(measurements)

    def annotate(self, **metadata: Any) -> None:
        """Add words to the closing event."""
        if self._said is None:
            self._said = metadata
        else:
            self._said.update(metadata)

    def around(self) -> Scope:
        """Return the scope of the span's own events: what is around it, and the correlation id."""
        around = self._around
        if around is None:
            outer = self.outer.known or self.outer.scope()
            correlation_id = self._correlation_id or outer.correlation_id
            if correlation_id is not None and correlation_id == outer.correlation_id:
                around = outer
            else:
                around = Scope(
                    outer.run_id,
                    outer.experiment_id,
                    outer.stage,
                    outer.stage_index,
                    outer.span_id,
                    correlation_id or self.span_id,
                    outer.recording_id,
                )
            self._around = around
        return around

    def inside(self, around: Scope) -> Scope:
        """Return the scope of what is inside."""
        around = self.around()
        return Scope(
            around.run_id,
            around.experiment_id,
            around.stage,
            around.stage_index,
            self.span_id,
            around.correlation_id,
            around.recording_id,
        )

    # --- a block ---

    def __enter__(self) -> Self:
        if self._started:
            raise ContractError("this span was opened before; make another one")
        self.outer = current_frame.get()
        table = board.table
        if table is not None:
            self._tell_start(table)
        current_frame.set(self)
        self._started = monotonic_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = monotonic_ns() - self._started
        if current_frame.get() is self:
            current_frame.set(self.outer)
        else:
            self.leave()
        table = board.table
        if table is not None:
            self._tell_end(table, took, error)

    # --- a generator, which is inside only while it runs ---

    def begin(self) -> None:
        """Tell that it begins, without entering it."""
        self.__enter__()
        self.scope()  # before what is around it changes
        self.suspend()

    def resume(self) -> None:
        """Enter it, wherever the code is now."""
        self.enter()

    def suspend(self) -> None:
        """Leave it without ending it."""
        self.leave()

    def end(self, error: BaseException | None) -> None:
        """Tell that it ended."""
        self.__exit__(None, error, None)

    # --- a function ---

    def __call__(self, fn: Callable[_P, _R], /) -> Callable[_P, _R]:
        """Return a function of which every call is a span of this name, with these words and this correlation id.

        Coroutine functions, generators and asynchronous generators, too. A generator's span lasts from its first item
        to its end, but whoever asks for the items is not inside of it; closing it early ends it as `.stop`. Inside,
        `current_span` is the call's span.

        Raises:
            ContractError: This is a class, or cannot be called.
        """
        return wrapped(fn, lambda: Span(self._name, self._metadata, self._correlation_id))

    # --- telling ---

    def _tell_start(self, table: Table) -> None:
        try:
            start = table.spans[self._name][0]
        except (KeyError, TypeError):
            start = table.span(self._name)[0]
        if start.listeners:
            span_id = self._id = hex(next(_ids))[2:]  # noqa: FURB116  # nobody is inside yet, so no lock
            try:
                tell(start, EMPTY, self._metadata, self.around(), span_id)
            except BaseException as stop:
                self._tell_end(table, 0, stop)  # whoever heard the start hears the end
                raise

    def _tell_end(self, table: Table, took_ns: int, error: BaseException | None) -> None:
        try:
            _, stopped, failed = table.spans[self._name]
        except (KeyError, TypeError):
            _, stopped, failed = table.span(self._name)
        route = stopped if error is None else failed
        if not route.listeners:
            return
        measurements: dict[str, Any] = {"duration_ns": took_ns}
        if self._measured is not None:
            measurements.update(self._measured)
        metadata = self._metadata
        if error is not None or self._said is not None:
            said = self._said or EMPTY
            failure = {} if error is None else {"error_type": type(error).__name__, "error": error_words(error)}
            metadata = {**_mapping(metadata), **said, **failure}
        tell(route, measurements, metadata, self._around or self.around(), self._id or self.span_id)


def _mapping(metadata: Any) -> Mapping[str, Any]:
    """Return metadata that can be added to; what is no mapping is kept under a name of its own."""
    return cast("Mapping[str, Any]", metadata) if isinstance(metadata, Mapping) else {"metadata": metadata}


def span(name: str, metadata: Mapping[str, Any] | None = None, *, correlation_id: str | None = None) -> Span:
    """Emit `name.start`, then `name.stop` or `name.exception` with `duration_ns`; events inside have it as parent.

    For a block (`with events.span("lab.step") as step:`) or a function (`@events.span("lab.step")`).

    Args:
        name: Dotted name without the last part, such as `crucible_framework.stage`.
        metadata: Words for both events, copied; `annotate` adds more to the closing one.
        correlation_id: What its events and everything inside share, such as the id of a request that came from
            outside. None: that of what is around it, or the span's own id where there is none.
    """
    if metadata is None:
        return Span(name, EMPTY, correlation_id)
    if type(metadata) is dict:
        return Span(name, {**metadata}, correlation_id)
    return Span(name, dict(metadata) if isinstance(metadata, Mapping) else metadata, correlation_id)  # pyright: ignore[reportUnnecessaryIsInstance]  # the emitter's mistake is the handlers' to bear


def current_span() -> Span | None:
    """Return the innermost open span of the calling code, to add to its closing event; None outside of spans."""
    frame = current_frame.get()
    while not isinstance(frame, Span):
        if frame.outer is frame:
            return None
        frame = frame.outer
    return frame
