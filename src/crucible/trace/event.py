"""One decision or occurrence: the `Event`, its making and its checks.

Events are frozen; a chain indexes them once. Making one checks nothing (`validate` does), so that recording never
fails on what it records. JSON in the predecessor's layout is read in `reading`, written here.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack, cast

import msgspec

from crucible import events
from crucible.errors import SpecError, SpecErrors
from crucible.trace import notices
from crucible.trace.plain import not_plain
from crucible.trace.reading import Fields, read_confidence
from crucible.trace.vocabulary import canonical_type, event_type, unknown_type_message

__all__ = ["Event", "EventFields", "format_timestamp", "new_id", "read_event"]


def new_id() -> str:
    """Return a fresh id: 128 random bits as 32 lower-case hex digits.

    Random, not derived: two equal events (the same loss twice) are still two, and runs merge without collisions.
    """
    return os.urandom(16).hex()


def format_timestamp(moment: datetime) -> str:
    """Return ISO-8601 UTC with six decimals and `Z`, as the predecessor writes it."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class EventFields(TypedDict, total=False):
    """The optional fields of `Event.new`."""

    id: str | None
    timestamp: datetime | None
    alternatives: Iterable[str]
    confidence: float | None
    code_section: str | None
    spec_reference: str | None
    metadata: Mapping[str, Any]
    parent_id: str | None
    depends_on: Iterable[str]
    stage_id: str | None
    experiment_id: str | None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One decision or occurrence, and why.

    Args:
        id: Unique in its chain; 32 hex digits where Crucible made it.
        timestamp: When, aware, UTC, to the microsecond.
        type: A word of the registry; unknown words are kept.
        decision: What was decided or happened.
        reasoning: Why.
        alternatives: What was weighed and not chosen.
        confidence: From 0 to 1; None where nobody said.
        code_section: The code that it concerns.
        spec_reference: The requirement that it concerns.
        metadata: JSON values.
        parent_id: The event that encloses this one.
        depends_on: The events that this one rests on.
        stage_id: The stage in which it happened.
        experiment_id: The experiment in which it happened.
    """

    id: str
    timestamp: datetime
    type: str
    decision: str
    reasoning: str
    alternatives: tuple[str, ...] = ()
    confidence: float | None = None
    code_section: str | None = None
    spec_reference: str | None = None
    metadata: dict[str, Any] = {}
    parent_id: str | None = None
    depends_on: tuple[str, ...] = ()
    stage_id: str | None = None
    experiment_id: str | None = None

    @classmethod
    def new(cls, type: str, decision: str, reasoning: str, **fields: Unpack[EventFields]) -> Event:  # noqa: A002  # the field's name
        """Make an event now, with a fresh id; nothing is checked. The bus is told (`crucible_trace.event.created`).

        Args:
            type: A type's name or alias; the alias is replaced by the name.
            decision: What was decided or happened.
            reasoning: Why.
            **fields: Any other field of `Event`. Lists are kept as tuples, with numbers in them as text (0.1 as "0.1"),
                a real number as the confidence as a float, `metadata` as a copy; a naive timestamp counts as UTC.
                What is odd beyond that is kept as it is, for `validate` to remark on.

        Raises:
            TypeError: A field is unknown, or `alternatives` or `depends_on` is a single string.
        """
        given = cast("dict[str, Any]", fields)
        identity = given.pop("id", None) or new_id()
        moment = given.pop("timestamp", None)
        moment = datetime.now(UTC) if moment is None else _in_utc(moment)
        if "alternatives" in given:
            given["alternatives"] = _words("alternatives", given["alternatives"])
        if "depends_on" in given:
            given["depends_on"] = _words("depends_on", given["depends_on"])
        if "confidence" in given and given["confidence"].__class__ is not float:
            given["confidence"] = _as_float(given["confidence"])
        if "metadata" in given:
            given["metadata"] = dict(given["metadata"])
        event = cls(identity, moment, canonical_type(type), decision, reasoning, **given)
        if events.attached():
            notices.event_created(event)
        return event

    def validate(self) -> list[str]:
        """Return what is wrong with this event, one sentence a problem; empty if nothing is."""
        problems: list[str] = []
        if event_type(self.type) is None:
            problems.append(unknown_type_message(self.type))
        problems += _confidence_problems(self.confidence)
        for name in ("id", "decision", "reasoning"):
            value: Any = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                problems.append(f"{name} must be a non-empty string, got {_shown(value)}")
        for name in ("alternatives", "depends_on"):
            if odd := [word for word in getattr(self, name) if not isinstance(word, str)]:
                problems.append(f"{name} must hold strings, got {_shown(odd[0])}")
        if self.timestamp.utcoffset() is None:
            problems.append(f"timestamp must be aware (UTC), got the naive {self.timestamp.isoformat()}")
        if self.id in (self.parent_id, *self.depends_on):
            problems.append("an event cannot be its own parent or dependency")
        problem = not_plain(self.metadata)
        return [*problems, problem] if problem else problems

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, with the predecessor's 14 keys."""
        return {
            "id": self.id,
            "timestamp": format_timestamp(self.timestamp),
            "type": self.type,
            "decision": self.decision,
            "reasoning": self.reasoning,
            "alternatives": list(self.alternatives),
            "confidence": self.confidence,
            "code_section": self.code_section,
            "spec_reference": self.spec_reference,
            "metadata": dict(self.metadata),
            "parent_id": self.parent_id,
            "depends_on": list(self.depends_on),
            "stage_id": self.stage_id,
            "experiment_id": self.experiment_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Event:
        """Read an event that this library or the predecessor (0.1 to 0.3) wrote.

        Args:
            data: `id`, `timestamp`, `type` and whatever else was set; keys that no version knows are kept.

        Raises:
            SpecErrors: Every problem, with the key at which it stands.
        """
        problems: list[SpecError] = []
        event = read_event(data, "", problems)
        if problems:
            raise SpecErrors("trace event", problems)
        return event


class _ForeignEvent(Event, frozen=True, gc=False):
    """An event read from a file with keys that no version knows; they are written back as they came."""

    extra: dict[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), **self.extra}


