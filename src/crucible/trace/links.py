"""Following the links of a chain in either direction: what an event stands inside, and what it rests on.

Iterative and linear in what is reached, so depth is no limit; each event is reached once, which ends every cycle. Links
to events that are not in the chain are passed over: `validate_relationships` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crucible.trace.event import Event
from crucible.trace.index import Index

__all__ = ["ancestors", "basis", "consequences", "descendants"]


def ancestors(event: Event, index: Index) -> list[Event]:
    """Return what encloses `event`, the nearest first."""
    found: list[Event] = []
    seen = {event.id}
    while event.parent_id is not None and event.parent_id not in seen:
        parent = index.by_id.get(event.parent_id)
        if parent is None:
            break
        seen.add(parent.id)
        found.append(parent)
        event = parent
    return found


def descendants(event: Event, index: Index) -> list[Event]:
    """Return everything inside `event`, parents before their children, siblings in chain order."""
    return _reached(event, lambda each: index.children.get(each.id, ()))


def basis(event: Event, index: Index, *, with_parents: bool) -> list[Event]:
    """Return everything that `event` rests on, the nearest first."""

    def links(each: Event) -> Iterable[Event]:
        names = (*each.depends_on, each.parent_id) if with_parents and each.parent_id else each.depends_on
        return [found for name in names if (found := index.by_id.get(name)) is not None]

    return _reached(event, links, breadth=True)


def consequences(event: Event, index: Index) -> list[Event]:
    """Return everything that rests on `event`, the nearest first."""
    return _reached(event, lambda each: index.dependents().get(each.id, ()), breadth=True)


def _reached(start: Event, links: Callable[[Event], Iterable[Event]], *, breadth: bool = False) -> list[Event]:
    seen = {start.id}
    found: list[Event] = []
    if breadth:
        layer = [start]
        while layer:
            following: list[Event] = []
            for event in layer:
                for linked in links(event):
                    if linked.id not in seen:
                        seen.add(linked.id)
                        following.append(linked)
            found += following
            layer = following
        return found
    pending = list(reversed(list(links(start))))
    while pending:
        event = pending.pop()
        if event.id in seen:
            continue
        seen.add(event.id)
        found.append(event)
        pending += reversed(list(links(event)))
    return found
