"""Times of the sources as ours: nanoseconds since 1970 (0: no usable time), or ISO 8601 UTC text (None: no time)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from crucible.ir.instant import in_utc
from crucible.telemetry.importers.curve import INT64

__all__ = ["iso_from_ns", "iso_from_text", "ns_from_seconds", "ns_from_text", "ns_from_whole"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ns_from_seconds(seconds: Any) -> int:
    """Return nanoseconds since 1970 of seconds, whole or not; 0 for what is no usable time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return 0
    whole = int(seconds)  # apart, since a float holds no nanoseconds of our century
    found = whole * 1_000_000_000 + round((seconds - whole) * 1_000_000_000)
    return found if found in INT64 else 0


def ns_from_whole(value: Any, unit_ns: int) -> int:
    """Return nanoseconds since 1970 of a whole number of `unit_ns`; 0 for what is no usable time."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value * unit_ns if value * unit_ns in INT64 else 0


def ns_from_text(text: Any) -> int:
    """Return nanoseconds since 1970 of ISO 8601 text, one without offset counting as UTC; 0 for what is none."""
    moment = _moment(text)
    return 0 if moment is None else (moment - _EPOCH) // _MICROSECOND * 1000


def iso_from_text(text: Any) -> str | None:
    """Return ISO 8601 text in UTC, one without offset counting as UTC; None for what is none."""
    moment = _moment(text)
    return None if moment is None else in_utc(moment)


def iso_from_ns(time_ns: int) -> str | None:
    """Return ISO 8601 UTC of nanoseconds since 1970, to the microsecond; None for 0, which stands for no time."""
    return in_utc(_EPOCH + timedelta(microseconds=time_ns // 1000)) if time_ns else None


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
