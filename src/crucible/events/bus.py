"""The bus: emit, attach, span, decision, and the scope that travels with the code.

A handler that raises is counted and stays attached; it never breaks the emitter. Scope lives in contextvars, so runs in
several threads or tasks never see each other's events. Nobody listening costs one attribute test.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from crucible.errors import ContractError
from crucible.events.registry import aliases, canonical_name

__all__ = [
    "Event",
    "Handler",
    "Scope",
    "Span",
    "attach",
    "attached",
    "collect",
    "current_scope",
    "decision",
    "detach",
    "emit",
    "handler_errors",
    "scope",
    "span",
]


class Scope(msgspec.Struct, frozen=True):
    """Where in which run something happens.

    Args:
        run_id: The run, None outside of one.
        experiment_id: The experiment's id.
        stage: The running stage's name.
        stage_index: The running stage's place in the pipeline, from 0.
        span_id: The innermost open span.
    """

    run_id: str | None = None
    experiment_id: str | None = None
    stage: str | None = None
    stage_index: int | None = None
    span_id: str | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that happened.

    Args:
        name: Dotted name, such as `crucible_train.batch.stop`.
        measurements: Numbers; durations are `duration_ns`.
        metadata: Words and structures.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
        scope: Where it happened.
        span_id: The span that this event opens or closes; None for a plain event.
        parent_span_id: The enclosing span.
    """

    name: str
    measurements: Mapping[str, Any]
    metadata: Mapping[str, Any]
    timestamp_ns: int
    scope: Scope
    span_id: str | None = None
    parent_span_id: str | None = None


Handler = Callable[[Event], None]


class _Subscription(msgspec.Struct, frozen=True):
    fn: Handler
    exact: frozenset[str]
    prefixes: tuple[str, ...]
    everything: bool
    run_id: str | None

    def wants(self, name: str, run_id: str | None) -> bool:
        if self.run_id is not None and run_id != self.run_id:
            return False
        return self.everything or name in self.exact or (bool(self.prefixes) and name.startswith(self.prefixes))


_EMPTY: Mapping[str, Any] = {}
_NO_SCOPE = Scope()


