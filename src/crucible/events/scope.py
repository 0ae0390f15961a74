"""Where code runs: the scope that travels with it, and the blocks that set one.

It lives in a context variable, so runs in several threads or tasks never see each other's events. A thread that is
started by hand begins outside of everything; `contextvars.copy_context().run` takes the scope along.
"""

from __future__ import annotations

import contextlib
import contextvars
from types import TracebackType
from typing import Any, ClassVar

import msgspec

from crucible.errors import ContractError

__all__ = ["Frame", "Scope", "Standing", "current_frame", "current_scope", "scope"]


class Scope(msgspec.Struct, frozen=True, gc=False):
    """Where in which run something happens.

    Args:
        run_id: The run, None outside of one.
        experiment_id: The experiment's id.
        stage: The running stage's name.
        stage_index: The running stage's place in the pipeline, from 0.
        span_id: The innermost open span.
        correlation_id: What everything shares that was done for one request: the id of the outermost span, unless a
            scope or a span set another; None outside of both.
        recording_id: The innermost telemetry experiment that is under way here.
    """

    run_id: str | None = None
    experiment_id: str | None = None
    stage: str | None = None
    stage_index: int | None = None
    span_id: str | None = None
    correlation_id: str | None = None
    recording_id: str | None = None


class Frame:
    """A block that has a scope, and what is around it.

    The context variable holds frames, not scopes, and no token is kept: a generator may be closed by another task, or
    before one that was opened inside it, and a token would raise there. A task keeps the frame in which it was made.

    Args:
        known: The scope of what is inside; None where `inside` makes it once somebody asks.
    """

    __slots__ = ("known", "outer")

    keeps: ClassVar[bool] = True
    """Whether its scope, once made, stays what it is."""

    def __init__(self, known: Scope | None) -> None:
        self.known = known
        self.outer: Frame = self

    def inside(self, around: Scope) -> Scope:
        """Return the scope of what is inside, given the one around it."""
        return around

    def scope(self) -> Scope:
        """Return the scope of what is inside."""
        known = self.known
        if known is not None:
            return known
        unknown: list[Frame] = []
        frame = self
        while (known := frame.known) is None:
            unknown.append(frame)
            frame = frame.outer
        for frame in reversed(unknown):
            known = frame.inside(known)
            if frame.keeps:
                frame.known = known
        return known

    def enter(self) -> None:
        """Make this the innermost frame of the code that goes on."""
        self.outer = current_frame.get()
        current_frame.set(self)

    def leave(self) -> None:
        """Go back to what was around it, past what was opened inside and never closed, if the code is in here."""
        frame = current_frame.get()
        while frame is not self:
            if frame is _OUTSIDE:
                return
            frame = frame.outer
        current_frame.set(self.outer)


_OUTSIDE = Frame(Scope())
current_frame: contextvars.ContextVar[Frame] = contextvars.ContextVar("crucible_scope", default=_OUTSIDE)
"""The innermost frame of the calling code."""


def current_scope() -> Scope:
    """Return where the calling code runs."""
    return current_frame.get().scope()


class _Scoped(Frame):
    """A block inside a scope; a class, because a generator costs three times as much."""

    __slots__ = ("_inner", "_is_open")

    def __init__(self, inner: Scope) -> None:
        super().__init__(inner)
        self._inner = inner
        self._is_open = False

    def __enter__(self) -> Scope:
        if self._is_open:
            raise ContractError("this block is open already; make another one for what is inside it")
        self._is_open = True
        self.enter()
        return self._inner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self.leave()


class Standing(Frame):
    """A scope that is entered once and left at any time, by any thread or task: what was opened inside stays as it is.

    Args:
        **changes: Fields of `Scope` to set; the others are inherited from where this is made.
    """

    __slots__ = ()

    keeps: ClassVar[bool] = False  # once it was left it has none of its own, and what is around it may be left later

    def __init__(self, **changes: Any) -> None:
        super().__init__(msgspec.structs.replace(current_scope(), **changes))

    def enter(self) -> None:
        """Make this the innermost frame of the code that goes on, in place of those that were left elsewhere."""
        around = current_frame.get()
        while isinstance(around, Standing) and around.known is None:
            around = around.outer
        self.outer = around
        current_frame.set(self)

    def leave(self) -> None:
        """Be no scope any more, wherever code still runs in it."""
        self.known = None
        frame = current_frame.get()
        if frame is self:
            current_frame.set(self.outer)
            return
        while frame is not _OUTSIDE:
            if frame.outer is self:
                frame.outer = self.outer
                return
            frame = frame.outer


def scope(**changes: Any) -> contextlib.AbstractContextManager[Scope]:
    """Run a block inside a run, an experiment, a stage or a request.

    Args:
        **changes: Fields of `Scope` to set; the others are inherited from where this is called.

    Raises:
        ContractError: The block is entered while it is open; once it ended it may be entered again.
    """
    return _Scoped(msgspec.structs.replace(current_scope(), **changes))
