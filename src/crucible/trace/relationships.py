"""Whether the links of a chain hold: every missing parent, missing dependency, repeated id and cycle.

Iterative, so depth is no limit; linear in events and links. A chain whose links all point back in time (nearly every
chain) cannot hold a cycle and is done after one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from crucible.trace.event import Event

__all__ = ["Problem", "find_problems"]

_SHOWN = 8  # ids of a cycle in its message; `path` has them all


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a chain's links.

    Args:
        kind: What it is.
        event_id: The event at fault.
        refers_to: The id that is missing or repeated, or the event that closes the cycle.
        message: The whole thing in a sentence.
        path: For a cycle, the ids along it, from an event back to itself; empty where there are so many cycles that
            their paths would take too much room, and for everything else.
    """

    kind: Literal["duplicate_id", "missing_parent", "missing_dependency", "cycle"]
    event_id: str
    refers_to: str
    message: str
    path: tuple[str, ...] = ()


def find_problems(events: Iterable[Event]) -> list[Problem]:
    """Return everything that is wrong with the links between `events`; empty if nothing is.

    A link goes from an event to its parent and to each event it depends on; a repeated id means its first bearer.
    An event that depends on an id twice is told once that it is missing; one whose parent it is, too, twice.

    Of cycles there may be more than can be listed. Reported is one for each link that leads back on the way of one walk
    along all links, so that removing those links (`event_id` to `refers_to`) removes all cycles; and then one through
    each event that is in a cycle and not on a path yet, so that every such event is named.

    Args:
        events: In chain order.
    """
    listed = list(events)
    position: dict[str, int] = {}
    problems: list[Problem] = []
    for place, event in enumerate(listed):
        if position.setdefault(event.id, place) != place:
            message = f"event id {event.id} is used more than once; links to it mean the first"
            problems.append(Problem("duplicate_id", event.id, event.id, message))
    points_forward = is_any_missing = False
    for place, event in enumerate(listed):
        for target in _targets(event):
            found = position.get(target)
            if found is None:
                is_any_missing = True
            elif found >= place:
                points_forward = True
        if is_any_missing:
            problems += _missing(event, position)
            is_any_missing = False
    if points_forward:
        links = _links(listed, position)
        problems += [_cycle(listed, link, path) for link, path in _cycles(links)]
    return problems


def _targets(event: Event) -> tuple[str, ...]:
    if event.parent_id is None:
        return event.depends_on
    return (event.parent_id, *event.depends_on)


def _missing(event: Event, position: Mapping[str, int]) -> Iterator[Problem]:
    parent = event.parent_id
    if parent is not None and parent not in position:
        message = f"event {event.id}: its parent {parent} is not in the chain"
        yield Problem("missing_parent", event.id, parent, message)
    for target in dict.fromkeys(event.depends_on):
        if target not in position:
            message = f"event {event.id}: it depends on {target}, which is not in the chain"
            yield Problem("missing_dependency", event.id, target, message)


def _links(listed: Sequence[Event], position: dict[str, int]) -> list[tuple[int, ...]]:
    """Return for each event the places it refers to, each once."""
    return [tuple({position[name]: None for name in _targets(event) if name in position}) for event in listed]


_Cycle = tuple[tuple[int, int], list[int]]
"""The last link of a cycle, and the places along it, from one back to itself; none where there is no room for them."""


def _cycles(links: Sequence[tuple[int, ...]]) -> Iterator[_Cycle]:
    """Yield a cycle for each link that a walk finds leading back, then one through each place that these leave out."""
    room = 10 * len(links) + 10_000  # places on paths, so that a hostile chain cannot cost its square
    named: set[int] = set()
    for path, depth, target in _ways_back(links):
        cycle = path[depth:] if room > 0 else []
        room -= len(cycle)
        named.update((path[-1], target), cycle)
        yield (path[-1], target), [*cycle, target] if cycle else []
    if named:
        yield from _cycles_beside(links, named, room)


def _ways_back(links: Sequence[tuple[int, ...]]) -> Iterator[tuple[list[int], int, int]]:
    """Yield each link that a depth-first walk finds pointing back into its own path: path, depth there, and target."""
    unseen, on_path, done = 0, 1, 2
    state = bytearray(len(links))
    depth_of = [0] * len(links)
    for start in range(len(links)):
        if state[start] != unseen:
            continue
        path, pending = [start], [iter(links[start])]
        state[start], depth_of[start] = on_path, 0
        while path:
            target = next(pending[-1], None)
            if target is None:
                state[path.pop()] = done
                pending.pop()
            elif state[target] == on_path:
                yield path, depth_of[target], target
            elif state[target] == unseen:
                state[target], depth_of[target] = on_path, len(path)
                path.append(target)
                pending.append(iter(links[target]))


def _cycles_beside(links: Sequence[tuple[int, ...]], named: set[int], room: int) -> Iterator[_Cycle]:
    """Yield a cycle through each place that is in one and not named yet."""
    from crucible.trace.merging.causal_order import knots_in  # needs chains, which need this module

    for knot in knots_in(dict(enumerate(links))):
        if named.issuperset(knot):
            continue
        inside = set(knot)
        onwards = {place: [to for to in links[place] if to in inside] for place in knot}
        backwards: dict[int, list[int]] = {place: [] for place in knot}
        for place, targets in onwards.items():
            for to in targets:
                backwards[to].append(place)
        came_from, goes_to = _steps_from(knot[0], onwards), _steps_from(knot[0], backwards)
        for place in knot:
            if place in named:
                continue
            named.add(place)
            if room <= 0:
                yield (place, onwards[place][0]), []
                continue
            to_first, from_first = _way(place, goes_to), _way(place, came_from)[::-1]
            cycle = _without_loops([*to_first, *from_first[1:-1]])
            room -= len(to_first) + len(from_first)
            named.update(cycle)
            yield (cycle[-1], place), [*cycle, place]


def _steps_from(start: int, links: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return for each place that can be reached the one before it on a shortest way."""
    before: dict[int, int] = {start: start}
    waiting = [start]
    for place in waiting:  # grows meanwhile
        for to in links[place]:
            if to not in before:
                before[to] = place
                waiting.append(to)
    return before


def _way(place: int, steps: Mapping[int, int]) -> list[int]:
    """Return the places along steps, from one to where they end."""
    way = [place]
    while steps[way[-1]] != way[-1]:
        way.append(steps[way[-1]])
    return way


def _without_loops(walk: Sequence[int]) -> list[int]:
    """Return a walk without what lies between two visits of the same place."""
    way: list[int] = []
    at: dict[int, int] = {}
    for place in walk:
        if place in at:
            for left_out in way[at[place] + 1 :]:
                del at[left_out]
            del way[at[place] + 1 :]
        else:
            at[place] = len(way)
            way.append(place)
    return way


def _cycle(listed: Sequence[Event], link: tuple[int, int], path: Sequence[int]) -> Problem:
    start, end = (listed[place].id for place in link)
    ids = [listed[place].id for place in path]
    shown = ids if len(ids) <= _SHOWN + 2 else [*ids[: _SHOWN // 2], "…", *ids[-_SHOWN // 2 :]]
    message = (
        f"events that rest on each other in a cycle: {' → '.join(shown)}"
        if ids
        else f"event {start} is in a cycle that leads through {end}; there are too many to say the whole way round"
    )
    return Problem("cycle", start, end, message, tuple(ids))
