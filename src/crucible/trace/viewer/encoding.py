"""A chain as compact JSON for the page: arrays instead of objects, each repeated text once.

What JavaScript would change on reading (integers beyond 2^53, times a thousand years away) travels as text, and no
character that could end the script element, or reverse the reading direction of the source, travels as itself.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from crucible.trace.event import Event, format_timestamp
from crucible.trace.plain import plain
from crucible.trace.reading import read_timestamp
from crucible.trace.viewer.losses import loss_lines
from crucible.trace.vocabulary import EventType, canonical_type, look_of, title_of

__all__ = ["encode", "safe_json", "types_in"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53 - 1  # integers that JavaScript keeps
_STANDARD_KEYS = frozenset(Event.__struct_fields__)
_UNSAFE = re.compile("[<>&\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def safe_json(value: Any) -> str:
    """Return JSON that may stand inside a script element: nothing in it can end the element or confuse an editor."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def types_in(events: Iterable[Event]) -> list[EventType]:
    """Return the types that occur, in order of first appearance; an unknown one keeps its word as its name."""
    names = dict.fromkeys(canonical_type(event.type) for event in events)
    return [msgspec.structs.replace(look_of(name), name=name) for name in names]


def encode(events: Sequence[Event], types: Sequence[EventType]) -> dict[str, Any]:
    """Return the events of a chain as arrays.

    A row of `events` is id, microseconds since the start, type, decision, reasoning, confidence, parent, stage,
    experiment, metadata, alternatives, dependencies, code section, spec reference, other fields. Zeros at its end are
    left off. A number instead of a text is its place in `strings`; numbers of types, stages, experiments and events
    count from 1, and 0 is none. A link to an event that is not there is that event's id.

    Args:
        events: What to encode, in chain order, each as `readable` returns it.
        types: What `types_in` returned.
    """
    rows = _Rows(events, types)
    encoded = [rows.row(event) for event in events]
    return {
        "start_us": rows.start_us,
        "strings": rows.strings,
        "shapes": [list(shape) for shape in rows.shapes],
        "stages": list(rows.stages),
        "experiments": list(rows.experiments),
        "types": [_type(entry) for entry in types],
        "events": encoded,
        "lines": msgspec.to_builtins(loss_lines(events)),
    }


def _type(entry: EventType) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": title_of(entry.name) or "(no type)",
        "category": entry.category,
        "code": entry.code,
        "meaning": entry.meaning,
        "decides": entry.is_decision,
    }


class _Rows:
    """Makes the rows, and collects what they refer to by number."""

    def __init__(self, events: Sequence[Event], types: Sequence[EventType]) -> None:
        self._types = {entry.name: number for number, entry in enumerate(types, start=1)}
        self._events: dict[str, int] = {}
        for number, event in enumerate(events, start=1):
            self._events.setdefault(event.id, number)  # a repeated id stands for its first bearer, as in the chain
        counts = Counter(text for event in events for text in _texts(event))
        repeated = (text for text, count in counts.items() if count > 1 and len(text) > 3)
        self._strings = {text: number for number, text in enumerate(repeated, start=1)}
        self.strings = ["", *self._strings]
        self.shapes: dict[tuple[str, ...], int] = {}
        self.stages: dict[str, int] = {}
        self.experiments: dict[str, int] = {}
        self.start_us = min((_microseconds(event.timestamp) for event in events), default=0)

    def row(self, event: Event) -> list[Any]:
        """Return an event as a row."""
        row: list[Any] = [
            event.id,
            self._time(event.timestamp),
            self._types[canonical_type(event.type)],
            self._said(event.decision),
            self._said(event.reasoning),
            _confidence(event.confidence),
            0 if event.parent_id is None else self._link(event.parent_id),
            _numbered(self.stages, event.stage_id),
            _numbered(self.experiments, event.experiment_id),
            self._metadata(event.metadata),
            [self._said(word) for word in event.alternatives] or 0,
            [self._link(word) for word in event.depends_on] or 0,
            0 if event.code_section is None else self._said(event.code_section),
            0 if event.spec_reference is None else self._said(event.spec_reference),
            _others(event),
        ]
        while row[-1] == 0:
            row.pop()
        return row

    def _said(self, value: str) -> str | int:
        return self._strings.get(value, value)

    def _link(self, event_id: str) -> str | int:
        return self._events.get(event_id) or event_id

    def _time(self, moment: datetime) -> Any:
        since = _microseconds(moment) - self.start_us
        is_exact = since <= _EXACT and abs(_microseconds(moment)) <= _EXACT
        return since if is_exact else [float(since), format_timestamp(moment)]

    def _metadata(self, metadata: Any) -> Any:
        if not metadata:
            return 0
        known = _exact(plain(metadata))
        shape = tuple(known)
        return [self.shapes.setdefault(shape, len(self.shapes)), *known.values()]


def _texts(event: Event) -> Iterable[str]:
    values = (event.decision, event.reasoning, event.code_section, event.spec_reference, *event.alternatives)
    return (value for value in values if value is not None)


def _microseconds(moment: datetime) -> int:
    return ((read_timestamp(moment) or moment) - _EPOCH) // _MICROSECOND


def _confidence(value: Any) -> Any:
    """Return a confidence as a number, None where nobody said, and what is neither as text."""
    kept = plain(value)
    return kept if kept is None or (isinstance(kept, int | float) and not isinstance(kept, bool)) else str(kept)


def _numbered(numbers: dict[str, int], value: str | None) -> int:
    return 0 if value is None else numbers.setdefault(value, len(numbers) + 1)


def _others(event: Event) -> Any:
    """Return fields that no version knows, and the spelling of a type that is shown by its name."""
    others = (
        {key: value for key, value in event.to_dict().items() if key not in _STANDARD_KEYS}
        if _is_foreign(event)
        else {}
    )
    spelling = event.type
    if canonical_type(spelling) != spelling:
        others["type, as written"] = spelling
    return [[key, value] for key, value in _exact(plain(others)).items()] or 0


def _is_foreign(event: Event) -> bool:
    return type(event) is not Event


def _exact(value: Any) -> Any:
    """Return a JSON value with the integers that JavaScript would round as text."""
    if isinstance(value, dict):
        return {key: _exact(entry) for key, entry in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_exact(entry) for entry in cast("list[Any]", value)]
    return str(value) if value.__class__ is int and abs(cast("int", value)) > _EXACT else value
