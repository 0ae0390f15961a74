"""Finding the events of a chain without walking it: by id, parent, type, stage and experiment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from crucible.trace.event import Event
from crucible.trace.vocabulary import canonical_type, event_type

__all__ = ["Index"]

_linking = threading.Lock()


class Index:
    """The indexes of one chain, each in chain order; adding an event is O(1)."""

    __slots__ = ("_dependents", "_unlinked", "by_experiment", "by_id", "by_stage", "by_type", "children")

    def __init__(self) -> None:
        self.by_id: dict[str, Event] = {}  # the first bearer of an id
        self.children: dict[str, list[Event]] = {}
        self.by_type: dict[str, list[Event]] = {}  # by the spelling that the events carry
        self.by_stage: dict[str, list[Event]] = {}
        self.by_experiment: dict[str, list[Event]] = {}
        self._dependents: dict[str, list[Event]] = {}
        self._unlinked: deque[Event] = deque()  # events with dependencies that `dependents` has not seen

    def add(self, event: Event) -> None:
        """Index an event that the chain appends."""
        self.by_id.setdefault(event.id, event)
        if event.parent_id is not None:
            self.children.setdefault(event.parent_id, []).append(event)
        self.by_type.setdefault(event.type, []).append(event)
        if event.stage_id is not None:
            self.by_stage.setdefault(event.stage_id, []).append(event)
        if event.experiment_id is not None:
            self.by_experiment.setdefault(event.experiment_id, []).append(event)
        if event.depends_on:
            self._unlinked.append(event)

    def dependents(self) -> dict[str, list[Event]]:
        """Return the events that depend on an id, by that id; made when it is first asked for, then kept up."""
        with _linking:  # several may read while one appends
            while self._unlinked:
                event = self._unlinked.popleft()
                for name in dict.fromkeys(event.depends_on):
                    self._dependents.setdefault(name, []).append(event)
        return self._dependents

    def of_type(self, word: str, events: Sequence[Event]) -> list[Event]:
        """Return the events of a type by its name or an alias, whichever of them the events carry.

        Args:
            word: The name or an alias.
            events: All events of the chain, for the order of those that are spelled differently.
        """
        name = canonical_type(word)
        known = event_type(name)
        spellings = {name, *(known.aliases if known else ())} & self.by_type.keys()
        if len(spellings) > 1:
            return [event for event in events if event.type in spellings]
        return [event for spelling in spellings for event in self.by_type[spelling]]

    def deciding_types(self) -> frozenset[str]:
        """Return the types in the chain whose events are decisions."""
        names = list(self.by_type)  # a copy: another thread may append meanwhile
        return frozenset(name for name in names if (known := event_type(name)) is not None and known.is_decision)
