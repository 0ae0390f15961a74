"""A JSON array of objects. It is read whole: for files larger than memory there is JSONL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.data.formats.jsonl import json_kind
from crucible.data.formats.raw import whole
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError

__all__ = ["json_rows"]


def json_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the objects of an array, numbered from 1.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: Does not matter here.

    Raises:
        DataError: The file cannot be read, is no JSON array, or an entry is no object; names file and item.
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
    for number, value in enumerate(cast("list[Any]", values), start=1):
        where = f"{shown} item {number}"
        if not isinstance(value, dict):
            raise DataError(f"{where}: expected a JSON object, got {json_kind(value)}")
        yield Row(cast("dict[str, Any]", value), where, number)


def _undecodable_line(content: bytes) -> int:
    """Return the number of the first line that is no UTF-8; the parser counts from the start of a text in it."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1
