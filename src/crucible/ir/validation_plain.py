"""Whether data is plain JSON, and its text: what a document must be before anybody looks at its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, cast

import msgspec

__all__ = ["encode_plain", "is_plain", "is_text", "strange_in"]

Path = tuple[str | int, ...]

_SCALARS = frozenset((str, int, bool, type(None)))
_encode = msgspec.json.Encoder().encode


def is_plain(value: Any) -> bool:
    """Tell whether a value is made of the plain types themselves; quick, and without saying where it is not."""
    cls = value.__class__
    if cls is dict:
        for key, inner in value.items():
            if key.__class__ is not str or (inner.__class__ not in _SCALARS and not is_plain(inner)):
                return False
        return True
    if cls is list or cls is tuple:
        for inner in value:  # noqa: SIM110  # twice as quick as all()
            if inner.__class__ not in _SCALARS and not is_plain(inner):
                return False
        return True
    return cls in _SCALARS or (cls is float and isfinite(value))


def encode_plain(data: Any) -> bytes | str:
    """Return the JSON text of data in which `strange_in` finds nothing.

    Raises:
        RecursionError: The data is nested too deeply, or holds itself.
        ValueError: A number has more digits than can be written.
    """
    if is_plain(data):
        try:
            return _encode(data)
        except UnicodeEncodeError:  # half of a surrogate pair: let the reader of the text complain
            pass
    return json.dumps(data, default=dict)


def strange_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of everything that JSON has no word for, and the keys that are no text.

    Args:
        value: Anything.
        path: Where it stands.

    Raises:
        RecursionError: The data is nested too deeply, or holds itself.
    """
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[Any, Any]", value).items():
            if isinstance(key, str) and is_text(key):
                yield from strange_in(inner, (*path, key))
            else:
                yield path, key
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("Sequence[Any]", value)):
            yield from strange_in(inner, (*path, place))
    elif isinstance(value, str):
        if not is_text(value):
            yield path, value
    elif not (value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and isfinite(value))):
        yield path, value


def is_text(value: str) -> bool:
    """Tell whether a string is text, which half of a surrogate pair is not."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
