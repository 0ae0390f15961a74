"""JSONL: one JSON object a line; blank lines and a byte-order mark are passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.data.formats.raw import numbered_lines
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError
from crucible.stats.readers.twice import name_twice

__all__ = ["json_kind", "jsonl_rows", "said_twice"]


def jsonl_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of a file; their numbers are those of the lines.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: Does not matter here.

    Raises:
        DataError: The file cannot be read, a line is no JSON object, or an object has two fields of one name; names
            file and line.
    """
    del dialect
    decoder = msgspec.json.Decoder()
    for number, line in numbered_lines(path, shown):
        if not line.strip():
            continue
        where = f"{shown}:{number}"
        try:
            values = decoder.decode(line)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: this is not UTF-8 text ({error.reason} at byte {error.start})") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise DataError(f"{where}: this is not JSON ({error}); expected one JSON object a line") from error
        if not isinstance(values, dict):
            raise DataError(f"{where}: expected a JSON object, got {json_kind(values)}")
        if (name := name_twice(line, values)) is not None:
            raise DataError(f"{where}: {said_twice(name)}")
        yield Row(cast("dict[str, Any]", values), where, number)


def said_twice(name: str) -> str:
    """Return what is wrong with an object that has two fields of one name, of which only the last would be kept."""
    return f'two fields of one object are called "{name}"; rename one of them'


def json_kind(value: object) -> str:
    """Return in words what a JSON value is."""
    words: dict[type, str] = {
        list: "a list",
        dict: "an object",
        str: "text",
        bool: "true or false",
        type(None): "null",
    }
    return words.get(type(value), "a number")
