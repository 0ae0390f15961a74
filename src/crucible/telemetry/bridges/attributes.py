"""Values as OpenTelemetry takes them: words, truths, numbers of 64 bits, and lists of one of these; never an error.

A payload may be anything. What is none of them becomes JSON text, and what cannot even be written becomes its type's
name: a span that says less is better than one that is missing.
"""

from __future__ import annotations

import enum
import numbers
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from crucible.store import decode, encode

__all__ = ["AttributeValue", "attribute", "number", "words"]

AttributeValue: TypeAlias = str | bool | int | float | list[str] | list[bool] | list[int] | list[float]

_INT64 = range(-(2**63), 2**63)
_MOST_CHARACTERS = 32_768  # a collector refuses the whole batch for one message of more than 4 MB
_LONGEST_LIST = 1_000


def attribute(value: Any) -> AttributeValue | None:
    """Return a value as an attribute of OpenTelemetry; None for None, which is no attribute.

    Integers beyond 64 bits become hexadecimal words, lists of unlike things and mappings JSON text. Text is cut after
    32,768 characters, and says so. NaN and infinities stay.
    """
    kind = cast("type[object]", type(value))
    if kind is str:
        return words(value)
    if kind is float or kind is bool or value is None:
        return value
    if kind is int:
        return value if value in _INT64 else words(f"{value:#x}")
    try:
        return _other(value)
    except Exception:  # noqa: BLE001  # a stranger's object must not cost the event
        return f"<{kind.__name__}>"


def words(value: Any) -> str:
    """Return the text of something, cut to what an attribute takes; the type's name if it has none."""
    try:
        text = value if type(value) is str else str(value)
    except Exception:  # noqa: BLE001  # a stranger's __str__ must not cost the event
        return f"<{type(value).__name__}>"
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}… ({len(text)} characters)"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def number(value: Any) -> float | None:
    """Return what is a number as a float, also NumPy's and a tensor of one element; None for anything else."""
    kind = cast("type[object]", type(value))
    if kind is float:
        return value
    if kind is bool or value is None or kind is str:
        return None
    try:
        if not isinstance(value, numbers.Real):
            value = value.item() if getattr(value, "ndim", None) == 0 else None
        if value is None or isinstance(value, bool) or not isinstance(value, numbers.Real):
            return None
        return float(value)
    except Exception:  # noqa: BLE001  # too big for a float, or a stranger's number that is none
        return None


def _other(value: Any) -> AttributeValue | None:
    if isinstance(value, enum.Enum):
        return attribute(value.value)
    if isinstance(value, numbers.Real):
        return attribute(int(value)) if isinstance(value, numbers.Integral) else float(value)
    if getattr(value, "shape", None) == () and type(found := value.item()) is not type(value):
        return attribute(found)
    if isinstance(value, list | tuple) and len(cast("Sequence[Any]", value)) <= _LONGEST_LIST:
        listed = _alike([attribute(each) for each in cast("Sequence[Any]", value)])
        if listed is not None:
            return listed
    if isinstance(value, str):
        return words(value)
    text = encode(value)
    return words(decode(text) if text.startswith('"') else text)


def _alike(values: list[Any]) -> AttributeValue | None:
    """Return a list whose elements are of one kind, whole and real numbers together as real ones; else None."""
    kinds: set[type[Any]] = {type(each) for each in values}
    if kinds == {int, float}:
        return [float(each) for each in values]
    return values if not kinds or kinds in ({str}, {bool}, {int}, {float}) else None
