"""One line of a metrics store: its six keys, written so that every JSON reader takes it and read back as it was.

NaN and the infinities are a null with `"non_finite": "NaN"` in the metadata; what is no number is a null with
`"malformed"` there, the text of what came. A user's own key of these names gets a `=` in front, and loses it again.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec

from crucible.store import decode, encode
from crucible.telemetry.importers.curve import INT64
from crucible.telemetry.importers.json_text import LongInteger, json_value
from crucible.telemetry.importers.number import json_number, json_step
from crucible.telemetry.importers.problem import shown

__all__ = ["MetricEntry", "is_metric_line", "line_of", "read_entry", "said"]

_NON_FINITE, _MALFORMED, _MALFORMED_STEP = "non_finite", "malformed", "malformed_step"
_FLAGS = (_NON_FINITE, _MALFORMED, _MALFORMED_STEP)
_TEXT_LIMIT = 200


class MetricEntry(msgspec.Struct, frozen=True, gc=False):
    """A value of a metric, as it was recorded.

    Args:
        run_id: The run.
        metric: Its name.
        value: The number, NaN and infinities too; None for what was no number.
        step: Where on its axis; None where none was given.
        timestamp: ISO 8601 UTC, when it was recorded.
        metadata: What was said with it; `malformed` and `malformed_step` tell what came in place of a number.
    """

    run_id: str
    metric: str
    value: int | float | None
    step: int | None
    timestamp: str
    metadata: dict[str, Any]


class _Row(msgspec.Struct, gc=False):
    run_id: str
    metric: str
    value: int | float | None
    step: int | None
    timestamp: str
    metadata: msgspec.Raw


_row = msgspec.json.Decoder(_Row).decode
_written = msgspec.json.Encoder().encode
_NO_METADATA = msgspec.Raw(b"{}")


def line_of(run_id: Any, metric: Any, value: Any, step: Any, metadata: Any, timestamp: str) -> bytes:
    """Return a line with its line feed; whatever is given, this never raises.

    Args:
        run_id: The run; what is no text is written as its text.
        metric: The name, likewise.
        value: A number of any kind; anything else becomes null and is told in the metadata.
        step: A whole number or None; anything else likewise.
        metadata: A mapping; anything else likewise.
        timestamp: ISO 8601 UTC.
    """
    flags: dict[str, Any] = {}
    number = value if value.__class__ is float else _number(value)
    if number is None:
        flags[_MALFORMED] = said(value)
    elif not math.isfinite(number):
        flags[_NON_FINITE] = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        number = None
    whole = step if step is None else _whole(step)
    if whole is None and step is not None:
        flags[_MALFORMED_STEP] = said(step)
    kept = _NO_METADATA if metadata is None and not flags else _metadata(metadata, flags)
    return _written(_Row(_text(run_id), _text(metric), number, whole, timestamp, kept)) + b"\n"


def read_entry(line: bytes) -> MetricEntry | None:
    """Return the entry of a line; None for JSON that is none.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        row = _row(line)
        metadata: Any = {} if bytes(row.metadata) == b"{}" else decode(bytes(row.metadata).decode())
        return _entry(row.run_id, row.metric, row.value, row.step, row.timestamp, metadata)
    except (ValueError, RecursionError):  # lines of others: a bare NaN, a key that is missing
        found = json_value(line)
    if not isinstance(found, dict):
        return None
    fields = cast("dict[str, Any]", found)
    if not is_metric_line(fields):
        return None
    timestamp, step = fields.get("timestamp"), json_step(fields.get("step"))
    at = timestamp if isinstance(timestamp, str) else ""
    metadata, value = fields.get("metadata"), fields["value"]
    if isinstance(value, LongInteger):
        metadata = {**(cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}), _MALFORMED: said(value)}
    return _entry(fields["run_id"], fields["metric"], value, step, at, metadata)


def is_metric_line(line: Mapping[str, Any]) -> bool:
    """Return whether an object is a line of a metrics store; step, timestamp and metadata may be missing."""
    return isinstance(line.get("run_id"), str) and isinstance(line.get("metric"), str) and "value" in line


def said(value: Any) -> str:
    """Return how a value shows itself, cut at 200 characters; its type's name if it cannot."""
    try:
        text = repr(value)
        return shown(text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…")
    except Exception:  # noqa: BLE001  # a stranger's __repr__ must not cost the line
        return f"<{type(value).__name__}>"


def _entry(run_id: str, metric: str, value: Any, step: int | None, timestamp: str, metadata: Any) -> MetricEntry:
    found = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    number = value if value.__class__ is int else json_number(found.get(_NON_FINITE) if value is None else value)
    if found:
        flag = _NON_FINITE if value is None and number is not None else None
        found = {_without_mark(key): entry for key, entry in found.items() if key != flag}
    return MetricEntry(run_id, metric, number, step, timestamp, found)


def _metadata(metadata: Any, flags: dict[str, Any]) -> msgspec.Raw:
    if metadata is None:
        return msgspec.Raw(_written(flags))
    try:
        own = {_with_mark(_text(key)): value for key, value in metadata.items()}
    except Exception:  # noqa: BLE001  # what is no mapping must not cost the number
        return msgspec.Raw(_written({"malformed_metadata": said(metadata)} | flags))
    try:
        return msgspec.Raw(encode(own | flags).encode())
    except Exception:  # noqa: BLE001  # nor a value that cannot be written the others
        return msgspec.Raw(encode({key: _encodable(value) for key, value in own.items()} | flags).encode())


def _encodable(value: Any) -> Any:
    try:
        return decode(encode(value))
    except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything
        return said(value)


def _with_mark(key: str) -> str:
    return f"={key}" if key.lstrip("=") in _FLAGS else key


def _without_mark(key: str) -> str:
    return key[1:] if key.startswith("=") and key.lstrip("=") in _FLAGS else key


def _text(value: Any) -> str:
    return shown(value) if isinstance(value, str) else said(value)


def _number(value: Any) -> int | float | None:
    """Return a number as JSON can have it, NaN and infinities as they are; None for what is none."""
    try:
        if not isinstance(value, numbers.Real | Decimal):  # an array or a tensor of no dimension
            value = value.item() if getattr(value, "ndim", None) == 0 else None
        if isinstance(value, numbers.Integral) and int(value) in INT64:
            return int(value)
        return float(value) if isinstance(value, numbers.Real | Decimal) else None
    except Exception:  # noqa: BLE001  # a stranger's number must not cost the line
        return None


def _whole(value: Any) -> int | None:
    try:
        found = operator.index(value)
    except Exception:  # noqa: BLE001  # likewise
        return None
    return found if found in INT64 and not isinstance(value, bool) else None
