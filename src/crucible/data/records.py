"""Answers as JSON: strict parsing, and a record's fields as a set of (path, value)."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

__all__ = ["NOT_JSON", "leaves", "parse_record"]

NOT_JSON: Final = object()
"""What `parse_record` returns for text that is no JSON; None is taken by `null`."""


def parse_record(text: str, *, exact: bool = False) -> Any:
    """Return the JSON value that the whole text is, white space around it aside, or `NOT_JSON`.

    NaN, infinities and an object that names a key twice are no JSON here.

    Args:
        text: The text.
        exact: Read numbers with a point or an exponent as `Decimal`, to the last digit, and not as doubles.
    """
    number = Decimal if exact else _finite
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=number)
    except (ValueError, RecursionError, InvalidOperation):
        return NOT_JSON


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return value


def leaves(record: object) -> set[tuple[str, str, Any]] | None:
    """Return the leaves of a JSON object as (path, kind, value), or None if it is no object.

    An empty object or list inside it is a leaf too.
    """
    if not isinstance(record, dict):
        return None
    found: set[tuple[str, str, Any]] = set()
    fields = cast("dict[str, Any]", record)
    open_values: list[tuple[str, Any]] = [(_key("", key), value) for key, value in fields.items()]
    while open_values:
        path, value = open_values.pop()
        if isinstance(value, dict) and value:
            open_values += [(_key(path, key), inner) for key, inner in cast("dict[str, Any]", value).items()]
        elif isinstance(value, list) and value:
            open_values += [(f"{path}[{index}]", inner) for index, inner in enumerate(cast("list[Any]", value))]
        elif isinstance(value, (dict, list)):
            found.add((path, "empty object" if isinstance(value, dict) else "empty list", None))
        else:
            found.add((path, _kind(value), value))
    return found


def _key(path: str, key: str) -> str:
    return f"{path}.{json.dumps(key)}"


def _kind(value: object) -> str:
    if value is None or isinstance(value, (bool, str)):
        return type(value).__name__
    return "number"
