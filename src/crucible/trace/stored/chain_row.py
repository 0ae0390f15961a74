"""Events and chains as rows of the store, and back: nothing is lost on the way.

What a column cannot hold (NUL, half a surrogate pair, a confidence that is NaN, a number among the alternatives) is
stored there as near as may be, and exactly in `extra_json` under the field's name, beside the keys that no version
knows. What is no JSON value comes back as the nearest one (`queries.values`), as which queries see it in memory, too; a
time of another zone comes back in UTC.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from crucible.errors import CrucibleError, StoreError
from crucible.store.codec import decode, encode, escaped, marked, revived, storable
from crucible.store.happened import TraceRow
from crucible.trace.event import Event
from crucible.trace.queries.values import nearest

__all__ = ["event_of", "exact_json", "is_storable", "read_exact_json", "row_of", "text_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS = ("id", "type", "decision", "reasoning")
_MAYBE = ("code_section", "spec_reference", "parent_id", "stage_id", "experiment_id")
_LISTS = ("alternatives", "depends_on")


def row_of(event: Event, hash: str | None = None, signature: str | None = None) -> TraceRow:  # noqa: A002  # the column's name
    """Return an event as the store's row.

    Args:
        event: Anything that `Event` can hold.
        hash: Its hash in the chain's ledger.
        signature: Its signature there.
    """
    identity, kind, decision, reasoning = event.id, event.type, event.decision, event.reasoning
    code, spec, parent = event.code_section, event.spec_reference, event.parent_id
    stage, experiment, confidence = event.stage_id, event.experiment_id, event.confidence
    alternatives, depends_on, metadata = event.alternatives, event.depends_on, event.metadata
    moment = event.timestamp
    try:
        texts = "".join(
            (identity, kind, decision, reasoning, code or "", spec or "", parent or "", stage or "", experiment or "")
        )
        is_odd = not texts.isascii() or "\0" in texts
        is_odd |= event.__class__ is not Event or moment.tzinfo is not UTC
        is_odd |= confidence is not None and (confidence.__class__ is not float or not math.isfinite(confidence))
        for words in (alternatives, depends_on):
            "".join(words)
    except TypeError:  # something that is no text
        is_odd = True
    if is_odd:
        return _odd_row(event, hash, signature)
    listed = encode(alternatives) if alternatives else "[]"
    resting = encode(depends_on) if depends_on else "[]"
    described = encode(nearest(metadata)) if metadata else "{}"
    if "\\" in listed or "\\" in resting or "\\\\u" in described:  # may hold what no column can, or what JSON cannot
        return _odd_row(event, hash, signature)
    since = moment - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (
        *(identity, microseconds, kind, decision, reasoning, listed, confidence, code, spec),
        *(described, parent, resting, stage, experiment, None, hash, signature),
    )


def _odd_row(event: Event, hash: str | None, signature: str | None) -> TraceRow:  # noqa: A002  # the column's name
    """Return the row of an event that may not fit its columns."""
    extra: dict[str, Any] = dict(getattr(event, "extra", {}))
    columns: dict[str, Any] = {}
    for name in (*_WORDS, *_MAYBE, *_LISTS, "confidence", "metadata"):
        value = getattr(event, name)
        exact = [nearest(word) for word in value] if name in _LISTS else nearest(value)
        columns[name] = _column(name, exact)
        if not (is_storable(exact) if name == "metadata" else columns[name] == exact):
            extra[name] = exact
    moment = event.timestamp if event.timestamp.utcoffset() is not None else event.timestamp.replace(tzinfo=UTC)
    return (
        *(columns["id"], (moment - _EPOCH) // timedelta(microseconds=1), columns["type"], columns["decision"]),
        *(columns["reasoning"], encode(columns["alternatives"]), columns["confidence"]),
        *(columns["code_section"], columns["spec_reference"], encode(columns["metadata"]), columns["parent_id"]),
        *(encode(columns["depends_on"]), columns["stage_id"], columns["experiment_id"]),
        *(exact_json(extra) if extra else None, hash, signature),
    )


def _column(name: str, value: Any) -> Any:
    """Return what a column keeps of a field's JSON value: the value, or what is nearest to it."""
    if name == "metadata":
        return value
    if name in _LISTS:
        return [text_of(word) for word in value]
    if name == "confidence":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and abs(value) <= sys.float_info.max else None  # false for NaN, too
    return None if value is None and name in _MAYBE else text_of(value)


