"""Values that a file can hold, made of anything that an event may carry. Nothing here raises for what a value is.

Numbers stay numbers, NaN and the infinities too; integers beyond 64 bits, and what JSON has no word for, become text as
`store.codec` writes it. What lies deeper than 100 levels, contains itself, or fails when it is asked for its text is
replaced by its type's name, such as `<Socket>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from crucible.store import StoredEvent, decode, encode

__all__ = ["json_text", "number", "plain", "settled_record", "text", "utf8"]

_DEPTH = 100
_INTEGERS = range(-(2**63), 2**64)
_ATOMS = frozenset({float, bool, type(None)})


def utf8(words: str) -> str:
    r"""Return a text as UTF-8 can hold it: half a surrogate pair becomes `\ud800`."""
    return words if words.isascii() else words.encode("utf-8", "backslashreplace").decode()


def text(value: Any) -> str | None:
    """Return a value as the text of a cell; None stays None, and what is no text becomes JSON."""
    if value is None or value.__class__ is str:
        return value if value is None else utf8(value)
    settled = plain(value)
    return settled if isinstance(settled, str) else encode(settled)


def number(value: Any) -> float | None:
    """Return a number as a double; None for anything else."""
    if value is None or value.__class__ is float:
        return value
    settled = plain(value)
    return float(settled) if isinstance(settled, (int, float)) else None


def json_text(value: Any) -> str:
    """Return any value as JSON that `store.decode` reads."""
    try:
        return encode(value)
    except Exception:  # noqa: BLE001  # a loop, or an object whose own words fail
        return encode(plain(value))


def plain(value: Any) -> Any:
    """Return the nearest value made of dict, list, str, int, float, bool and None."""
    try:
        return _plain(value, _DEPTH, None)
    except _Deep:
        return _plain(value, _DEPTH, set())


def settled_record(record: StoredEvent) -> StoredEvent:
    """Return a record of which every part can be written."""
    texts = ("name", "run_id", "event_id", "stage", "span_id", "parent_span_id", "correlation_id", "condition")
    sections = ("measurements", "metadata", "fields")
    return msgspec.structs.replace(
        record,
        latency_ms=number(record.latency_ms),
        cost_usd=number(record.cost_usd),
        **{name: text(getattr(record, name)) for name in texts},
        **{name: plain(getattr(record, name)) for name in sections},
    )


class _Deep(Exception):  # noqa: N818  # a signal within this module
    """A value is nested so deeply that it may contain itself."""


def _plain(value: Any, depth: int, above: set[int] | None) -> Any:
    """Settle a value; `above` holds the containers around it, None while nobody suspects a loop."""
    kind = value.__class__
    if kind in _ATOMS:
        return value
    if kind is str:
        return utf8(value)
    if kind is int:
        return value if value in _INTEGERS else str(value)
    if kind is dict or kind is list or kind is tuple:
        return _container(value, depth, above)
    try:
        return _foreign(value, depth, above)
    except _Deep:
        raise
    except Exception:  # noqa: BLE001  # its words, its items or its class fail
        return _named(value)


def _container(value: Any, depth: int, above: set[int] | None) -> Any:
    if depth == 0 and above is None:
        raise _Deep
    if above is not None:
        if depth == 0 or id(value) in above:
            return _named(value)
        above.add(id(value))
    settled = _settled_items(value, depth - 1, above)
    if above is not None:
        above.discard(id(value))
    return settled


def _settled_items(value: Any, depth: int, above: set[int] | None) -> Any:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {_key(key): _plain(inner, depth, above) for key, inner in pairs}
    return [_plain(inner, depth, above) for inner in value]


def _foreign(value: Any, depth: int, above: set[int] | None) -> Any:
    if isinstance(value, str):
        return utf8(str.__str__(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return _plain(int(value), depth, above)
    if isinstance(value, Mapping | list | tuple):
        return _container(value, depth, above)
    return decode(encode(value))


def _key(key: Any) -> str:
    if key.__class__ is str:
        return utf8(key)
    try:
        return utf8(f"{key}")
    except Exception:  # noqa: BLE001  # its words fail
        return _named(key)


def _named(value: Any) -> str:
    return f"<{utf8(type(value).__name__)}>"
