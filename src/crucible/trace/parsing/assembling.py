"""Events out of an outline: what was said becomes fields, and what cannot be read becomes an issue."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

import msgspec

from crucible.trace.event import Event, new_id
from crucible.trace.parsing.attributes import Attribute
from crucible.trace.parsing.entities import read_text
from crucible.trace.parsing.gathering import Gathering
from crucible.trace.parsing.issue import Kind, Reports, shown
from crucible.trace.parsing.outline import EventFrame, Outline
from crucible.trace.parsing.said import Said
from crucible.trace.parsing.values import read_confidence, read_list, read_metadata, squeezed, type_names
from crucible.trace.reading import read_timestamp
from crucible.trace.vocabulary import event_type, unknown_type_message

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
        earlier: The ids of events in other texts, to which this one may refer.
    """

    def __init__(self, outline: Outline, reports: Reports, earlier: Collection[str] = ()) -> None:
        self._outline = outline
        self._reports = reports
        self._earlier = earlier
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
        identity = said.optional("id") or new_id()
        self._ids[id(said.event)] = identity
        alternatives, depends_on = self._alternatives(said), self._listed(said, "depends_on", _REFERENCE)
        timestamp = self._timestamp(said)
        said.report(self._reports, self._hints)
        return Event(
            id=identity,
            timestamp=timestamp,
            type=self._type(said),
            decision=self._decision(said),
            reasoning=self._required(said, "reasoning", "missing_reasoning"),
            alternatives=alternatives,
            confidence=self._confidence(said),
            code_section=said.optional("code_section"),
            spec_reference=said.optional("spec_reference"),
            metadata=self._metadata(said),
            parent_id=said.optional("parent_id") or self._enclosing(said.event),
            depends_on=depends_on,
            stage_id=said.optional("stage_id"),
            experiment_id=said.optional("experiment_id"),
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
        snake = re.sub(r"[\s-]+", "_", written.lower())
        exact = event_type(written) or event_type(snake)  # of `retrain` and `re_train`, each has its own spellings
        known = exact.name if exact is not None else self._types.get(squeezed(written))
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
        found: list[str] = []
        for saying in said.all(name):
            left: list[Attribute] = []
            found += read_list(saying.raw, tags, left, skips_nothing=name == "depends_on")
            for attribute in left:  # its offset is that in its own tag
                said.keep(f"{name}.{attribute.name}", attribute.value, saying.offset)
        return tuple(found)

    def _confidence(self, said: Said) -> float | None:
        written = said.optional("confidence")
        if said.has("confidence") and not said.all("confidence"):
            self._report("bad_confidence", said, "confidence", "the confidence is empty; it counts as unsaid")
        value = read_confidence(written) if written else None
        if written and value is None:
            message = (
                f"the confidence {shown(written)} is no number from 0 to 1, such as 0.85 or 85%; it counts as unsaid"
            )
            self._report("bad_confidence", said, "confidence", message)
        return value

    def _timestamp(self, said: Said) -> datetime:
        written = said.optional("timestamp")
        moment = read_timestamp(written) if written else self._now
        if written and moment is None:
            said.metadata.add("timestamp", written)
            message = f"the timestamp {shown(written)} is no ISO-8601 time; it is kept in the metadata"
            self._report("bad_timestamp", said, "timestamp", message)
        return moment or self._now

    def _metadata(self, said: Said) -> dict[str, object]:
        found = Gathering()
        for saying in said.all("metadata"):
            entries, problem = read_metadata(saying.raw)
            if problem:
                message = f"the metadata is kept as text: {problem}"
                self._reports.add("bad_metadata", saying.offset, message, said.event)
            found.add_all(entries.items())
        found.add_all(said.metadata.entries())
        return found.result()

    def _check_ids(self, saids: list[Said], events: list[Event]) -> None:
        seen: set[str] = set()
        for said, event in zip(saids, events, strict=True):
            if event.id in seen:
                self._report("duplicate_id", said, "id", f"an earlier event has the id {shown(event.id)}, too")
            seen.add(event.id)
        self._known = seen

    def _is_known(self, identity: str) -> bool:
        return identity in self._known or identity in self._earlier

    def _with_references(self, said: Said, event: Event) -> Event:
        """Look whether links lead to events; several ids with white space between are taken apart if all are known."""
        found: list[str] = []
        is_plain = all("<" not in saying.raw for saying in said.all("depends_on"))
        for word in event.depends_on:
            parts = word.split()
            is_one = self._is_known(word) or not is_plain or not all(map(self._is_known, parts))
            found += [word] if is_one else parts
        links = [("parent_id", event.parent_id), *(("depends_on", word) for word in found)]
        for name, word in links:
            if word is None:
                continue
            if word == event.id:
                self._report("dangling_reference", said, name, f"{name} names the event itself, {shown(word)}")
            elif not self._is_known(word):
                self._report(
                    "dangling_reference", said, name, f"{name} names {shown(word)}, which no event here has as its id"
                )
        if found == list(event.depends_on):
            return event
        return msgspec.structs.replace(event, depends_on=tuple(found))