def text_of(value: Any) -> str:
    """Return the text that a column has of a field's value, and that is searched."""
    return storable(value if isinstance(value, str) else str(nearest(value)))


def is_storable(value: Any) -> bool:
    """Return whether no text in a value has half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return False
    return True


def event_of(row: TraceRow) -> Event:
    """Return the event of a row.

    Raises:
        StoreError: A column holds what nobody of ours wrote there.
    """
    identity, microseconds, kind, decision, reasoning, listed, confidence, code, spec = row[:9]
    described, parent, resting, stage, experiment, extra = row[9:15]
    try:
        event = Event(
            identity,
            _EPOCH + timedelta(microseconds=microseconds),
            kind,
            decision,
            reasoning,
            () if listed == "[]" else _words(listed),
            confidence,
            code,
            spec,
            _mapping(described),
            parent,
            () if resting == "[]" else _words(resting),
            stage,
            experiment,
        )
        return event if extra is None else _with_extra(event, read_exact_json(extra))
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError, CrucibleError) as error:
        raise StoreError(f"event {identity} is damaged in the store ({error}); restore a copy of the store") from error


_texts = msgspec.json.Decoder(list[str])


def _words(text: str) -> tuple[Any, ...]:
    try:
        return tuple(_texts.decode(text))
    except msgspec.ValidationError:  # numbers, as they were written once
        found = decode(text)
    if not isinstance(found, list):
        raise ValueError(f"a list is {text!r:.40}")  # noqa: TRY004  # told as a damaged event
    return tuple(cast("list[Any]", found))


def _mapping(text: str) -> dict[str, Any]:
    found = decode(text)
    if not isinstance(found, dict):
        raise ValueError(f"metadata is {text!r:.40}, expected an object")  # noqa: TRY004  # told as a damaged event
    return cast("dict[str, Any]", found)


def _with_extra(event: Event, extra: dict[str, Any]) -> Event:
    """Return an event with the keys that no version knows, and with fields as they were before they were stored."""
    fields = {name: getattr(event, name) for name in Event.__struct_fields__}
    unknown = {key: value for key, value in extra.items() if key not in fields}
    for name in extra.keys() & _EXACT:
        value, column = extra[name], fields[name]
        if isinstance(value, list if name in _LISTS else dict if name == "metadata" else object) and (
            encode(_column(name, value)) == encode(column)  # or else somebody changed the column, and it counts
        ):
            fields[name] = tuple(cast("Any", value)) if name in _LISTS else value
    if unknown:  # the way in which an event takes keys that it does not know
        event = Event.from_dict({"id": "x", "timestamp": _EPOCH, "type": "x", **unknown})
    return msgspec.structs.replace(event, **fields)


_EXACT = frozenset({*_WORDS, *_MAYBE, *_LISTS, "metadata", "confidence"})


def exact_json(value: Any) -> str:
    """Return a value, or the nearest JSON has, in ASCII, which holds every text, be it half a surrogate pair."""
    return json.dumps(_tagged(nearest(value)))


def _tagged(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return marked(value)
        case dict():
            entries = cast("dict[str, Any]", value)
            return escaped(entries) or {key: _tagged(inner) for key, inner in entries.items()}
        case list() | tuple():
            return [_tagged(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def read_exact_json(text: str) -> dict[str, Any]:
    """Return the value of a text written by `exact_json`.

    Raises:
        ValueError: It is none, or no object.
    """
    found = json.loads(text, object_hook=revived)
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {text!r:.40}")  # noqa: TRY004  # told as something damaged
    return cast("dict[str, Any]", found)
