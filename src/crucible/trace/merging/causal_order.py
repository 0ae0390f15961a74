"""Putting events into an order in which each comes after what it hangs and rests on.

Iterative, and linear where the given order needs little change. Where links form a cycle no such order exists: those
events keep the given order among themselves, after all that any of them rests on, and all others still come after what
they rest on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

from crucible.trace.event import Event

__all__ = ["in_causal_order", "knots_in"]


def in_causal_order(events: Sequence[Event]) -> tuple[list[Event], list[list[Event]]]:
    """Return events so ordered that links point back, as near to the given order as that allows, and the knots.

    A knot is a set of events that rest on each other in cycles. Links to events that are not here are passed over.

    Args:
        events: Distinct ids, in the order that decides where the links do not, such as that of time.
    """
    place_of = {event.id: place for place, event in enumerate(events)}
    order, left = _ordered(events, place_of, {})
    knots: list[list[int]] = []
    if left:
        among = set(left)
        links = {place: [to for to in _links(events[place], place_of) if to in among] for place in left}
        knots = knots_in(links)
        order, _ = _ordered(events, place_of, _apart(events, place_of, knots))
    return [events[place] for place in order], [[events[place] for place in knot] for knot in knots]


def _links(event: Event, place_of: Mapping[str, int]) -> Iterator[int]:
    if event.parent_id is not None and event.parent_id in place_of:
        yield place_of[event.parent_id]
    for name in event.depends_on:
        if name in place_of:
            yield place_of[name]


def _apart(events: Sequence[Event], place_of: Mapping[str, int], knots: Sequence[Sequence[int]]) -> dict[int, set[int]]:
    """Return what to wait for instead, inside knots: the first of each for what any of them needs, the others for it.

    So they come in the given order, and one after another where nothing else lies between them.

    Args:
        events: In the order to keep to.
        place_of: Places by id.
        knots: Ascending places.
    """
    instead: dict[int, set[int]] = {}
    for knot in knots:
        needed = {to for place in knot for to in _links(events[place], place_of)}
        instead |= {place: {knot[0]} for place in knot}
        instead[knot[0]] = needed.difference(knot)
    return instead


def _ordered(
    events: Sequence[Event], place_of: Mapping[str, int], instead: Mapping[int, set[int]]
) -> tuple[list[int], list[int]]:
    """Return the places in the least order that the links allow, and the places that wait for themselves.

    Args:
        events: In the order to keep to.
        place_of: Places by id.
        instead: Places to wait for that stand for an event's own links.
    """
    is_out = bytearray(len(events))
    waits_for: dict[int, int] = {}
    waiting: dict[int, list[int]] = {}  # by what they wait for
    released: list[int] = []  # a heap; all of them lie before the place that is looked at
    order: list[int] = []

    def put_out(place: int) -> None:
        is_out[place] = True
        order.append(place)
        for follower in waiting.pop(place, ()):
            waits_for[follower] -= 1
            if not waits_for[follower]:
                del waits_for[follower]
                heapq.heappush(released, follower)

    for place, event in enumerate(events):
        missing = None
        if event.parent_id is not None or event.depends_on:
            links = instead[place] if place in instead else _links(event, place_of)
            missing = {to for to in links if not is_out[to] and to != place}
        if missing:
            waits_for[place] = len(missing)
            for to in missing:
                waiting.setdefault(to, []).append(place)
            continue
        put_out(place)
        while released:
            put_out(heapq.heappop(released))
    return order, list(waits_for)


def knots_in(links: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Return the sets of places that reach each other, of two and more, each ascending.

    Args:
        links: Where each place leads; only places that are keys.

    Source:
        Tarjan (1972), SIAM J. Comput. 1(2):146-160, with a stack of its own instead of recursion.
    """
    walk = _Walk()
    for start in links:
        if start in walk.number:
            continue
        pending = [(walk.enter(start), iter(links[start]))]
        while pending:
            place, targets = pending[-1]
            entered = walk.onwards(place, targets)
            if entered is not None:
                pending.append((walk.enter(entered), iter(links[entered])))
                continue
            pending.pop()
            if pending:
                walk.low[pending[-1][0]] = min(walk.low[pending[-1][0]], walk.low[place])
            walk.leave(place)
    return sorted(walk.knots)


class _Walk:
    """What Tarjan's walk knows of the places that it has seen."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {}  # in order of entering
        self.low: dict[int, int] = {}  # the least number that is reached from there
        self.knots: list[list[int]] = []
        self._path: list[int] = []
        self._done: set[int] = set()

    def enter(self, place: int) -> int:
        """Number a place."""
        self.number[place] = self.low[place] = len(self.number)
        self._path.append(place)
        return place

    def onwards(self, place: int, targets: Iterator[int]) -> int | None:
        """Return the next of the targets that was not entered; None if there is none."""
        for target in targets:
            if target not in self.number:
                return target
            if target not in self._done:
                self.low[place] = min(self.low[place], self.number[target])
        return None

    def leave(self, place: int) -> None:
        """Close the knot that began at a place, if one did."""
        if self.low[place] == self.number[place]:
            at = len(self._path) - 1
            while self._path[at] != place:
                at -= 1
            knot = self._path[at:]
            del self._path[at:]
            self._done.update(knot)
            if len(knot) > 1:
                self.knots.append(sorted(knot))
