"""The parts of a diff: what was added, removed, changed, moved, linked differently.

A pair of events has its place in the first chain and in the second, counted from 0. Each part can be mirrored: the
same, with the chains exchanged. `Findings` holds them all; what shows them takes that, and `Diff` puts both together.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from crucible.trace.comparison.content import Differences
from crucible.trace.event import Event

__all__ = [
    "ChangedEvent",
    "ConfidenceDelta",
    "Divergence",
    "Findings",
    "LinkEnd",
    "MovedEvent",
    "PlacedEvent",
    "RelationChange",
    "Side",
]


class PlacedEvent(msgspec.Struct, frozen=True):
    """An event that only one chain has.

    Args:
        place: Where it stands there.
        event: The event.
    """

    place: int
    event: Event


class MovedEvent(msgspec.Struct, frozen=True):
    """An event that says the same in both chains but stands elsewhere among its like.

    Args:
        a_place: Where it stands in the first chain.
        b_place: Where it stands in the second.
        a_event: The event in the first chain.
        b_event: The event in the second.
    """

    a_place: int
    b_place: int
    a_event: Event
    b_event: Event

    def mirrored(self) -> MovedEvent:
        """Return the same with the chains exchanged."""
        return MovedEvent(self.b_place, self.a_place, self.b_event, self.a_event)


class LinkEnd(msgspec.Struct, frozen=True):
    """What a link points to.

    Args:
        id: The id as written.
        place: Where that event stands; None if the chain has none of this id.
        decision: Its decision.
    """

    id: str
    place: int | None
    decision: str | None


class RelationChange(msgspec.Struct, frozen=True):
    """An event that both chains have, linked differently.

    Args:
        relation: The field, `parent_id` or `depends_on`.
        a_place: Where the event stands in the first chain.
        b_place: Where it stands in the second.
        a_event: The event in the first chain.
        b_event: The event in the second.
        removed: The links that only the first chain has.
        added: The links that only the second has.
    """

    relation: str
    a_place: int
    b_place: int
    a_event: Event
    b_event: Event
    removed: tuple[LinkEnd, ...]
    added: tuple[LinkEnd, ...]

    def mirrored(self) -> RelationChange:
        """Return the same with the chains exchanged."""
        return RelationChange(
            self.relation, self.b_place, self.a_place, self.b_event, self.a_event, self.added, self.removed
        )


class ConfidenceDelta(msgspec.Struct, frozen=True):
    """An event that both chains have, with another confidence.

    Args:
        a_place: Where the event stands in the first chain.
        b_place: Where it stands in the second.
        a_event: The event in the first chain.
        b_event: The event in the second.
        old: The confidence in the first chain; None where nobody said.
        new: The confidence in the second.
        delta: New less old, rounded to six decimals; None where one of the two is no finite number.
    """

    a_place: int
    b_place: int
    a_event: Event
    b_event: Event
    old: float | None
    new: float | None
    delta: float | None

    def mirrored(self) -> ConfidenceDelta:
        """Return the same with the chains exchanged."""
        delta = None if self.delta is None else 0.0 - self.delta
        return ConfidenceDelta(self.b_place, self.a_place, self.b_event, self.a_event, self.new, self.old, delta)


class ChangedEvent(msgspec.Struct, frozen=True):
    """An event that both chains have, but say differently.

    Args:
        a_place: Where it stands in the first chain.
        b_place: Where it stands in the second.
        a_event: The event in the first chain.
        b_event: The event in the second.
        fields: What differs: old and new value by field or path (`metadata.lr`), `msgspec.UNSET` where a path is
            missing. Links are here by `parent_id` and `depends_on` if they differ through the alignment.
        reworded: Whether the decision is put in other words.
        moved: Whether it also stands elsewhere among its like.
        similarity: From 0 to 1, as `diff` defines it.
        confidence_delta: New less old confidence; None where it did not change, or one of the two is no number.
    """

    a_place: int
    b_place: int
    a_event: Event
    b_event: Event
    fields: Differences
    reworded: bool
    moved: bool
    similarity: float
    confidence_delta: float | None = None

    def mirrored(self) -> ChangedEvent:
        """Return the same with the chains exchanged."""
        return ChangedEvent(
            self.b_place,
            self.a_place,
            self.b_event,
            self.a_event,
            {name: (new, old) for name, (old, new) in self.fields.items()},
            self.reworded,
            self.moved,
            self.similarity,
            None if self.confidence_delta is None else 0.0 - self.confidence_delta,
        )


class Divergence(msgspec.Struct, frozen=True):
    """The first place at which the chains differ; all before it is the same in both.

    Args:
        place: Counted from 0, the same in both chains.
        a_event: What the first chain has there; None if it ended.
        b_event: What the second has there; None if it ended.
    """

    place: int
    a_event: Event | None
    b_event: Event | None

    def mirrored(self) -> Divergence:
        """Return the same with the chains exchanged."""
        return Divergence(self.place, self.b_event, self.a_event)


class Side(msgspec.Struct, frozen=True):
    """One of the two chains, as it was when it was compared.

    Args:
        id: The chain's id.
        name: Its name.
        events: Its events in order.
        created_at: When it was made; None if that is not known.
        run_id: The run that its metadata names; None if it names none.
    """

    id: str
    name: str
    events: tuple[Event, ...]
    created_at: datetime | None = None
    run_id: str | None = None


class Findings(msgspec.Struct, frozen=True):
    """How a second chain differs from a first.

    Every event of either chain is in exactly one of `added`, `removed`, `changed`, `moved` and `unchanged`.

    Args:
        a: The first chain.
        b: The second.
        matched_by: What made two events the same one: `id`, `position` or `content`.
        similarity: From 0, no event in common, to 1, no difference; `diff` has the formula.
        added: What only the second chain has.
        removed: What only the first has.
        changed: What both have and say or link differently.
        moved: What both say, in another order.
        unchanged: The places, in either chain, of what is the same in both.
        relation_changes: What of `changed` is linked differently.
        confidence_deltas: What of `changed` has another confidence.
        chain_changes: What the chains themselves say differently, by `chain.name`, `chain.metadata.lr` and so on.
        first_divergence: Where the chains part; None if no event differs.
        notes: What the reader must know of how this was found, such as a bound that was met.
    """

    a: Side
    b: Side
    matched_by: str
    similarity: float
    added: tuple[PlacedEvent, ...] = ()
    removed: tuple[PlacedEvent, ...] = ()
    changed: tuple[ChangedEvent, ...] = ()
    moved: tuple[MovedEvent, ...] = ()
    unchanged: tuple[tuple[int, int], ...] = ()
    relation_changes: tuple[RelationChange, ...] = ()
    confidence_deltas: tuple[ConfidenceDelta, ...] = ()
    chain_changes: Differences = {}
    first_divergence: Divergence | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed or self.moved or self.chain_changes)

    @property
    def summary(self) -> str:
        """The counts in one line, such as `1 added, 0 removed, 2 changed (1 reworded), 0 moved`."""
        reworded = sum(each.reworded for each in self.changed)
        parts = [
            f"{len(self.added):,} added",
            f"{len(self.removed):,} removed",
            f"{len(self.changed):,} changed" + (f" ({reworded:,} reworded)" if reworded else ""),
            f"{len(self.moved):,} moved",
        ]
        return ", ".join(parts)
