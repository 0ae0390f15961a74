"""Reading single values out of JSON that this library or the predecessor (crucible_trace 0.1 to 0.3) wrote.

The predecessor checked nothing before it wrote, so odd scalars are taken for what they say; what cannot be read is a
problem with its path. Nothing missing is invented: a time that cannot be read is never "now".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from crucible.errors import SpecError

__all__ = ["Fields", "read_confidence", "read_timestamp"]

_KINDS = {"dict": "an object", "list": "a list", "str": "text", "bool": "a boolean", "int": "a number"}
_LEADING_NUMBER = re.compile(r"\s*([+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)\s*(%?)")


def read_confidence(value: Any) -> float | None:
    """Return a confidence given as a number or a numeric string; None for anything else.

    Args:
        value: Such as `1`, `0.85`, `"0.85"` or `"85%"`. What lies outside 0 to 1 is kept for `validate` to remark on.
    """
    if isinstance(value, str):
        found = _LEADING_NUMBER.match(value)
        if found is None:
            return None
        return float(found[1]) / 100 if found[2] else float(found[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_timestamp(value: Any) -> datetime | None:
    """Return an aware UTC datetime of ISO-8601 text, naive text counting as UTC; None for what is none."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


class Fields:
    """The keys of one JSON object, and the list that takes every problem met while reading them.

    Args:
        data: The object.
        path: Where it stands, such as `events[3]`; empty for the whole document.
        problems: Takes the problems, in the order in which they are met.
    """

    def __init__(self, data: Any, path: str, problems: list[SpecError]) -> None:
        self._path = path
        self._problems = problems
        self._data: Mapping[str, Any] = {}
        if isinstance(data, Mapping):
            self._data = cast("Mapping[str, Any]", data)
        else:
            self.problem("", f"expected an object, got {_kind(data)}", code="type")

    def problem(self, key: str, message: str, *, code: str = "invalid") -> None:
        """Add a problem at `key`, or at the object itself where `key` is empty."""
        path = ".".join(part for part in (self._path, key) if part)
        self._problems.append(SpecError(message, path=path, code=code))

    def has(self, key: str) -> bool:
        """Return whether the key is there, be its value null."""
        return key in self._data

    def raw(self, key: str) -> Any:
        """Return the value as it is; None where it is missing."""
        return self._data.get(key)

    def text(self, key: str) -> str | None:
        """Return a string, or a number or a boolean as one; None for null or a missing key."""
        value = self._data.get(key)
        word = _scalar_text(value)
        if word is None and value is not None:
            self.problem(key, f"expected text, got {_kind(value)}", code="type")
        return word

    def required_text(self, key: str) -> str:
        """Return a non-empty string; its absence is a problem."""
        count = len(self._problems)
        value = self.text(key)
        if not value and len(self._problems) == count:
            self.problem(key, f"expected text, got {'nothing' if value is None else 'an empty string'}", code="missing")
        return value or ""

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; null and a missing key count as none, a single string as one."""
        value = self._data.get(key)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list | tuple):
            self.problem(key, f"expected a list of text, got {_kind(value)}", code="type")
            return ()
        found = [_scalar_text(entry) for entry in cast("list[Any]", value)]
        if None in found:
            odd = cast("list[Any]", value)[found.index(None)]
            self.problem(f"{key}[{found.index(None)}]", f"expected text, got {_kind(odd)}", code="type")
        return tuple(word for word in found if word is not None)

    def items(self, key: str) -> list[Any]:
        """Return a list; anything else is a problem."""
        value = self._data.get(key)
        if isinstance(value, list | tuple):
            return list(cast("list[Any]", value))
        self.problem(key, f"expected a list, got {_kind(value)}", code="type" if self.has(key) else "missing")
        return []

    def mapping(self, key: str) -> dict[str, Any]:
        """Return an object; null and a missing key count as an empty one."""
        value = self._data.get(key)
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return dict(cast("Mapping[str, Any]", value))
        self.problem(key, f"expected an object, got {_kind(value)}", code="type")
        return {}

    def moment(self, key: str) -> datetime:
        """Return a time; one that is missing or cannot be read is a problem."""
        value = self._data.get(key)
        moment = read_timestamp(value)
        if moment is None:
            self.problem(key, f"expected an ISO-8601 time, got {'nothing' if value is None else repr(value)}")
        return moment or datetime.min.replace(tzinfo=UTC)

    def beyond(self, known: frozenset[str]) -> dict[str, Any]:
        """Return the keys that are not `known`, with their values."""
        if self._data.keys() <= known:
            return {}
        return {key: value for key, value in self._data.items() if key not in known}


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def _kind(value: Any) -> str:
    return "nothing" if value is None else _KINDS.get(type(value).__name__, f"a {type(value).__name__}")
