"""Whether the links of a chain hold: every missing parent, missing dependency, repeated id and cycle.

Iterative, so depth is no limit; linear in events and links. A chain whose links all point back in time (nearly every
chain) cannot hold a cycle and is done after one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        path: For a cycle, the ids along it, from an event back to itself; else empty.
    """

    kind: Literal["duplicate_id", "missing_parent", "missing_dependency", "cycle"]
    event_id: str
    refers_to: str
    message: str
    path: tuple[str, ...] = ()


def find_problems(events: Iterable[Event]) -> list[Problem]:
    """Return everything that is wrong with the links between `events`; empty if nothing is.

    A link goes from an event to its parent and to each event it depends on; a repeated id means its first bearer.
    Cycles are reported one for each link that closes one, so removing those links removes all cycles.

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
    points_forward = False
    for place, event in enumerate(listed):
        for target in _targets(event):
            found = position.get(target)
            if found is None:
                problems.append(_missing(event, target))
            elif found >= place:
                points_forward = True
    if points_forward:
        problems += [_cycle(listed, path) for path in _cycles(_links(listed, position))]
    return problems


def _targets(event: Event) -> tuple[str, ...]:
    if event.parent_id is None:
        return event.depends_on
    return (event.parent_id, *event.depends_on)


def _missing(event: Event, target: str) -> Problem:
    if target == event.parent_id:
        message = f"event {event.id}: its parent {target} is not in the chain"
        return Problem("missing_parent", event.id, target, message)
    message = f"event {event.id}: it depends on {target}, which is not in the chain"
    return Problem("missing_dependency", event.id, target, message)


def _links(listed: Sequence[Event], position: dict[str, int]) -> list[tuple[int, ...]]:
    """Return for each event the places it refers to, each once."""
    return [tuple({position[name]: None for name in _targets(event) if name in position}) for event in listed]


def _cycles(links: Sequence[tuple[int, ...]]) -> Iterable[list[int]]:
    """Yield a cycle for each link that a depth-first walk finds pointing back into its own path."""
    unseen, on_path, done = 0, 1, 2
    state = bytearray(len(links))
    depth_of = [0] * len(links)
    budget = 10 * len(links) + 10_000  # ids to spend on paths, so that a hostile chain cannot cost its square
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
                cycle = path[depth_of[target] :] if budget > 0 else [path[-1]]
                budget -= len(cycle)
                yield [*cycle, target]
            elif state[target] == unseen:
                state[target], depth_of[target] = on_path, len(path)
                path.append(target)
                pending.append(iter(links[target]))


def _cycle(listed: Sequence[Event], path: list[int]) -> Problem:
    ids = [listed[place].id for place in path]
    shown = ids if len(ids) <= _SHOWN + 2 else [*ids[: _SHOWN // 2], "…", *ids[-_SHOWN // 2 :]]
    message = f"events that rest on each other in a cycle: {' → '.join(shown)}"
    return Problem("cycle", ids[-2], ids[-1], message, tuple(ids))
