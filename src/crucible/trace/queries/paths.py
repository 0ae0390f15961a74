"""Metadata paths: `metadata.a.b[0]["a.b"]` names one value inside an event's metadata.

After `metadata` come one or more of: `.key` (a key without dots, brackets and quotes), `["any key"]` (a JSON string)
and `[0]` (a place in a list, counted from 0, or from the end where it is negative). `.0` is the key "0", not a place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from crucible.errors import SpecError
from crucible.trace.queries.values import key_text, nearest

__all__ = ["Keys", "format_keys", "lookup", "read_keys"]

Keys: TypeAlias = tuple[str | int, ...]

_PART = re.compile(r'\.(?P<bare>[^.\[\]"]+)|\[(?P<place>-?[0-9]{1,9})\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]', re.DOTALL)
_BARE = re.compile(r'[^.\[\]"]+\Z')


def read_keys(path: str) -> Keys:
    """Return the keys and places that a path names, outermost first.

    Args:
        path: Starts with `metadata`, such as `metadata.layers[0]["w.norm"]`.

    Raises:
        SpecError: What comes after `metadata` is not of the syntax above.
    """
    keys: list[str | int] = []
    start = len("metadata")
    while start < len(path):
        found = _PART.match(path, start)
        if found is None:
            raise _unreadable(path, start)
        if found["quoted"] is not None:
            try:
                keys.append(json.loads(found["quoted"], strict=False))
            except ValueError:
                raise _unreadable(path, start) from None
        else:
            keys.append(found["bare"] if found["bare"] is not None else int(found["place"]))
        start = found.end()
    return tuple(keys)


def _unreadable(path: str, start: int) -> SpecError:
    return SpecError(
        f"the metadata path {path[:120]!r} cannot be read from character {start} on; expected .key, [0] or "
        '["any key"], such as metadata.layers[0]["w.norm"]',
        code="path",
    )


def format_keys(keys: Keys) -> str:
    """Return the one spelling of a path, which `read_keys` turns back."""
    parts = [f"[{key}]" if isinstance(key, int) else _format_key(key) for key in keys]
    return "metadata" + "".join(parts)


def _format_key(key: str) -> str:
    return f".{key}" if _BARE.match(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def lookup(metadata: Any, keys: Keys) -> Any:
    """Return the value at a path; None where there is none. On the way everything is read as the nearest JSON value."""
    value = metadata
    for key in keys:
        if not isinstance(value, Mapping | list | tuple):
            value = nearest(value)  # a set is a list, a record an object
        if isinstance(key, str):
            if not isinstance(value, Mapping):
                return None
            value = _of_key(cast("Mapping[Any, Any]", value), key)
        else:
            if not isinstance(value, list | tuple):
                return None
            listed = cast("list[Any]", value)
            value = listed[key] if -len(listed) <= key < len(listed) else None
    return value


def _of_key(value: Mapping[Any, Any], key: str) -> Any:
    """Return what stands under a key, be it one that is no text but reads so, as the store keeps it."""
    found = value.get(key)
    if found is None and key not in value:
        for other, inner in value.items():
            if other.__class__ is not str and key_text(other) == key:
                return inner
    return found
