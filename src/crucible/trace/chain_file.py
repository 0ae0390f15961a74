"""One chain, one JSON file: pretty-printed, written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import SpecError, StoreError
from crucible.ir.files import atomic_write
from crucible.trace.event import Event
from crucible.trace.layout import Row, event_of, exact
from crucible.trace.plain import not_plain

__all__ = ["read", "write"]

_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)
_LONG_NUMBER = re.compile(rb"\d{19}")  # perhaps beyond 64 bits

_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[Row])


def write(path: Path, data: dict[str, Any], events: Iterable[Event]) -> Path:
    """Write a chain and return the path.

    Args:
        path: Where.
        data: The chain's `to_dict`; its `events` are not looked at, but mark where they go.
        events: The chain's.

    Raises:
        SpecError: A value is none that JSON can carry; the path to it is named.
        StoreError: The file cannot be written.
    """
    rest = {key: value for key, value in data.items() if key != "events"}
    try:
        problem = None if _is_exact(rest) else not_plain(rest, "chain")
        if problem:
            raise SpecError(problem, code="not_json")
        texts = [exact(event, f"chain.events[{place}]") for place, event in enumerate(events)]
    except SpecError as error:
        raise SpecError(f"{error.message}; {path} was not written", code=error.code) from None
    listed = msgspec.Raw(b"[" + b",".join(texts) + b"]")
    content = msgspec.json.encode({**data, "events": listed})
    return atomic_write(path, msgspec.json.format(content, indent=2) + b"\n")


def _is_exact(data: dict[str, Any]) -> bool:
    """Return whether JSON surely brings back the same values, in a quarter of the time of a look at each."""
    try:
        content = msgspec.json.encode(data)
        return msgspec.json.decode(content) == data and not _LONG_NUMBER.search(content)
    except _UNENCODABLE:
        return False


def read(path: Path) -> Any:
    """Return the JSON value in a file; where every event has our own layout, `events` are `Event`s already.

    Raises:
        StoreError: The file is missing or cannot be read.
        SpecError: It is not JSON.
    """
    content = _content(path)
    try:
        parts = _parts.decode(content)
        rows = _rows.decode(parts.pop("events", b"null"))
        data: dict[str, Any] = {key: msgspec.json.decode(part) for key, part in parts.items()}
        data["events"] = [event_of(row) for row in rows]
    except (ValueError, RecursionError):  # not to the letter: the tolerant reader says what it is
        return _decode(path, content)
    return data


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error}); check the path") from error


def _decode(path: Path, content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{path} is not JSON ({error}); expected a chain file", code="syntax") from None
