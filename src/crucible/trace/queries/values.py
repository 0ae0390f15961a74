"""Values as queries see them, in memory and in the store alike: the nearest JSON value of whatever an event holds.

A NumPy number is a number, a date is its ISO text, an enum member its value, a key that is no text is one; what JSON
has no word for is text as `trace.plain` writes it. Unlike there, NaN and the infinities stay numbers and half a
surrogate pair stays text, since both can be kept.
"""

from __future__ import annotations

import enum
import numbers
from collections.abc import Mapping, Set
from typing import Any, cast

import msgspec

from crucible.trace.plain import plain

__all__ = ["SCALARS", "key_text", "nearest"]

SCALARS = frozenset({str, float, bool, type(None)})  # classes that are JSON values; integers need a look
_DEPTH = 200  # levels of nesting; deeper, and inside itself, a value becomes its type's name
_LEAST, _BEYOND = -(2**63), 2**64


def nearest(value: Any) -> Any:
    """Return the nearest JSON value; the value itself where it is one already (tuples count as lists).

    Args:
        value: Anything; of an object in which two keys have the same text, the one that is text wins, else the first.
    """
    if value.__class__ is dict:  # most of them hold plain values only
        for key, inner in cast("dict[Any, Any]", value).items():
            kind = inner.__class__
            if key.__class__ is not str or not (kind in SCALARS or (kind is int and _LEAST <= inner < _BEYOND)):
                break
        else:
            return value
    return value if _is_json(value) else _nearest(value, _DEPTH, set())


def _is_json(value: Any) -> bool:
    kind = value.__class__
    if kind in SCALARS or (kind is int and _LEAST <= value < _BEYOND):
        return True
    waiting: list[tuple[Any, int]] = [(value, _DEPTH)]
    while waiting:
        found, left = waiting.pop()
        kind = found.__class__
        if kind is dict:
            entries = cast("dict[Any, Any]", found)
            for key in entries:
                if key.__class__ is not str:
                    return False
            inners: Any = entries.values()
        elif kind is list or kind is tuple:
            inners = found
        else:
            return False
        if left == 0:
            return False
        for inner in inners:
            kind = inner.__class__
            if kind not in SCALARS and not (kind is int and _LEAST <= inner < _BEYOND):
                waiting.append((inner, left - 1))
    return True


def _nearest(value: Any, left: int, around: set[int]) -> Any:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if value is None or isinstance(value, bool | str):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return _real(value)
    is_container = isinstance(value, Mapping | list | tuple | Set)
    return _container(cast("Any", value), left, around) if is_container else _scalar(value)


def _container(found: Any, left: int, around: set[int]) -> Any:
    place = id(found)
    if left == 0 or place in around:
        return f"<{type(found).__name__}>"
    around.add(place)
    try:
        if isinstance(found, Mapping):
            return _object(cast("Mapping[Any, Any]", found), left, around)
        return [_nearest(inner, left - 1, around) for inner in found]
    finally:
        around.discard(place)


def _object(value: Mapping[Any, Any], left: int, around: set[int]) -> dict[str, Any]:
    texts = {str.__str__(key) for key in value if isinstance(key, str)}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        text = key_text(key)
        if isinstance(key, str) or (text not in texts and text not in found):
            found[text] = _nearest(inner, left - 1, around)
    return found


def key_text(key: Any) -> str:
    """Return the text of an object's key, whatever it is."""
    return str.__str__(key) if isinstance(key, str) else str(plain(key))


def _scalar(value: Any) -> Any:
    """Return what a single value says: a NumPy boolean or an array of one number, too."""
    try:
        if getattr(value, "size", 1) == 1 and isinstance(item := value.item(), bool | int | float | str):
            value = item
    except Exception:  # noqa: BLE001  # a stranger's attributes must not cost the event
        return plain(value)
    return value if isinstance(value, float) else plain(value)


def _real(value: Any) -> Any:
    try:
        return float(value)
    except (OverflowError, ValueError, TypeError):  # a fraction of huge numbers
        return plain(str(value))
