"""Points in time, as the document writes them: ISO 8601 with an offset.

`2026-01-31T14:00:00+02:00` and `2026-01-31T12:00:00Z` are equal and hash the same; each is written back as it came. A
time without offset is refused, because nobody can say which instant it means.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import AwareDatetime, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

__all__ = ["Instant", "in_utc"]

# The parser beneath also takes Unix timestamps, spaces and underscores; a document that has them is not portable.
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII)


class _IsoText:
    """Marks a time that is text in the document and a `datetime` in Python."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read text of the one form, or take a `datetime`; never one for the other."""
        parsed = core_schema.datetime_schema(tz_constraint="aware", strict=False)
        text = core_schema.no_info_before_validator_function(_in_form, parsed)
        value = core_schema.datetime_schema(tz_constraint="aware", strict=True)
        either = core_schema.json_or_python_schema(json_schema=text, python_schema=value)
        return core_schema.no_info_after_validator_function(_with_fixed_offset, either)


def _in_form(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("datetime_type")
    if not _FORM.fullmatch(value):
        raise PydanticKnownError("datetime_parsing", {"error": "it is not of the form 2026-01-31T12:00:00Z"})
    return value


def _with_fixed_offset(value: datetime) -> datetime:
    """Replace a zone by its offset at that time: values of two zones compare oddly around a clock change."""
    offset = value.utcoffset() or timedelta()
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise PydanticKnownError("datetime_parsing", {"error": "in UTC it is outside the years 1 to 9999"}) from None
    if not offset or offset % timedelta(minutes=1):  # text has no word for the seconds of an offset
        return utc
    return value.replace(tzinfo=timezone(offset), fold=0)


Instant = Annotated[AwareDatetime, _IsoText()]
"""A point in time with an offset, to the microsecond; finer digits are cut off."""


def in_utc(value: datetime) -> str:
    """Return the one text of an instant, such as `2026-01-31T12:00:00Z` or `2026-01-31T12:00:00.250000Z`.

    Args:
        value: A time with an offset.
    """
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
