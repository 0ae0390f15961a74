"""JSON text as it lies in the database: always valid JSON, and nothing that was measured gets lost.

NaN and the infinities, which JSON does not know, are kept as `{"$float": "NaN"}`; a user's own dict that looks so is
kept as `{"$float": "=NaN"}`, one of that look with one `=` more. What JSON cannot hold at all (a path, an array) is
kept as its text. The fast path is msgspec, which turns NaN into null; so only a value whose text has a null is searched
for one, and only one whose text has the mark is searched for what must be told from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

__all__ = ["decode", "encode", "escaped", "marked", "revived", "storable"]

_TAG = "$float"
_MARK = '"$float"'
_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NO_FLOATS = frozenset({str, int, bool, type(None)})


def _foreign(value: Any) -> Any:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", 1) == 1:  # a NumPy scalar
        plain = item()
        if isinstance(plain, (bool, int, float, str)):
            return _plain(plain)
    return str(value)


_encoded = msgspec.json.Encoder(enc_hook=_foreign).encode


def encode(value: Any) -> str:
    """Return a value as JSON text that `decode` turns back; tuples come back as lists."""
    try:
        text = _encoded(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):  # odd keys, huge integers, lone surrogates
        return _encoded(_plain(value)).decode()
    if _MARK in text or ("null" in text and not _is_finite(value)):
        return _encoded(_plain(value)).decode()
    return text


def decode(text: str) -> Any:
    """Return the value of a text written by `encode`."""
    value = msgspec.json.decode(text)
    return _revive(value) if _TAG in text else value


def storable(text: str) -> str:
    """Return a text as every database takes it outside of JSON: without NUL and without half a surrogate pair."""
    return text if text.isascii() and "\0" not in text else _utf8(text).replace("\0", "\\x00")


def _is_finite(value: Any) -> bool:
    """Return whether a value surely holds no NaN and no infinity; False for what is not looked into."""
    kind = value.__class__
    if kind in _NO_FLOATS:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        value = cast("dict[Any, Any]", value).values()
    elif kind is not list and kind is not tuple:
        return False
    for inner in cast("Iterable[Any]", value):  # a loop takes a quarter of the time that `all` does
        if inner.__class__ not in _NO_FLOATS and not _is_finite(inner):
            return False
    return True


def _plain(value: Any) -> Any:
    """Return `value` with everything that JSON has no word for replaced by something it has."""
    match value:
        case Mapping():
            own = cast("Mapping[Any, Any]", value)
            return escaped(own) or {_utf8(str(key)): _plain(inner) for key, inner in own.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in cast("Iterable[Any]", value)]
        case msgspec.Struct():
            return _plain(msgspec.structs.asdict(value))
        case _:
            return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    match value:
        case float():
            return float(value) if math.isfinite(value) else marked(value)
        case bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case str():
            return _utf8(value)
        case _:
            return value


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair is no text


def marked(value: float) -> dict[str, str]:
    """Return what stands for NaN or an infinity in JSON."""
    return {_TAG: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def escaped(value: Mapping[Any, Any]) -> dict[str, str] | None:
    """Return what stands for an object that looks like such a mark; None for any other."""
    name = value.get(_TAG) if len(value) == 1 else None
    return {_TAG: f"={name}"} if isinstance(name, str) and name.lstrip("=") in _NAMES else None


def revived(value: dict[str, Any]) -> Any:
    """Return what an object of the text stands for: the number that it marks, the object that it escapes, or itself."""
    name = value.get(_TAG) if len(value) == 1 else None
    if not isinstance(name, str) or name.lstrip("=") not in _NAMES:
        return value
    return _NAMES[name] if name in _NAMES else {_TAG: name[1:]}


def _revive(value: Any) -> Any:
    match value:
        case dict():
            found = cast("dict[str, Any]", value)
            known = revived(found)
            return {key: _revive(inner) for key, inner in found.items()} if known is found else known
        case list():
            return [_revive(inner) for inner in cast("list[Any]", value)]
        case _:
            return value
