"""An ordered collection of events with its indexes: the `Chain`.

Appending is O(1) and keeps the indexes by id, parent, type, stage and experiment. A chain does not copy its events:
they are frozen. It is not for several writers at once; the collector holds a lock around its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from crucible.errors import SpecError, SpecErrors
from crucible.trace import chain_file, links
from crucible.trace.event import Event, format_timestamp, new_id, read_event
from crucible.trace.index import Index
from crucible.trace.reading import Fields
from crucible.trace.relationships import Problem, find_problems
from crucible.trace.statistics import Statistics, summarize

__all__ = ["Chain"]

_KEYS = frozenset({"id", "name", "description", "events", "metadata", "created_at", "updated_at", "statistics"})


class Chain:
    """The events of one task, in order, and how they hang together.

    Args:
        name: What the chain is about.
        id: 32 hex digits; None makes one.
        description: In more words.
        metadata: JSON values.
        created_at: Aware; None is now.
        updated_at: Aware; None is `created_at`. Adding a later event moves it there.
    """

    __slots__ = (
        "_events",
        "_extra",
        "_index",
        "created_at",
        "description",
        "id",
        "metadata",
        "name",
        "updated_at",
    )
    __hash__: ClassVar[None]  # pyright: ignore[reportIncompatibleMethodOverride]  # a chain grows, so it cannot be a key

    def __init__(
        self,
        name: str,
        *,
        id: str | None = None,  # noqa: A002  # the field's name
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> None:
        self.id = id or new_id()
        self.name = name
        self.description = description
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.created_at = created_at or datetime.now(UTC)
        self.updated_at = updated_at or self.created_at
        self._extra: dict[str, Any] = {}
        self._events: list[Event] = []
        self._index = Index()

    def add(self, event: Event) -> Event:
        """Append an event and return it.

        Raises:
            SpecError: An event with this id is already in the chain.
        """
        if event.id in self._index.by_id:
            raise SpecError(f"event {event.id} is already in the chain; events need distinct ids", code="duplicate_id")
        self._append(event)
        return event

    def extend(self, events: Iterable[Event]) -> None:
        """Append events in order, up to the first that cannot be added.

        Raises:
            SpecError: An event's id is already in the chain.
        """
        for event in events:
            self.add(event)

    def _append(self, event: Event) -> None:
        self._events.append(event)
        self._index.add(event)
        self.updated_at = max(self.updated_at, event.timestamp)

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

    def filter(self, keep: Callable[[Event], bool]) -> Chain:
        """Return a chain of the events that `keep` says yes to; id, name and metadata are this one's.

        Links to events that are left out stay as they are.
        """
        return self._with(event for event in self._events if keep(event))

    def sorted(self, *, descending: bool = False) -> Chain:
        """Return the same chain with its events by time; those of the same time keep their order."""
        return self._with(sorted(self._events, key=lambda event: event.timestamp, reverse=descending))

    def _with(self, events: Iterable[Event]) -> Chain:
        made = Chain(
            self.name,
            id=self.id,
            description=self.description,
            metadata=self.metadata,
            created_at=self.created_at,
        )
        for event in events:
            made._append(event)
        made.updated_at = self.updated_at
        made._extra = dict(self._extra)
        return made

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chain):
            return NotImplemented
        return self._identity() == other._identity() and self._events == other._events

    def _identity(self) -> tuple[Any, ...]:
        times = (self.created_at, self.updated_at)
        return (self.id, self.name, self.description, self.metadata, *times, self._extra)

    def __repr__(self) -> str:
        return f"Chain({self.name!r}, id={self.id!r}, events={len(self._events)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the chain as JSON values, in the predecessor's layout; keys that no version knows come back."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "created_at": format_timestamp(self.created_at),
            "updated_at": format_timestamp(self.updated_at),
            "metadata": dict(self.metadata),
            "statistics": self.statistics().to_dict(),
            "events": [event.to_dict() for event in self._events],
            **self._extra,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Chain:
        """Read a chain that this library or the predecessor (0.1 to 0.3) wrote.

        `statistics` are not read but computed anew. Unknown types and repeated ids load; `validate` and
        `validate_relationships` remark on them.

        Args:
            data: At least `events`; times that are missing are those of the first and last event.

        Raises:
            SpecErrors: Every problem, with its path, such as `events[3].timestamp`.
        """
        problems: list[SpecError] = []
        fields = Fields(data, "", problems)
        listed = fields.items("events")
        events = [read_event(entry, f"events[{place}]", problems) for place, entry in enumerate(listed)]
        moments = sorted(event.timestamp for event in events)
        created_at = fields.moment("created_at") if fields.has("created_at") or not moments else moments[0]
        chain = cls(
            fields.text("name") or "",
            id=fields.text("id"),
            description=fields.text("description"),
            metadata=fields.mapping("metadata"),
            created_at=created_at,
        )
        for event in events:
            chain._append(event)
        if fields.has("updated_at"):
            chain.updated_at = fields.moment("updated_at")
        chain._extra = fields.beyond(_KEYS)
        if problems:
            raise SpecErrors("trace chain", problems)
        return chain

    def save(self, path: str | Path) -> Path:
        """Write the chain as one JSON file, whole or not at all, and return its path.

        Raises:
            SpecError: The chain holds a value that JSON cannot carry.
            StoreError: The file cannot be written.
        """
        return chain_file.write(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> Chain:
        """Read a chain from a JSON file of this library or of the predecessor.

        Raises:
            StoreError: The file is missing or cannot be read.
            SpecError: It is not JSON.
            SpecErrors: It is not a chain; every problem, with its path.
        """
        data = chain_file.read(Path(path))
        try:
            return cls.from_dict(data)
        except SpecErrors as problems:
            raise SpecErrors(f"{path} is not a chain", list(problems.errors)) from None
