"""Who came of whom: edges from a version to those it was made from, and the walks along them.

The edges never make a circle; `circle` says which way one would go round.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from crucible.store.models.names import Relation

__all__ = ["Edge", "LineageStep", "Reference", "circle", "walk"]

Reference = tuple[str, str]
"""Model and version."""


class Edge(msgspec.Struct, frozen=True):
    """One line of descent.

    Args:
        child: The version that came of the other.
        relation: How.
        parent: The other.
    """

    child: Reference
    relation: Relation
    parent: Reference


class LineageStep(msgspec.Struct, frozen=True):
    """A version on the way up or down from another.

    Args:
        model: Name of the model.
        version: The version.
        relation: How the younger of the two came of the older.
        via: Model and version of the nearer one, from which this step was taken.
        depth: Steps from the start, at least 1.
    """

    model: str
    version: str
    relation: Relation
    via: Reference
    depth: int


def walk(edges: Iterable[Edge], start: Reference, direction: Literal["up", "down"]) -> list[LineageStep]:
    """Return every ancestor (`up`) or descendant (`down`) of a version, the nearest first, each once.

    Where several ways of the same length lead to one, the first is told.
    """
    near = _neighbours(edges, direction)
    found: list[LineageStep] = []
    seen, waiting = {start}, deque([(start, 0)])
    while waiting:
        here, depth = waiting.popleft()
        for edge in near.get(here, ()):
            there = edge.parent if direction == "up" else edge.child
            if there not in seen:
                seen.add(there)
                found.append(LineageStep(*there, edge.relation, here, depth + 1))
                waiting.append((there, depth + 1))
    return found


def circle(edges: Sequence[Edge], new: Edge) -> str | None:
    """Return the way round that a new edge would close, in words; None if it closes none."""
    if new.child == new.parent:
        return f"{_name(new.child)} {new.relation} itself"
    steps = {(step.model, step.version): step for step in walk(edges, new.parent, "up")}
    if new.child not in steps:
        return None
    back: list[str] = []
    here = new.child
    while here != new.parent:  # from the child, along the walk, down to where it began
        step = steps[here]
        back.append(f" {step.relation} {_name(here)}")
        here = step.via
    return f"{_name(new.child)} {new.relation} {_name(new.parent)}{''.join(reversed(back))}"


def _neighbours(edges: Iterable[Edge], direction: str) -> Mapping[Reference, list[Edge]]:
    near: dict[Reference, list[Edge]] = {}
    for edge in edges:
        near.setdefault(edge.child if direction == "up" else edge.parent, []).append(edge)
    return near


def _name(reference: Reference) -> str:
    return "@".join(reference)
