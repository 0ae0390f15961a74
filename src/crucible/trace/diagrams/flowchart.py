"""The flowchart: the events one after the other, and beside each what was not chosen."""

from __future__ import annotations

from crucible.trace.diagrams.classes import Classes
from crucible.trace.diagrams.drawing import Drawing, Excerpt
from crucible.trace.event import Event
from crucible.trace.vocabulary import event_type

__all__ = ["draw_flowchart", "node"]


def draw_flowchart(excerpt: Excerpt) -> Drawing:
    """Draw the events in chain order; decision points are hexagons, alternatives dashed nodes beside them."""
    classes = Classes(excerpt.options)
    lines = ["flowchart TD"]
    edges: list[str] = []
    for place, event in enumerate(excerpt.events):
        lines.append(f"  {node(f'E{place}', event, excerpt)}{classes.of_type(event.type)}")
        if place:
            edges.append(f"  E{place - 1} --> E{place}")
        for number, word in enumerate(excerpt.alternatives(event)):
            name = f"A{place}_{number}"
            lines.append(f'  {name}(["{excerpt.encoded(word)}"]){classes.dashed()}')
            edges.append(f"  E{place} -.- {name}")
    if more := excerpt.more():
        lines.append(f'  More["{more}"]{classes.dashed()}')
        edges += [f"  E{len(excerpt.events) - 1} -.-> More"] if excerpt.events else []
    elif not excerpt.events:
        lines.append('  None["No events"]')
    return Drawing([*lines, *edges, *classes.lines()], len(edges))


def node(name: str, event: Event, excerpt: Excerpt) -> str:
    """Return an event's node: a hexagon for a decision point, a rectangle for all else."""
    known = event_type(event.type)
    is_decision = bool(event.alternatives) or (known is not None and known.is_decision)
    left, right = ("{{", "}}") if is_decision else ("[", "]")
    return f'{name}{left}"{excerpt.decision(event)}"{right}'
