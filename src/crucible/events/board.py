"""Who listens to what, and the telling of events to them.

The table of listeners is replaced whole on every change, so that emitters read it without a lock; what is known of a
name is worked out once a table. Nobody listening is `board.table is None`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from threading import get_ident
from time import time_ns
from typing import Any

from crucible.events import failures, registry
from crucible.events.event import Event, Handler
from crucible.events.scope import Scope

__all__ = ["EMPTY", "Listener", "Route", "Table", "board", "change", "tell"]

EMPTY: Mapping[str, Any] = {}
_KNOWN_NAMES = 4096  # a name is worked out again where a program makes more names than that


class Listener:
    """A handler, and what it wants to hear.

    Args:
        handler_id: Its name.
        fn: The handler.
        names: Exact names, `prefix*`, or `*`.
        run_id: The run whose events alone it hears; None: of all.
        recording_id: The telemetry experiment whose events alone it hears; None: of all.
    """

    __slots__ = ("_exact", "_prefixes", "_recording_id", "_run_id", "busy", "fn", "handler_id", "is_bound")

    def __init__(
        self, handler_id: str, fn: Handler, names: tuple[str, ...], *, run_id: str | None, recording_id: str | None
    ) -> None:
        self.handler_id = handler_id
        self.fn = fn
        self._run_id = run_id
        self._recording_id = recording_id
        self.is_bound = run_id is not None or recording_id is not None
        self.busy: set[int] = set()  # threads on which it runs at this moment
        self._exact = [name for name in names if not name.endswith("*")]
        self._prefixes = tuple(name[:-1] for name in names if name.endswith("*"))

    def wants(self, name: str, aliases: tuple[str, ...]) -> bool:
        """Return whether it listens to an event of this name and these aliases."""
        spellings = (name, *aliases)
        return any(each in self._exact or each.startswith(self._prefixes) for each in spellings)

    def is_within(self, where: Scope) -> bool:
        """Return whether it hears what happens there."""
        return (self._run_id is None or self._run_id == where.run_id) and (
            self._recording_id is None or self._recording_id == where.recording_id
        )


class Route:
    """A name of an event, and who listens to it."""

    __slots__ = ("listeners", "name")

    def __init__(self, name: str, listeners: tuple[Listener, ...]) -> None:
        self.name = name
        self.listeners = listeners


class Table:
    """All listeners at one time; never changed, only replaced.

    Args:
        listeners: The listeners by name, in order of attaching.
    """

    __slots__ = ("listeners", "routes", "spans")

    def __init__(self, listeners: Mapping[str, Listener]) -> None:
        self.listeners = listeners
        self.routes: dict[str, Route] = {}
        self.spans: dict[str, tuple[Route, Route, Route]] = {}

    def route(self, name: Any) -> Route:
        """Return who listens to a name that is not in `routes` yet; whatever is no text is taken as what it prints."""
        text = name if type(name) is str else _text(name)
        canonical = registry.canonical_name(text)
        info = registry.event_info(canonical)
        aliases = () if info is None else info.aliases
        route = Route(canonical, tuple(each for each in self.listeners.values() if each.wants(canonical, aliases)))
        if len(self.routes) >= _KNOWN_NAMES:
            self.routes.clear()
        self.routes[text] = route
        return route

    def span(self, name: Any) -> tuple[Route, Route, Route]:
        """Return who listens to the start, the stop and the exception of a span that is not in `spans` yet."""
        text = name if type(name) is str else _text(name)
        start, stop, exception = (self.route(f"{text}.{end}") for end in ("start", "stop", "exception"))
        if len(self.spans) >= _KNOWN_NAMES:
            self.spans.clear()
        self.spans[text] = start, stop, exception
        return start, stop, exception


def _text(name: Any) -> str:
    if isinstance(name, str):
        return str.__str__(name)  # a member of an enumeration of names
    try:
        return str(name)
    except Exception as broken:  # noqa: BLE001  # a name that cannot be read must not stop what emits it
        return f"nameless.{type(broken).__name__}"


class _Board:
    """Holds the table of this process."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: Table | None = None


board = _Board()
"""The one of this process; `table` is None while nobody listens."""
_lock = threading.RLock()


def change(make: Callable[[dict[str, Listener]], None]) -> None:
    """Change who listens, all at once for every emitter.

    Args:
        make: Is given a copy of the listeners to change, again where somebody else was faster.
    """
    while True:
        before = board.table
        listeners = {} if before is None else dict(before.listeners)
        make(listeners)
        after = Table(listeners) if listeners else None
        with _lock:
            if board.table is before:
                board.table = after
                return


def tell(
    route: Route, measurements: Mapping[str, Any], metadata: Mapping[str, Any], where: Scope, span_id: str | None = None
) -> None:
    """Call the handlers of a route, each but those that emitted this themselves while they were told of another event.

    What a handler raises is counted, and is no concern of the emitter. Only what asks the program to stop, such as
    `KeyboardInterrupt`, reaches it, after every other handler was told.
    """
    event: Event | None = None
    stop: BaseException | None = None
    thread = get_ident()
    for listener in route.listeners:
        busy = listener.busy
        if thread in busy or (listener.is_bound and not listener.is_within(where)):
            continue
        if event is None:
            event = Event(route.name, measurements, metadata, time_ns(), where, span_id, where.span_id)
        try:
            busy.add(thread)
            listener.fn(event)
        except Exception as error:  # noqa: BLE001  # a listener never breaks what it listens to
            failures.count(listener.handler_id, event.name, error)
        except BaseException as error:  # noqa: BLE001  # raised below
            stop = stop or error
        finally:
            busy.discard(thread)
    if stop is not None:
        raise stop


def _know_names_again() -> None:
    """Forget what was worked out of names: the registry has another one, or another alias."""
    change(lambda _listeners: None)


registry.on_change(_know_names_again)


def _forget_other_threads() -> None:
    """In a forked child no handler runs but on the thread that forked."""
    global _lock  # noqa: PLW0603  # the parent's may have been held by a thread that does not exist here
    _lock = threading.RLock()
    if board.table is not None:
        for listener in board.table.listeners.values():
            listener.busy &= {get_ident()}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
