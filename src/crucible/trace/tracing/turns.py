"""Turns at one chain: the lock that everybody shares who adds to it from several threads.

A chain has no lock of its own, which keeps appending cheap. Tracing and collecting take turns through the `Turns` of
the chain, made on first use and forgotten with the last user. Code that adds to such a chain directly, from another
thread, is not held back.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Protocol

from crucible.trace.event import Event

__all__ = ["Growing", "Turns", "turns_of"]


class Growing(Protocol):
    """What events can be added to: a `Chain`, a live chain, anything of the kind."""

    def add(self, event: Event, /) -> Any:
        """Append an event."""
        ...


class Turns:
    """One chain and its lock.

    Args:
        chain: What is added to.
    """

    __slots__ = ("__weakref__", "chain", "lock", "shared")

    def __init__(self, chain: Growing) -> None:
        self.chain = chain  # held, so that no other chain can get its identity while this is in use
        self.lock = threading.RLock()
        self.shared: Any = None  # what its collectors have in common

    def add(self, event: Event) -> Event:
        """Append an event when it is this thread's turn, and return it."""
        with self.lock:
            self.chain.add(event)
        return event


_in_use: weakref.WeakValueDictionary[int, Turns] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def turns_of(chain: Growing) -> Turns:
    """Return the turns at a chain: the same for all who ask while anybody still holds them."""
    with _lock:
        found = _in_use.get(id(chain))
        if found is None:
            found = _in_use[id(chain)] = Turns(chain)
        return found
