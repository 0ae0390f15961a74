"""A JSON array of objects. It is read whole: for files larger than memory there is JSONL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.data.formats.jsonl import json_kind, said_twice
from crucible.data.formats.raw import whole
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError
from crucible.stats.readers.twice import name_twice

__all__ = ["json_rows"]


def json_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the objects of an array, numbered from 1.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: Does not matter here.

    Raises:
        DataError: The file cannot be read, is no JSON array, an entry is no object, or one has two fields of one name;
            names file and item.
    """
    del dialect
    content = whole(path, shown)
    try:
        values = msgspec.json.decode(content)
    except UnicodeDecodeError as error:
        raise DataError(f"{shown}:{_undecodable_line(content)}: this is not UTF-8 text ({error.reason})") from error
    except (msgspec.DecodeError, RecursionError) as error:
        hint = "; one object a line is the format jsonl" if content.lstrip()[:1] == b"{" else ""
        raise DataError(f"{shown} is not JSON ({error}); expected a list of objects{hint}") from error
    if not isinstance(values, list):
        raise DataError(f"{shown}: expected a list of JSON objects, got {json_kind(values)}")
    twice = _first_twice(content) if name_twice(content, values) is not None else None
    for number, value in enumerate(cast("list[Any]", values), start=1):
        where = f"{shown} item {number}"
        if not isinstance(value, dict):
            raise DataError(f"{where}: expected a JSON object, got {json_kind(value)}")
        if twice is not None and twice[0] == number:
            raise DataError(f"{where}: {said_twice(twice[1])}")
        yield Row(cast("dict[str, Any]", value), where, number)


def _first_twice(content: bytes) -> tuple[int, str] | None:
    """Return the number of the first entry that has two fields of one name, and the name."""
    for number, part in enumerate(msgspec.json.decode(content, type=list[msgspec.Raw]), start=1):
        if (name := name_twice(bytes(part), msgspec.json.decode(part))) is not None:
            return number, name
    return None


def _undecodable_line(content: bytes) -> int:
    """Return the number of the first line that is no UTF-8; the parser counts from the start of a text in it."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1