_KEYS = frozenset(Event.__struct_fields__)


def read_event(data: Any, path: str, problems: list[SpecError]) -> Event:
    """Read an event of a larger document.

    Args:
        data: The event's JSON object.
        path: Where it stands, such as `events[3]`.
        problems: Takes every problem; where it takes one, the event returned is not to be used.
    """
    fields = Fields(data, path, problems)
    values: dict[str, Any] = {
        "id": fields.text("id") or new_id(),
        "timestamp": fields.moment("timestamp"),
        "type": fields.required_text("type"),
        "decision": fields.text("decision") or "",
        "reasoning": fields.text("reasoning") or "",
        "alternatives": fields.words("alternatives"),
        # the predecessor's default for a key left out; an explicit null is our "nobody said"
        "confidence": read_confidence(fields.raw("confidence")) if fields.has("confidence") else 1.0,
        "code_section": fields.text("code_section"),
        "spec_reference": fields.text("spec_reference"),
        "metadata": fields.mapping("metadata"),
        "parent_id": fields.text("parent_id"),
        "depends_on": fields.words("depends_on"),
        "stage_id": fields.text("stage_id"),
        "experiment_id": fields.text("experiment_id"),
    }
    extra = fields.beyond(_KEYS)
    return _ForeignEvent(**values, extra=extra) if extra else Event(**values)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)


def _words(name: str, value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of strings, got the string {value!r}")
    words = tuple(value)
    for word in words:
        if word.__class__ is not str:
            return tuple(_word(word) for word in words)
    return words


def _word(value: Any) -> Any:
    """Return a number as text, as reading a file does; anything else that is no text is `validate`'s business."""
    if isinstance(value, bool):
        return str(value).lower()
    return _shown(value) if isinstance(value, numbers.Number) and not isinstance(value, str) else value


def _as_float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    try:
        return float(value)
    except (OverflowError, ValueError):
        return value


def _shown(value: Any) -> str:
    """Return a value in words; of an integer with thousands of digits, which Python refuses to print, in base 16."""
    if isinstance(value, numbers.Number):  # `repr` of a NumPy number names its class
        return f"{value:#x}" if isinstance(value, int) and value.bit_length() > 1024 else str(value)
    return repr(value)


def _confidence_problems(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN is in no range
        return [f"confidence must be a number from 0 to 1, or None, got {_shown(value)}"]
    return []
