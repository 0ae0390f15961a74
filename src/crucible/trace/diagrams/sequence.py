"""The sequence diagram: which stage handed on to which, step by step.

The lanes are the stages, or the categories of events that belong to none. Every event is exactly one message into its
own lane, so that the numbers on the messages are the places in the chain, and notes can refer to them.
"""

from __future__ import annotations

from collections.abc import Iterator

from crucible.trace.diagrams.drawing import Drawing, Excerpt
from crucible.trace.diagrams.label import shortened, words
from crucible.trace.event import Event
from crucible.trace.vocabulary import look_of, title_of

__all__ = ["draw_sequence"]

_SHOWN_LINKS = 20  # numbers in a note


def draw_sequence(excerpt: Excerpt) -> Drawing:
    """Draw each event as a message with its type's code: solid from its parent, else dotted from the step before.

    A message of failure ends with a cross. Notes give the confidence, the alternatives, the numbers of the events that
    it rests on, and a parent that is missing.
    """
    lanes: dict[tuple[str, str], str] = {}
    names = [lanes.setdefault(_lane(event), f"P{len(lanes)}") for event in excerpt.events]
    lines = ["sequenceDiagram", *([f"  title {excerpt.encoded(excerpt.title)}"] if excerpt.title else [])]
    lines.append("  autonumber")
    for (_, lane), name in lanes.items():
        lines.append(f"  participant {name} as {excerpt.label(lane)}")
    for place, event in enumerate(excerpt.events):
        origin = excerpt.places.get(event.parent_id) if event.parent_id is not None else None
        is_known = origin is not None and origin < len(names)
        source = names[origin] if origin is not None and is_known else names[max(0, place - 1)]
        code = look_of(event.type).code
        lines.append(
            f"  {source}{_arrow(event, is_solid=is_known)}{names[place]}: {code} {excerpt.label(event.decision)}"
        )
        if note := "<br/>".join(excerpt.encoded(line) for line in _note(event, excerpt)):
            lines.append(f"  Note over {names[place]}: {note}")
    if not lanes:
        lines.append(f"  participant P0 as {excerpt.more() or 'No events'}")
    elif more := excerpt.more():
        lines.append(f"  Note over {names[-1]}: {more}")
    return Drawing(lines, len(excerpt.events))


def _lane(event: Event) -> tuple[str, str]:
    if event.stage_id is not None:
        return "stage", words(event.stage_id)
    return "category", title_of(look_of(event.type).category)


def _arrow(event: Event, *, is_solid: bool) -> str:
    if words(event.type).endswith("_failed"):
        return "-x" if is_solid else "--x"
    return "->>" if is_solid else "-->>"


def _note(event: Event, excerpt: Excerpt) -> Iterator[str]:
    if said := excerpt.stated(event):
        yield f"confidence {said}"
    for place, word in enumerate(excerpt.alternatives(event)):
        yield f"{'instead of' if not place else 'or'} {word}"
    places = [excerpt.places.get(event_id) for event_id in event.depends_on]
    if known := [str(place + 1) for place in places if place is not None]:
        more = f" and {len(known) - _SHOWN_LINKS} more" if len(known) > _SHOWN_LINKS else ""
        yield f"rests on {', '.join(known[:_SHOWN_LINKS])}{more}"
    if absent := places.count(None):
        yield f"rests on {absent} event{'s' if absent != 1 else ''} not in the chain"
    if event.parent_id is not None and event.parent_id not in excerpt.places:
        yield f"part of {shortened(event.parent_id, excerpt.length)}, not in the chain"
