"""What is in a column, and the narrowest type that holds it without losing a digit."""

from __future__ import annotations

from typing import Any, Literal

from crucible.store import encode

__all__ = ["ColumnType", "Section", "as_type", "column_type", "kind_of"]

ColumnType = Literal["bool", "int", "double", "text", "json", "time", "texts"]
"""`json`: JSON text, for lists and for columns of mixed values. `time`: nanoseconds. `texts`: a list of texts."""

Section = Literal["base", "fields", "measurements", "metadata"]

_BOOL, _INT, _WIDE, _FLOAT, _TEXT, _OTHER = (1 << place for place in range(6))
_EXACT = range(-(2**53), 2**53 + 1)  # the integers that a double holds
_INT64 = range(-(2**63), 2**63)


def kind_of(value: Any) -> int:
    """Return the bit of what a plain value is; 0 for None."""
    kind = value.__class__
    if kind is float:
        return _FLOAT
    if kind is str:
        return _TEXT
    if kind is int:
        return _INT if value in _EXACT else _WIDE if value in _INT64 else _OTHER
    if kind is bool:
        return _BOOL
    return 0 if value is None else _OTHER


def column_type(seen: int, section: Section) -> ColumnType:
    """Return the type of a column of which these bits were seen.

    Measurements are doubles wherever a double is exact, so that files of many experiments have one schema.
    """
    if not seen:
        return "double" if section == "measurements" else "text"
    if seen == _BOOL:
        return "bool"
    if seen == _TEXT:
        return "text"
    if not seen & ~(_INT | _WIDE) and (seen & _WIDE or section != "measurements"):
        return "int"
    return "json" if seen & ~(_INT | _FLOAT) else "double"


def as_type(value: Any, kind: ColumnType) -> Any:
    """Return a plain value as its column holds it: of a column of JSON as JSON text, of one of doubles as a double."""
    if value is None:
        return None
    if kind == "double":
        return float(value)
    return encode(value) if kind == "json" else value
