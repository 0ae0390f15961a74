"""Mappings that can be read without surprises, out of whatever an event has in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from crucible.telemetry.enriching.scalars import Notes, number, word

__all__ = ["readable"]

_TOO_LARGE = 2**1000
_PLAIN = (str, int, float, bool, type(None), dict)


def readable(what: str, payload: Any, notes: Notes) -> dict[str, Any]:
    """Return what can be read of a payload: text for keys, and values that do nothing when they are looked at.

    Args:
        what: `measurements` or `metadata`, for notes.
        payload: What the event has there.
        notes: What is said of what cannot be read.
    """
    if not isinstance(payload, Mapping):
        notes.expected(what, "a mapping", payload)
        return {}
    found: dict[str, Any] = {}
    try:
        for key, value in cast("Mapping[Any, Any]", payload).items():
            if type(key) is str:
                found[key] = _still(key, value, notes)
    except Exception as error:  # noqa: BLE001  # somebody else's mapping
        notes.add(f"{what}: could not be read to its end ({type(error).__name__})")
    return found


def _still(key: str, value: Any, notes: Notes) -> Any:
    if type(value) is int and abs(value) >= _TOO_LARGE:
        notes.expected(key, "a number that a float can hold", value)
        return None
    if type(value) in _PLAIN:
        return value
    found = number(value)
    if found is None:
        found = word(value)
    if found is None and isinstance(value, Mapping):
        return readable(key, value, notes)
    return type(value).__name__ if found is None else found
