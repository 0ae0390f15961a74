"""Reading a chain: its events in order, by what they carry, and along their links.

The lists that come back are copies; the events are the chain's own, and frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crucible.trace import links
from crucible.trace.event import Event
from crucible.trace.index import Index
from crucible.trace.relationships import Problem, find_problems
from crucible.trace.statistics import Statistics, summarize

__all__ = ["Lookup"]


class Lookup:
    """What can be asked of the events of a chain."""

    __slots__ = ("_events", "_index")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._index = Index()

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in order, as a copy; iterate over the chain itself where there are many."""
        return tuple(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __getitem__(self, place: int) -> Event:
        return self._events[place]

    def since(self, place: int) -> list[Event]:
        """Return the events from a place on, counted from 0."""
        return self._events[place:]

    def get(self, event_id: str) -> Event | None:
        """Return an event by its id; None if there is none."""
        return self._index.by_id.get(event_id)

    def children(self, event_id: str) -> list[Event]:
        """Return the events whose parent is this one, in chain order.

        Raises:
            KeyError: The event is not in the chain.
        """
        return list(self._index.children.get(self._known(event_id).id, ()))

    def parent(self, event_id: str) -> Event | None:
        """Return an event's parent; None for a root, and for a parent that is missing (`validate_relationships`).

        Raises:
            KeyError: The event is not in the chain.
        """
        parent_id = self._known(event_id).parent_id
        return None if parent_id is None else self._index.by_id.get(parent_id)

    def _known(self, event_id: str) -> Event:
        try:
            return self._index.by_id[event_id]
        except KeyError:
            raise KeyError(f"event {event_id} is not in the chain") from None

    def roots(self) -> list[Event]:
        """Return the events that name no parent."""
        return [event for event in self._events if event.parent_id is None]

    def leaves(self) -> list[Event]:
        """Return the events that are nobody's parent."""
        return [event for event in self._events if event.id not in self._index.children]

    def ancestors(self, event_id: str) -> list[Event]:
        """Return what encloses an event, the nearest first.

        Raises:
            KeyError: The event is not in the chain.
        """
        return links.ancestors(self._known(event_id), self._index)

    def descendants(self, event_id: str) -> list[Event]:
        """Return everything inside an event, parents before their children, siblings in chain order.

        Raises:
            KeyError: The event is not in the chain.
        """
        return links.descendants(self._known(event_id), self._index)

    def rests_on(self, event_id: str, *, with_parents: bool = False) -> list[Event]:
        """Return everything that an event rests on, directly or through others, the nearest first.

        Args:
            event_id: The event, such as a decision.
            with_parents: Whether what encloses an event counts as something it rests on, too.

        Raises:
            KeyError: The event is not in the chain.
        """
        return links.basis(self._known(event_id), self._index, with_parents=with_parents)

    def rest_on_it(self, event_id: str) -> list[Event]:
        """Return everything that rests on an event, directly or through others, the nearest first.

        Raises:
            KeyError: The event is not in the chain.
        """
        return links.consequences(self._known(event_id), self._index)

    def by_type(self, type: str) -> list[Event]:  # noqa: A002  # the field's name
        """Return the events of a type, by its name or an alias, whichever of them the events carry."""
        return self._index.of_type(type, self._events)

    def by_stage(self, stage_id: str) -> list[Event]:
        """Return the events of a stage."""
        return list(self._index.by_stage.get(stage_id, ()))

    def by_experiment(self, experiment_id: str) -> list[Event]:
        """Return the events of an experiment."""
        return list(self._index.by_experiment.get(experiment_id, ()))

    def between(self, start: datetime, end: datetime) -> list[Event]:
        """Return the events from `start` to `end`, both included, in chain order; both times are aware."""
        return [event for event in self._events if start <= event.timestamp <= end]

    def statistics(self) -> Statistics:
        """Return counts, mean confidence and duration."""
        return summarize(self._events)

    def decision_points(self) -> list[Event]:
        """Return the events that chose: those with alternatives, and those whose type says so."""
        deciding = self._index.deciding_types()
        return [event for event in self._events if event.alternatives or event.type in deciding]

    def low_confidence(self, threshold: float = 0.7) -> list[Event]:
        """Return the events whose stated confidence is below `threshold`; those that state none are left out."""
        return [event for event in self._events if event.confidence is not None and event.confidence < threshold]

    def confidence_history(self, *, type: str | None = None) -> list[tuple[datetime, float]]:  # noqa: A002  # the field's name
        """Return when which confidence was stated, by time; events that state none are left out.

        Args:
            type: Only events of this type, by its name or an alias; None: all.
        """
        chosen = self._events if type is None else self.by_type(type)
        stated = [(event.timestamp, event.confidence) for event in chosen if event.confidence is not None]
        return sorted(stated, key=lambda entry: entry[0])

    def validate_relationships(self) -> list[Problem]:
        """Return every repeated id, missing parent, missing dependency and cycle; empty if all links hold."""
        return find_problems(self._events)
