"""Whether links still mean the same: compared through the alignment, as the ids of two chains need not agree.

A link is the same if what it points to in one chain is aligned with what it points to in the other, or if it points to
nothing in either, by the same name. `depends_on` is a set with counts: its order means nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from crucible.trace.comparison.content import Differences, frozen
from crucible.trace.comparison.findings import LinkEnd, RelationChange
from crucible.trace.comparison.options import DiffOptions
from crucible.trace.event import Event

__all__ = ["Relations", "difference_of"]

Link = tuple[Hashable, str]  # what is pointed to, in terms of the second chain, and the id as written


class Relations:
    """The links of two aligned chains.

    Args:
        a: The events of the first chain.
        b: The events of the second.
        partners: The place in the second chain for each aligned place of the first.
        options: Which links to ignore.
    """

    def __init__(
        self, a: Sequence[Event], b: Sequence[Event], partners: Mapping[int, int], options: DiffOptions
    ) -> None:
        self._a, self._b = a, b
        self._partners = partners
        self._places_a, self._places_b = _first_places(a), _first_places(b)
        self._sees_parents = not options.ignores("parent_id")
        self._sees_dependencies = not options.ignores("depends_on")

    def changes(self, x: int, y: int) -> tuple[RelationChange, ...]:
        """Return how the links of two aligned events differ."""
        a, b = self._a[x], self._b[y]
        found: list[RelationChange] = []
        if self._sees_parents and not (a.parent_id is None and b.parent_id is None):
            found += self._change(x, y, "parent_id", _one(a.parent_id), _one(b.parent_id))
        if self._sees_dependencies and (a.depends_on or b.depends_on):
            found += self._change(x, y, "depends_on", a.depends_on, b.depends_on)
        return tuple(found)

    def stated(self, x: int, y: int) -> int:
        """Return how many of the two kinds of links one of two events has."""
        a, b = self._a[x], self._b[y]
        parents = self._sees_parents and not (a.parent_id is None and b.parent_id is None)
        return parents + (self._sees_dependencies and bool(a.depends_on or b.depends_on))

    def _change(self, x: int, y: int, relation: str, old: Iterable[str], new: Iterable[str]) -> list[RelationChange]:
        links_a = [(self._target_a(name), name) for name in old]
        links_b = [(self._target_b(name), name) for name in new]
        removed, added = _left(links_a, links_b), _left(links_b, links_a)
        if not removed and not added:
            return []
        ends_a = tuple(_end(name, self._a, self._places_a) for name in removed)
        ends_b = tuple(_end(name, self._b, self._places_b) for name in added)
        return [RelationChange(relation, x, y, self._a[x], self._b[y], ends_a, ends_b)]

    def _target_a(self, name: str) -> Hashable:
        place = self._places_a.get(frozen(name))
        if place is None:
            return ("nothing", frozen(name))
        partner = self._partners.get(place)
        return ("removed", place) if partner is None else ("place", partner)

    def _target_b(self, name: str) -> Hashable:
        place = self._places_b.get(frozen(name))
        return ("nothing", frozen(name)) if place is None else ("place", place)


def difference_of(change: RelationChange) -> Differences:
    """Return a change of links as the old and the new value of its field."""
    name = change.relation
    return {name: (getattr(change.a_event, name), getattr(change.b_event, name))}


def _one(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _first_places(events: Sequence[Event]) -> dict[Hashable, int]:
    """Return where each id stands; a link to a repeated id means the first, as in `Chain.get`."""
    places: dict[Hashable, int] = {}
    for place, event in enumerate(events):
        places.setdefault(frozen(event.id), place)
    return places


def _left(links: Sequence[Link], others: Sequence[Link]) -> list[str]:
    """Return the ids of the links that have no counterpart among the others."""
    counts = Counter(target for target, _ in others)
    left: list[str] = []
    for target, name in links:
        if counts[target]:
            counts[target] -= 1
        else:
            left.append(name)
    return left


def _end(name: str, events: Sequence[Event], places: Mapping[Hashable, int]) -> LinkEnd:
    place = places.get(frozen(name))
    return LinkEnd(name, place, None if place is None else events[place].decision)
