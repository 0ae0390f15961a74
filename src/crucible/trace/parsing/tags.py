"""Events written in the tag format, so that `parse` gives the same events back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from crucible.trace.event import Event, format_timestamp
from crucible.trace.parsing.entities import as_attribute, as_text
from crucible.trace.parsing.values import is_nothing
from crucible.trace.plain import plain

__all__ = ["to_tags"]


def to_tags(events: Iterable[Event]) -> str:
    """Write events, or a chain, as tags.

    Whatever text they hold, `parse` reads the same fields back, but for these: an empty optional text comes back as
    None, an empty id as a fresh one, an empty entry of a list not at all, a confidence outside 0 to 1 as None with an
    issue, a time in UTC, and a type that is an alias or another spelling of a registered one (`DecisionMade`) as that
    one's name.

    Args:
        events: The events; those of a chain in its order.
    """
    return "".join(f"{line}\n" for event in events for line in _lines(event))


def _lines(event: Event) -> Iterator[str]:
    heads = {"type": event.type, "id": event.id, "timestamp": format_timestamp(event.timestamp)}
    attributes = [f'{name}="{_shielded(as_attribute(value))}"' for name, value in heads.items()]
    yield f"<event {' '.join(attributes)}>"
    yield _tag("decision", event.decision)
    if event.alternatives:
        yield "  <alternatives>"
        yield from (f"  {_tag('alternative', word)}" for word in event.alternatives)
        yield "  </alternatives>"
    yield _tag("reasoning", event.reasoning)
    optional = {
        "confidence": None if event.confidence is None else repr(float(event.confidence)),
        "code_section": event.code_section,
        "spec_reference": event.spec_reference,
        "parent_id": event.parent_id,
        "stage_id": event.stage_id,
        "experiment_id": event.experiment_id,
    }
    yield from (_optional(name, text) for name, text in optional.items() if text is not None)
    if event.depends_on:
        yield "  <depends_on>"
        yield from (f"  {_optional('id', word)}" for word in event.depends_on)
        yield "  </depends_on>"
    if event.metadata:
        yield _tag("metadata", json.dumps(plain(event.metadata), ensure_ascii=True))
    yield "</event>"


def _tag(name: str, text: str) -> str:
    return f"  <{name}>{as_text(text)}</{name}>"


def _optional(name: str, text: str) -> str:
    return f"  <{name}>{_shielded(as_text(text))}</{name}>"


def _shielded(raw: str) -> str:
    """Write a word such as `null` so that it is read as text and not as no value."""
    return f"&#{ord(raw[0])};{raw[1:]}" if is_nothing(raw) else raw
