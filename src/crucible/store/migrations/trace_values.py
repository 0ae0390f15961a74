"""Single values on their way between documents of version 0002 and columns of version 0003: part of migration 0003."""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

__all__ = [
    "EPOCH",
    "FIRST_US",
    "LAST_US",
    "MICROSECOND",
    "compact_json",
    "marked",
    "microseconds",
    "plain",
    "storable",
    "text_of",
    "timestamp",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_DAY_US = 24 * 60 * 60 * 1_000_000
FIRST_US, LAST_US = ((end.replace(tzinfo=UTC) - EPOCH) // MICROSECOND for end in (datetime.min, datetime.max))


def compact_json(value: Any) -> str:
    """Return a value as JSON text; halves of surrogate pairs are written out."""
    return json.dumps(_encodable(value), ensure_ascii=False, separators=(",", ":"))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_encodable(key): _encodable(inner) for key, inner in cast("dict[str, Any]", value).items()}
        case list():
            return [_encodable(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def storable(value: str) -> str:
    """Return a text as every database takes it."""
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def text_of(value: Any) -> str:
    """Return what a column of texts has of a value."""
    return storable(value if isinstance(value, str) else str(value))


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with marks for numbers that JSON has not, and without a confidence that is beyond a double."""
    document = marked(document)
    confidence = document.get("confidence")
    if isinstance(confidence, int) and abs(confidence) > sys.float_info.max:
        document["confidence"] = None
    return document


def marked(value: Any) -> Any:
    """Return a value with NaN and the infinities as the store writes them; a reader makes them of `1e999`, too."""
    match value:
        case float() if not math.isfinite(value):
            return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
        case dict():
            return {key: marked(inner) for key, inner in cast("dict[str, Any]", value).items()}
        case list():
            return [marked(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def microseconds(value: Any) -> int | None:
    """Return the time since 1970, which may lie up to a day outside of the years that UTC has."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    aware = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment
    return (aware - EPOCH) // MICROSECOND


def timestamp(since: int) -> str:
    """Return a time in UTC; one outside of its years in the farthest zone, or as the last that there is."""
    shift = _DAY_US - 60_000_000 if since < FIRST_US else 60_000_000 - _DAY_US if since > LAST_US else 0
    local = min(max(since + shift, FIRST_US), LAST_US)
    zone = "Z" if not shift else "+23:59" if shift > 0 else "-23:59"
    return (EPOCH.replace(tzinfo=None) + local * MICROSECOND).isoformat(timespec="microseconds") + zone
