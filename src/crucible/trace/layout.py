"""The 14 keys of an event, quickly: what this library wrote itself needs no tolerance to be read back.

Whatever does not fit to the letter (a key more or less, a naive time, a number for a text) is left to the tolerant
reader in `event`, which is ten times slower and says what is wrong.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec

from crucible.errors import SpecError
from crucible.trace.event import Event
from crucible.trace.plain import not_plain, plain

__all__ = ["Row", "event_of", "exact", "written"]


class Row(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An event as it lies in JSON: every key is there, and no other."""

    id: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    type: str
    decision: str
    reasoning: str
    alternatives: tuple[str, ...]
    confidence: float | None
    code_section: str | None
    spec_reference: str | None
    metadata: dict[str, Any]
    parent_id: str | None
    depends_on: tuple[str, ...]
    stage_id: str | None
    experiment_id: str | None


def event_of(row: Row) -> Event:
    """Return the event of a row.

    Raises:
        ValueError: Only the tolerant reader can tell what it means.
    """
    moment = row.timestamp
    if not row.id or not row.type:
        raise ValueError("an id or a type is empty")
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time lies before year 1 or after 9999") from error
    return Event(
        row.id,
        moment,
        row.type,
        row.decision,
        row.reasoning,
        row.alternatives,
        row.confidence,
        row.code_section,
        row.spec_reference,
        row.metadata,
        row.parent_id,
        row.depends_on,
        row.stage_id,
        row.experiment_id,
    )


_encode = msgspec.json.Encoder().encode
_SIMPLE = frozenset({str, bool, type(None)})
_SMALL = 2**62
_UNENCODABLE = (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError)


def written(event: Event) -> tuple[Event, bytes]:
    """Return an event as JSON text without line breaks, and the event that reading it brings back.

    That is the same one, unless it holds what JSON cannot carry: NaN, an object, half a surrogate pair become the
    nearest JSON value, as with the collector (`plain`), for recording must not fail on what it records.
    """
    text = _quickly(event)
    if text is not None:
        return event, text
    if not_plain(event.to_dict()) is not None:
        event = _made_plain(event)
    return event, _encode(event.to_dict())


def exact(event: Event, path: str) -> bytes:
    """Return an event as JSON text without line breaks.

    Args:
        event: What to write.
        path: Where it stands, for the message.

    Raises:
        SpecError: It holds what JSON cannot carry; the path to it is named.
    """
    text = _quickly(event)
    if text is not None:
        return text
    data = event.to_dict()
    problem = not_plain(data, path)
    if problem:
        raise SpecError(problem, code="not_json")
    return _encode(data)


def _quickly(event: Event) -> bytes | None:
    """Return the text where a short look shows that JSON carries everything; None where it takes a longer one."""
    if event.__class__ is not Event or not _is_flat(event.metadata) or not _is_finite(event.confidence):
        return None
    try:
        # msgspec leaves the decimals out of a whole second; all our times have six
        moment = event.timestamp
        return _encode(event if moment.microsecond and moment.tzinfo is UTC else event.to_dict())
    except _UNENCODABLE:
        return None


def _is_flat(metadata: dict[str, Any]) -> bool:
    """Return whether a look at each value is enough to know that JSON carries it; the texts are left to the encoder."""
    for key, value in metadata.items():
        kind = value.__class__
        if key.__class__ is not str or not (
            kind in _SIMPLE or (kind is float and math.isfinite(value)) or (kind is int and -_SMALL < value < _SMALL)
        ):
            return False
    return True


def _is_finite(confidence: float | None) -> bool:
    return confidence is None or (confidence.__class__ in {float, int} and math.isfinite(confidence))


def _made_plain(event: Event) -> Event:
    values: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__ if name != "timestamp"}
    for name, value in values.items():
        kept = plain(value)
        values[name] = tuple(cast("list[Any]", kept)) if isinstance(value, tuple) else kept
    if not isinstance(values["confidence"], float | int):
        values["confidence"] = None  # NaN is no confidence, and a word in its place would be read as none
    return msgspec.structs.replace(event, **values)
