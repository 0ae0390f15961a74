"""Values that JSON can carry: making them of anything, and finding what is not one.

`plain` is for what arrives from the bus, where metadata may hold anything; it never raises. Numbers that JSON lacks
(NaN, infinities, integers beyond 64 bits) become words, so that no file of ours holds a bare NaN and none is lost.
"""

from __future__ import annotations

import enum
import math
import numbers
from collections.abc import Mapping, Set
from datetime import date
from decimal import Decimal
from typing import Any, cast

import msgspec

__all__ = ["not_plain", "plain"]

_DEPTH = 32
_CONTAINERS = 10_000  # in one value: what contains itself twice would otherwise become 2**32 of them
_INT_RANGE = range(-(2**63), 2**64)  # what 64-bit readers of JSON can take


def plain(value: Any, *, depth: int = _DEPTH) -> Any:
    """Return the nearest JSON value: dict with string keys, list, string, finite number, bool or None.

    Args:
        value: Anything.
        depth: Levels of nesting to keep; what lies deeper, or behind 10,000 others, becomes its type's name.
    """
    return _plain(value, depth, [_CONTAINERS])


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    kind = value.__class__  # nearly all are one of these three; asking for abstract classes takes ten times as long
    if kind is str or (kind is int and value in _INT_RANGE):
        return value if kind is int else _encodable(value)
    if kind is dict:
        return _container(value, depth, left)
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Number):
        return _number(value)
    if isinstance(value, Mapping | list | tuple | Set):
        return _container(cast("Any", value), depth, left)
    return _scalar(value, depth, left)


def _scalar(value: Any, depth: int, left: list[int]) -> Any:
    """Return the number in an array or tensor of no dimension, the words of anything else."""
    try:
        found = value.item() if getattr(value, "shape", None) == () else value
    except Exception:  # noqa: BLE001  # a stranger's array must not cost the event
        return _worded(value)
    return _worded(value) if depth <= 0 or found is value else _plain(found, depth - 1, left)


def _container(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth <= 0 or left[0] < 0:
        return f"<{type(value).__name__}>"
    if value.__class__ is dict or isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value).items()
        return {
            _encodable(key) if key.__class__ is str else _worded(key): _plain(entry, depth - 1, left)
            for key, entry in entries
        }
    return [_plain(entry, depth - 1, left) for entry in value]


def _number(value: Any) -> int | float | str:
    if isinstance(value, numbers.Integral):
        whole = int(value)
        return whole if whole in _INT_RANGE else f"{whole:#x}"
    if isinstance(value, numbers.Real):
        real = float(value)
        return real if math.isfinite(real) else str(real)
    if isinstance(value, Decimal) and value.is_finite() and math.isfinite(near := float(value)):
        return near
    return _worded(value)


def _worded(value: Any) -> str:
    try:
        return _encodable(value.isoformat() if isinstance(value, date) else str(value))
    except Exception:  # noqa: BLE001  # a stranger's __str__ must not cost the event
        return f"<{type(value).__name__}>"


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def not_plain(value: Any, path: str = "metadata") -> str | None:
    """Say where `value` holds something that JSON cannot carry; None if it holds nothing of the kind.

    Args:
        value: What to look through.
        path: How to call it in the message.
    """
    waiting: list[tuple[str, Any, int]] = [(path, value, 0)]
    while waiting:
        where, entry, depth = waiting.pop()
        problem = _leaf_problem(entry)
        if problem or depth > 4 * _DEPTH:
            return f"{where} {problem or 'is nested too deeply, or contains itself'}"
        if isinstance(entry, dict):
            entries = cast("dict[Any, Any]", entry)
            if odd := [key for key in entries if not isinstance(key, str)]:
                return f"{where} has the key {odd[0]!r}, expected strings"
            waiting += [(f"{where}.{key}", inner, depth + 1) for key, inner in entries.items()]
        elif isinstance(entry, list | tuple):
            inners = cast("list[Any]", entry)
            waiting += [(f"{where}[{index}]", inner, depth + 1) for index, inner in enumerate(inners)]
    return None


def _leaf_problem(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which JSON cannot carry"
    if isinstance(value, int) and value not in _INT_RANGE:
        return "is an integer beyond 64 bits"
    if isinstance(value, str) and not value.isascii():
        return None if _encodable(value) == value else "holds a lone surrogate"
    if value is None or isinstance(value, str | bool | int | float | dict | list | tuple):
        return None
    return f"is a {type(value).__name__}, expected a JSON value"
