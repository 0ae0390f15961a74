"""An ordered collection of events with its indexes: the `Chain`.

Appending is O(1) and keeps the indexes by id, parent, type, stage and experiment. A chain does not copy its events:
they are frozen. It is not for several writers at once; the collector holds a lock around its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from crucible.errors import SpecError, SpecErrors
from crucible.trace import chain_file, notices
from crucible.trace.event import Event, format_timestamp, new_id, read_event
from crucible.trace.integrity.keys import Signer
from crucible.trace.integrity.ledger import Ledger
from crucible.trace.integrity.sealing import sealed
from crucible.trace.lookup import Lookup
from crucible.trace.reading import Fields

__all__ = ["Chain"]

_KEYS = frozenset({"id", "name", "description", "events", "metadata", "created_at", "updated_at", "statistics"})


class Chain(Lookup):
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
        "_extra",
        "_ledger",
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
        self._begin(name, id, description, metadata, created_at)
        self.updated_at = updated_at or self.created_at
        notices.chain_created(self)

    def _begin(
        self,
        name: str,
        id: str | None,  # noqa: A002  # the field's name
        description: str | None,
        metadata: Mapping[str, Any] | None,
        created_at: datetime | None,
    ) -> None:
        """Fill in an empty chain; one that is read or derived is not told to the bus."""
        super().__init__()
        self.id = id or new_id()
        self.name = name
        self.description = description
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.created_at = self.updated_at = created_at or datetime.now(UTC)
        self._extra: dict[str, Any] = {}
        self._ledger: Ledger | None = None

    def add(self, event: Event) -> Event:
        """Append an event and return it.

        Raises:
            SpecError: An event with this id is already in the chain, or it is sealed and the event is no JSON value.
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
        latest = max(self.updated_at, event.timestamp)  # first: it raises for a naive time, and nothing is added then
        if self._ledger is not None:
            self._ledger.append(event)
        self._events.append(event)
        self._index.add(event)
        self.updated_at = latest

    def seal(self, signer: Signer | None = None) -> Ledger:
        """Hash all events, and from now on each that is added, so that `verify` finds which one was tampered with.

        The ledger is saved and loaded with the chain; filtered, sorted and merged chains have none. `integrity.ledger`
        says what it can show, and what only with a signature.

        Args:
            signer: Signs where the chain ends, whenever it is saved. A chain that was sealed before goes on with it.

        Raises:
            SpecError: An event holds what JSON cannot carry, or the chain was sealed before and does not verify, or
                with another key.
        """
        if self._ledger is None and "integrity" in self._extra:
            raise SpecError("the chain has a ledger that this version cannot read; filter it into a new chain first")
        self._ledger = sealed(self, signer)
        return self._ledger

    @property
    def extra(self) -> Mapping[str, Any]:
        """Keys of the file that no version knows, with their values; they are written back as they came."""
        return self._extra

    @property
    def ledger(self) -> Ledger | None:
        """What was sealed; None if the chain never was."""
        return self._ledger

    def filter(self, keep: Callable[[Event], bool]) -> Chain:
        """Return a chain of the events that `keep` says yes to; id, name and metadata are this one's.

        Links to events that are left out stay as they are.
        """
        return self._with(event for event in self._events if keep(event))

    def sorted(self, *, descending: bool = False) -> Chain:
        """Return the same chain with its events by time; those of the same time keep their order."""
        return self._with(sorted(self._events, key=lambda event: event.timestamp, reverse=descending))

    def _with(self, events: Iterable[Event]) -> Chain:
        made: Chain = Chain.__new__(Chain)
        made._begin(self.name, self.id, self.description, self.metadata, self.created_at)
        for event in events:
            made._append(event)
        made.updated_at = self.updated_at
        made._extra = {key: value for key, value in self._extra.items() if key != "integrity"}
        return made

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
        return self._layout([event.to_dict() for event in self._events])

    def _layout(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        data: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "created_at": format_timestamp(self.created_at),
            "updated_at": format_timestamp(self.updated_at),
            "metadata": dict(self.metadata),
            "statistics": self.statistics().to_dict(),
            "events": events,
            **self._extra,
        }
        if self._ledger is not None:
            data["integrity"] = self._ledger.to_dict()
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Chain:
        """Read a chain that this library or the predecessor (0.1 to 0.3) wrote.

        `statistics` are not read but computed anew. Unknown types and repeated ids load; `validate` and
        `validate_relationships` remark on them.

        Args:
            data: At least `events`, objects or `Event`s; times that are missing are those of the first and last event.

        Raises:
            SpecErrors: Every problem, with its path, such as `events[3].timestamp`.
        """
        problems: list[SpecError] = []
        fields = Fields(data, "", problems)
        listed = fields.items("events")
        events: list[Event] = [
            entry if isinstance(entry, Event) else read_event(entry, f"events[{place}]", problems)
            for place, entry in enumerate(listed)
        ]
        moments = sorted(event.timestamp for event in events)
        created_at = fields.moment("created_at") if fields.has("created_at") or not moments else moments[0]
        chain: Chain = cls.__new__(cls)
        name, description = fields.text("name") or "", fields.text("description")
        chain._begin(name, fields.text("id"), description, fields.mapping("metadata"), created_at)
        for event in events:
            chain._append(event)
        if fields.has("updated_at"):
            chain.updated_at = fields.moment("updated_at")
        chain._extra = fields.beyond(_KEYS)
        chain._ledger = Ledger.read(fields.raw("integrity"))
        if chain._ledger is not None:
            del chain._extra["integrity"]
        if problems:
            raise SpecErrors("trace chain", problems)
        return chain

    def save(self, path: str | Path) -> Path:
        """Write the chain as one JSON file, whole or not at all, and return its path.

        Raises:
            SpecError: The chain holds a value that JSON cannot carry.
            StoreError: The file cannot be written.
        """
        written = chain_file.write(Path(path), self._layout([]), self._events)
        notices.chain_saved(self, path=str(written))
        return written

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
            chain = cls.from_dict(data)
        except SpecErrors as problems:
            raise SpecErrors(f"{path} is not a chain", list(problems.errors)) from None
        notices.chain_loaded(chain, path=str(path))
        return chain
