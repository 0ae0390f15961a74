"""Who hears the bus for a recording: one recorder in a process, so that nothing is kept twice."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from crucible import events

__all__ = ["Hearer", "hear", "unhear"]


class Hearer(Protocol):
    """What records in this process."""

    @property
    def bus_scope(self) -> dict[str, str]:
        """Which events it hears: `run_id` or `recording_id`, as `events.attach` takes it."""
        ...

    def on_event(self, event: events.Event) -> None:
        """Take an event."""
        ...


_hearers: dict[str, list[Hearer]] = {}
_lock = threading.Lock()


def hear(hearer: Hearer) -> None:
    """Let a recorder hear its events, or wait until the one that hears them stops."""
    name = _name(hearer)
    with _lock:
        if name not in events.attached():  # nobody does, or somebody detached who did
            _hearers.pop(name, None)
        waiting = _hearers.setdefault(name, [])
        waiting.append(hearer)
        if len(waiting) == 1:
            _attach(name, hearer)


def unhear(hearer: Hearer) -> None:
    """Let a recorder hear no more; another one of the same recording hears on, without a gap."""
    name = _name(hearer)
    with _lock:
        waiting = _hearers.get(name, [])
        if hearer not in waiting:
            return
        was_first = waiting[0] is hearer
        waiting.remove(hearer)
        if not waiting:
            del _hearers[name]
            events.detach(name)
        elif was_first:
            _attach(name, waiting[0])


def _name(hearer: Hearer) -> str:
    ((kind, identity),) = hearer.bus_scope.items()
    return f"telemetry {kind} {identity}"


def _attach(name: str, hearer: Hearer) -> None:
    events.attach(name, "*", hearer.on_event, **hearer.bus_scope)  # the same name replaces the one before


def _start_over() -> None:
    global _lock  # noqa: PLW0603  # a thread of the parent may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)
