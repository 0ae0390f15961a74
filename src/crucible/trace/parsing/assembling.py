"""Events out of an outline: what was said becomes fields, and what cannot be read becomes an issue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from crucible.trace.event import Event, new_id
from crucible.trace.parsing.entities import read_text
from crucible.trace.parsing.issue import Kind, Reports, shown
from crucible.trace.parsing.outline import EventFrame, Outline
from crucible.trace.parsing.said import Said
from crucible.trace.parsing.values import read_confidence, read_list, read_metadata, squeezed, type_names
from crucible.trace.reading import read_timestamp
from crucible.trace.vocabulary import unknown_type_message

__all__ = ["UNTYPED", "Assembler"]

UNTYPED = "untyped"
"""The type of an event that names none; the registry does not know it."""

_SUGGESTIONS = 20
_ALTERNATIVE = frozenset({"alternative", "alt", "item", "li", "option", "choice"})
_REFERENCE = frozenset({"id", "ref", "item", "li", "event_id", "event-id", "dependency", "depends_on"})


class Assembler:
    """Makes the events of one text.

    Args:
        outline: What stands in the text.
        reports: Takes what is wrong.
    """

    def __init__(self, outline: Outline, reports: Reports) -> None:
        self._outline = outline
        self._reports = reports
        self._types = type_names()
        self._now = datetime.now(UTC)  # one moment for all: they were read together
        self._hints: dict[str, str] = {}
        self._unknown_types: dict[str, str] = {}
        self._ids: dict[int, str] = {}  # of the events so far, by the id() of their frames

    def events(self) -> list[Event]:
        """Return the events in the order of their opening tags."""
        saids = [Said(self._outline, frame, self._types) for frame in self._outline.events]
        events = [self._event(said) for said in saids]
        self._check_ids(saids, events)
        return [self._with_references(said, event) for said, event in zip(saids, events, strict=True)]

    def _event(self, said: Said) -> Event:
        said.report(self._reports, self._hints)
        identity = said.text("id") or new_id()
        self._ids[id(said.event)] = identity
        metadata = self._metadata(said)
        return Event(
            id=identity,
            timestamp=self._timestamp(said, metadata),
            type=self._type(said),
            decision=self._decision(said),
            reasoning=self._required(said, "reasoning", "missing_reasoning"),
            alternatives=self._alternatives(said),
            confidence=self._confidence(said),
            code_section=said.text("code_section") or None,
            spec_reference=said.text("spec_reference") or None,
            metadata=metadata,
            parent_id=said.text("parent_id") or self._enclosing(said.event),
            depends_on=self._listed(said, "depends_on", _REFERENCE),
            stage_id=said.text("stage_id") or None,
            experiment_id=said.text("experiment_id") or None,
        )

    def _report(self, kind: Kind, said: Said, name: str, message: str) -> None:
        self._reports.add(kind, said.offset(name), message, said.event)

    def _enclosing(self, frame: EventFrame) -> str | None:
        around = frame.parent
        return self._ids.get(id(around)) if around is not None and around.is_closed else None

    def _type(self, said: Said) -> str:
        written = said.text("type")
        if not written:
            self._report("missing_type", said, "type", f"the event names no type; it is kept as {UNTYPED!r}")
            return UNTYPED
        known = self._types.get(squeezed(written))
        if known is not None:
            return known
        if written not in self._unknown_types:
            is_looked_up = len(self._unknown_types) < _SUGGESTIONS and len(written) <= 60
            message = unknown_type_message(written) if is_looked_up else f"unknown event type {shown(written)}"
            self._unknown_types[written] = message
        self._report("unknown_type", said, "type", self._unknown_types[written])
        return written

    def _decision(self, said: Said) -> str:
        loose = read_text(said.loose)
        is_complete = said.event.is_closed
        if loose and is_complete and not said.text("decision"):
            message = f"the event has no decision tag; its text {shown(loose)} is taken for the decision"
            self._reports.add("loose_text", said.event.start, message, said.event)
            return loose
        if loose and is_complete:
            message = f"the text {shown(loose)} stands outside of the event's tags and is left out"
            self._reports.add("loose_text", said.event.loose[0][0], message, said.event)
        return self._required(said, "decision", "missing_decision")

    def _required(self, said: Said, name: str, kind: Kind) -> str:
        text = said.text(name)
        if not text:
            state = "is empty" if said.has(name) else "is missing"
            self._report(kind, said, name, f"the event's {name} {state}; expected <{name}>…</{name}>")
        return text

    def _alternatives(self, said: Said) -> tuple[str, ...]:
        single = [text for saying in said.all("alternative") if (text := read_text(saying.raw))]
        return (*self._listed(said, "alternatives", _ALTERNATIVE), *single)

    @staticmethod
    def _listed(said: Said, name: str, tags: frozenset[str]) -> tuple[str, ...]:
        return tuple(entry for saying in said.all(name) for entry in read_list(saying.raw, tags))

    def _confidence(self, said: Said) -> float | None:
        written = said.text("confidence")
        value = read_confidence(written) if written else None
        if written and value is None:
            message = (
                f"the confidence {shown(written)} is no number from 0 to 1, such as 0.85 or 85%; it counts as unsaid"
            )
            self._report("bad_confidence", said, "confidence", message)
        return value

    def _timestamp(self, said: Said, metadata: dict[str, Any]) -> datetime:
        written = said.text("timestamp")
        moment = read_timestamp(written) if written else self._now
        if moment is None:
            metadata.setdefault("timestamp", written)
            message = f"the timestamp {shown(written)} is no ISO-8601 time; it is kept in the metadata"
            self._report("bad_timestamp", said, "timestamp", message)
        return moment or self._now

    def _metadata(self, said: Said) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for saying in said.all("metadata"):
            entries, problem = read_metadata(saying.raw)
            if problem:
                message = f"the metadata is kept as text: {problem}"
                self._reports.add("bad_metadata", saying.offset, message, said.event)
            found = {**entries, **found}
        return {**said.metadata, **found}

    def _check_ids(self, saids: list[Said], events: list[Event]) -> None:
        seen: set[str] = set()
        for said, event in zip(saids, events, strict=True):
            if event.id in seen:
                self._report("duplicate_id", said, "id", f"an earlier event has the id {shown(event.id)}, too")
            seen.add(event.id)
        self._known = seen

    def _with_references(self, said: Said, event: Event) -> Event:
        """Look whether links lead to events; several ids with white space between are taken apart if all are known."""
        found: list[str] = []
        is_plain = all("<" not in saying.raw for saying in said.all("depends_on"))
        for word in event.depends_on:
            parts = word.split()
            is_one = word in self._known or not is_plain or not self._known.issuperset(parts)
            found += [word] if is_one else parts
        links = [("parent_id", event.parent_id), *(("depends_on", word) for word in found)]
        for name, word in links:
            if word is None:
                continue
            if word == event.id:
                self._report("dangling_reference", said, name, f"{name} names the event itself, {shown(word)}")
            elif word not in self._known:
                self._report(
                    "dangling_reference", said, name, f"{name} names {shown(word)}, which no event here has as its id"
                )
        if found == list(event.depends_on):
            return event
        return msgspec.structs.replace(event, depends_on=tuple(found))
