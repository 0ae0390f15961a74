"""How many collectors listen for one chain, and which events of the bus one of them has taken: `Listeners`."""

from __future__ import annotations

from crucible import events

__all__ = ["Listeners"]

_REMEMBERED = 1024  # events at least; no more are on their way to the collectors of one chain at a time


class Listeners:
    """Those that listen for one chain; whoever is told of an event first takes it.

    The bus tells all collectors that were there when it began to, whoever starts or stops meanwhile; so what was taken
    is remembered, by identity, for as long as another collector may still be told of it.

    Attributes:
        is_alone: Whether there was never more than one at a time, so that nothing can be taken twice.
    """

    __slots__ = ("_count", "_earlier", "_taken", "is_alone")

    def __init__(self) -> None:
        self.is_alone = True
        self._count = 0
        self._taken: dict[int, events.Event] = {}  # held, so that no other event gets the identity of one
        self._earlier: dict[int, events.Event] = {}

    def start(self) -> None:
        """Count one more."""
        self._count += 1
        self.is_alone = self.is_alone and self._count == 1

    def stop(self) -> bool:
        """Count one less, and return whether that was the last."""
        self._count -= 1
        return self._count == 0

    def takes(self, event: events.Event) -> bool:
        """Return whether nobody has taken an event before, and remember it."""
        key = id(event)
        if key in self._taken or key in self._earlier:
            return False
        if len(self._taken) >= _REMEMBERED:
            self._earlier, self._taken = self._taken, {}
        self._taken[key] = event
        return True
