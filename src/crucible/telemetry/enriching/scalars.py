"""Numbers and words out of whatever an event holds, and what to say of a value that is neither.

A truth value is no number and a numeric string is none. NumPy scalars, 0-d arrays and tensors of no dimension become
Python's numbers. Nothing here raises.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import numbers
import pathlib
import uuid
from typing import Any

__all__ = ["Notes", "amount", "number", "word"]

_MOST_NOTES = 8
_LONGEST_WORD = 40
_WORDS: frozenset[type] = frozenset({str, int, float, bool})
_AS_TEXT = (uuid.UUID, pathlib.PurePath, datetime.date, datetime.time)


class Notes:
    """What was malformed in an event, in words."""

    __slots__ = ("_notes", "_unsaid")

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._unsaid = 0

    def expected(self, key: str, what: str, value: Any) -> None:
        """Note that a value is not what it should be, such as `duration_ns: expected a number, got str 'x'`."""
        self.add(f"{str(key)[:_LONGEST_WORD]}: expected {what}, got {_shown(value)}")

    def add(self, note: str) -> None:
        """Note a problem; after eight they are only counted."""
        if len(self._notes) < _MOST_NOTES:
            self._notes.append(note)
        else:
            self._unsaid += 1

    def text(self) -> str:
        """Return the notes as one line, empty if there are none."""
        more = [f"and {self._unsaid} more"] if self._unsaid else []
        return "; ".join(self._notes + more)


def number(value: Any) -> float | None:
    """Return a value as Python's int or float; None if it is no number. NaN and the infinities are numbers."""
    if value.__class__ is int or value.__class__ is float:
        return value
    try:
        return _converted(value)
    except Exception:  # noqa: BLE001  # a foreign type's own conversion; whatever it raises, it is no number
        return None


def amount(value: Any) -> float | None:
    """Return a value as a finite number of 0 or more; None for anything else."""
    found = number(value)
    try:
        return found if found is not None and found >= 0 and math.isfinite(found) else None
    except OverflowError:  # an integer that no float can hold
        return None


def word(value: Any) -> str | float | None:
    """Return a value that names something as text, a number or a truth value; None for anything else."""
    if value.__class__ in _WORDS:
        return value
    try:
        return _worded(value)
    except Exception:  # noqa: BLE001  # a foreign type's own conversion
        return None


def _converted(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return float(value)
    if getattr(value, "ndim", None) != 0 or not hasattr(value, "item"):
        return None
    item = value.item()
    return item if type(item) in (int, float) else None


def _worded(value: Any) -> str | float | None:
    if isinstance(value, enum.Enum):
        return word(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, _AS_TEXT):
        return str(value)
    found = _converted(value)
    if found is None and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        item = value.item()
        return item if isinstance(item, (bool, str)) else None
    return found


def _shown(value: Any) -> str:
    """Return a value for a message: its type, and what it says if that is short."""
    kind = type(value).__name__[:_LONGEST_WORD]
    if isinstance(value, str):
        cut = str.__str__(value)[:_LONGEST_WORD]
        return f"{kind} {cut!r}{'…' if len(value) > _LONGEST_WORD else ''}"
    if type(value) in (bool, float) or (type(value) is int and abs(value) < 10**_LONGEST_WORD):
        return f"{kind} {value!r}"
    return kind
