"""A name that comes twice in one JSON object: readers of JSON keep the last value and say nothing of the first."""

from __future__ import annotations

import json
import re
from typing import Any, cast

__all__ = ["name_twice"]

_NAME = re.compile(rb'"\s*:')  # every name of an object ends so, and nothing else but a piece of text may


class _TwiceError(Exception):
    pass


def name_twice(text: bytes, value: Any) -> str | None:
    """Return a name that comes twice in one object of a JSON text; None where none does.

    Args:
        text: Valid JSON.
        value: What it was read as. Where it has as many names as the text may have, the text is not read again.
    """
    found = len(_NAME.findall(text))
    if found == (len(cast("dict[str, Any]", value)) if isinstance(value, dict) else 0) or found == _names(value):
        return None
    try:
        json.loads(text, object_pairs_hook=_checked, parse_int=_unread, parse_float=_unread)
    except _TwiceError as error:
        return str(error)
    except RecursionError:  # deeper than Python's own reader goes, which no row of results is
        return None
    return None


def _names(value: Any) -> int:
    """Return how many names all objects in a value have."""
    count, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            inner = cast("dict[str, Any]", one)
            count += len(inner)
            left += inner.values()
        elif isinstance(one, list):
            left += cast("list[Any]", one)
    return count


def _checked(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise _TwiceError(next(name for i, name in enumerate(names) if name in names[:i]))


def _unread(_: str) -> None:
    """Leave a number unread: it may be longer than Python reads."""