class _Frame:
    """A block that has a scope, and what is around it.

    The context variable holds frames, not scopes, and no token is kept: a generator may be closed by another task, or
    before one that was opened inside it, and a token would raise there. A task keeps the frame in which it was made.
    """

    __slots__ = ("is_open", "outer", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.is_open = False
        self.outer: _Frame | None = None

    def enter(self, scope: Scope) -> None:
        """Make this the innermost frame of the code that goes on.

        Raises:
            ContractError: It was entered already.
        """
        if self.is_open:
            raise ContractError("this block is open already; make another one for what is inside it")
        self.scope = scope
        self.outer = _frame.get()
        self.is_open = True
        _frame.set(self)

    def leave(self) -> None:
        """Go back to what was around it, past what was opened inside and never closed, if the code is in here."""
        self.is_open = False
        frame: _Frame | None = _frame.get()
        while frame is not None and frame is not self:
            frame = frame.outer
        if frame is not None:
            outer = self.outer
            while outer is not None and not outer.is_open and outer.outer is not None:
                outer = outer.outer  # it ended before what was opened inside it
            _frame.set(outer or _OUTSIDE)


_OUTSIDE = _Frame(_NO_SCOPE)
_frame: contextvars.ContextVar[_Frame] = contextvars.ContextVar("crucible_scope", default=_OUTSIDE)
_subscriptions: dict[str, _Subscription] = {}  # replaced whole on change, so that emitters read it without a lock
_errors: dict[str, int] = {}
_lock = threading.Lock()
_span_counter = itertools.count(1)


def _new_span_id() -> str:
    return f"{os.getpid():x}-{next(_span_counter):x}"


def attach(handler_id: str, names: str | Iterable[str], fn: Handler, *, run_id: str | None = None) -> None:
    """Call `fn` for every event of these names, on the emitter's thread; it must be quick.

    Args:
        handler_id: Name of the subscription; attaching the same name again replaces it.
        names: Exact names, aliases of the registry too, `prefix.*`, or `*` for all.
        fn: The handler. If it raises, the error is counted and the handler stays.
        run_id: Only events emitted inside the scope of this run; None for all.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    prefixes = tuple(name[:-1] for name in wanted if name.endswith("*") and name != "*")
    subscription = _Subscription(
        fn=fn,
        exact=frozenset(canonical_name(name) for name in wanted if not name.endswith("*"))
        | frozenset(name for alias, name in aliases().items() if prefixes and alias.startswith(prefixes)),
        prefixes=prefixes,
        everything="*" in wanted,
        run_id=run_id,
    )
    global _subscriptions  # noqa: PLW0603  # copy on write: readers need no lock
    with _lock:
        _subscriptions = {**_subscriptions, handler_id: subscription}
        _errors.pop(handler_id, None)


def detach(handler_id: str) -> bool:
    """Stop calling a handler; returns whether it was attached."""
    global _subscriptions  # noqa: PLW0603  # copy on write: readers need no lock
    with _lock:
        found = handler_id in _subscriptions
        _subscriptions = {name: entry for name, entry in _subscriptions.items() if name != handler_id}
    return found


def attached() -> tuple[str, ...]:
    """Return the ids of the attached handlers, in order of attaching."""
    return tuple(_subscriptions)


def handler_errors() -> dict[str, int]:
    """Return how often each handler raised since it was attached; handlers without an error are left out."""
    return dict(_errors)


def emit(name: str, measurements: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None) -> None:
    """Tell whoever listens that something happened.

    Args:
        name: Dotted name from the registry.
        measurements: Numbers, with their unit in the key where it is not obvious.
        metadata: Words and structures.
    """
    if _subscriptions:
        _publish(name, measurements or _EMPTY, metadata or _EMPTY, _frame.get().scope)


def _publish(
    name: str, measurements: Mapping[str, Any], metadata: Mapping[str, Any], where: Scope, span_id: str | None = None
) -> None:
    event: Event | None = None
    for handler_id, subscription in _subscriptions.items():
        if not subscription.wants(name, where.run_id):
            continue
        if event is None:
            event = Event(name, measurements, metadata, time.time_ns(), where, span_id, where.span_id)
        try:
            subscription.fn(event)
        except Exception:  # noqa: BLE001  # a listener never breaks what it listens to
            _errors[handler_id] = _errors.get(handler_id, 0) + 1


def current_scope() -> Scope:
    """Return where the calling code runs."""
    return _frame.get().scope


class _Scoped(_Frame):
    """A block inside a scope; a class, because a generator costs three times as much."""

    __slots__ = ()

    def __enter__(self) -> Scope:
        self.enter(self.scope)
        return self.scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def scope(**changes: Any) -> contextlib.AbstractContextManager[Scope]:
    """Run a block inside a run, an experiment or a stage.

    Args:
        **changes: Fields of `Scope` to set; the others are inherited.
    """
    return _Scoped(msgspec.structs.replace(_frame.get().scope, **changes))


class Span:
    """An open span: what to tell when it closes."""

    __slots__ = ("measurements", "metadata", "span_id")

    def __init__(self, span_id: str, metadata: Mapping[str, Any]) -> None:
        self.span_id = span_id
        self.metadata: dict[str, Any] = dict(metadata)
        self.measurements: dict[str, Any] = {}

    def measure(self, **measurements: float) -> None:
        """Add numbers to the closing event."""
        self.measurements.update(measurements)

    def annotate(self, **metadata: Any) -> None:
        """Add words to the closing event."""
        self.metadata.update(metadata)


class _OpenSpan(_Frame):
    """A block with its start and its end; a class, because a generator costs three times as much."""

    __slots__ = ("_around", "_metadata", "_name", "_span", "_started")

    def __init__(self, name: str, metadata: Mapping[str, Any]) -> None:
        super().__init__(_NO_SCOPE)
        self._name = name
        self._metadata = metadata

    def __enter__(self) -> Span:
        opened = self._span = Span(_new_span_id(), self._metadata)
        around = self._around = _frame.get().scope
        if _subscriptions:
            _publish(f"{self._name}.start", _EMPTY, self._metadata, around, opened.span_id)
        inner = Scope(around.run_id, around.experiment_id, around.stage, around.stage_index, opened.span_id)
        self._started = time.monotonic_ns()
        self.enter(inner)
        return opened

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took = time.monotonic_ns() - self._started
        self.leave()
        if not _subscriptions:
            return
        opened, around = self._span, self._around  # where it began, whoever closes it
        measurements = {"duration_ns": took, **opened.measurements}
        if error is None:
            _publish(f"{self._name}.stop", measurements, opened.metadata, around, opened.span_id)
        else:
            failure = {"error_type": type(error).__name__, "error": _words(error)}
            metadata = {**opened.metadata, **failure}
            _publish(f"{self._name}.exception", measurements, metadata, around, opened.span_id)


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  # an error that cannot say what it is must still be told
        return f"its message could not be made ({type(broken).__name__})"


def span(name: str, metadata: Mapping[str, Any] | None = None) -> contextlib.AbstractContextManager[Span]:
    """Emit `name.start`, then `name.stop` or `name.exception` with `duration_ns`; events inside have it as parent.

    Args:
        name: Dotted name without the last part, such as `crucible_framework.stage`.
        metadata: Words for both events; `annotate` adds more to the closing one.
    """
    return _OpenSpan(name, metadata or _EMPTY)


def decision(
    what: str,
    why: str,
    *,
    alternatives: Iterable[str] = (),
    confidence: float | None = None,
    type: str = "decision_made",  # noqa: A002  # the trace's own word for it
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Say that a decision was taken, why, and over what; the trace keeps it.

    Args:
        what: The decision, such as `kept the checkpoint at step 80`.
        why: The reason, such as `lowest validation loss (0.41)`.
        alternatives: What was not chosen.
        confidence: From 0 to 1; None where nobody measured one.
        type: An event type of the trace's registry.
        metadata: Anything else worth keeping.
    """
    emit(
        "crucible_trace.decision.made",
        {},
        {
            **(metadata or _EMPTY),
            "decision": what,
            "reasoning": why,
            "alternatives": list(alternatives),
            "confidence": confidence,
            "type": type,
        },
    )


@contextlib.contextmanager
def collect(names: str | Iterable[str] = "*", *, run_id: str | None = None) -> Generator[list[Event]]:
    """Collect events in a list for the time of a block; the switch for tests and notebooks."""
    found: list[Event] = []
    handler_id = f"collect-{_new_span_id()}"
    attach(handler_id, names, found.append, run_id=run_id)
    try:
        yield found
    finally:
        detach(handler_id)
