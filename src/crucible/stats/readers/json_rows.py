"""Tables as JSON: one object a line, a list of objects, or columns or scores by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from crucible.errors import StatsError, StoreError
from crucible.stats.readers.lines import decode_line, json_value, lines_of
from crucible.stats.readers.table import Row, Table
from crucible.stats.readers.twice import name_twice

__all__ = ["json_document", "json_table", "jsonl_table"]

LARGEST_BYTES = 2 << 30
"""Of one JSON document, which has to be read at once; lines of JSON have no such limit."""


def jsonl_table(path: Path) -> Table:
    """Return the rows of a file with one JSON object a line.

    Raises:
        StoreError: The file cannot be read or a line is no JSON object; with file and line.
        StatsError: A name comes twice in an object; with file and line.
    """
    return Table(path, "jsonl", _of_lines(path))


def _of_lines(path: Path) -> Iterator[Row]:
    for number, line in lines_of(path):
        row = decode_line(path, number, line)
        if (name := name_twice(line, row)) is not None:
            raise StatsError(f"{path}:{number}: {_twice(name)}")
        yield number, _flat(row)


def json_document(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        StoreError: It cannot be read, is no JSON, or is larger than `LARGEST_BYTES`.
        StatsError: A name comes twice in one of its objects.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise StoreError(f"{path} has {size >> 20} MiB in one JSON value; write one JSON object a line instead")
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        value = json_value(text)
    except ValueError as error:
        raise StoreError(f"{path}: not JSON: {error}") from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if (name := name_twice(text, value)) is not None:
        raise StatsError(f"{path}: {_twice(name)}")
    return value


def _twice(name: str) -> str:
    return f'"{name}" comes twice in one object: give each item one score, or one row each to its repeats'


def json_table(path: Path, value: Any) -> Table:
    """Return the rows of a JSON document.

    It is a list of objects, a list of scores, an object of lists (columns by name), or an object of scores by item id.

    Args:
        path: The file.
        value: What it holds.

    Raises:
        StatsError: It is none of these.
    """
    if isinstance(value, list) and value:
        rows = cast("list[Any]", value)
        if all(isinstance(row, Mapping) for row in rows):
            return Table(path, "json", ((i, _flat(row)) for i, row in enumerate(rows, 1)), unit="entry")
        if not any(isinstance(row, list | Mapping) for row in rows):
            return Table(path, "json", ((i, {"score": cell}) for i, cell in enumerate(rows, 1)), unit="entry")
    if isinstance(value, Mapping) and value:
        columns = cast("Mapping[str, Any]", value)
        if all(isinstance(column, list) for column in columns.values()):
            return Table(path, "json", _of_columns(columns), tuple(columns), unit="entry")
        if not any(isinstance(cell, list | Mapping) for cell in columns.values()):
            return Table(path, "json", _of_scores(columns), ("id", "score"), unit="entry")
    raise StatsError(
        f"{path}: expected a list of objects, a list of scores, columns by name, or scores by item id; "
        f"got {_what(value)}"
    )


def _what(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(repr, list(cast('Mapping[str, Any]', value))[:5])) or 'nothing in it'}"
    return "an empty list" if value == [] else f"a {type(value).__name__}"


def _of_columns(columns: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    for i in range(max(map(len, columns.values()))):
        yield i + 1, {name: column[i] if i < len(column) else None for name, column in columns.items()}


def _of_scores(scores: Mapping[str, Any]) -> Iterator[Row]:
    for i, (item, score) in enumerate(scores.items(), 1):
        yield i, {"id": item, "score": score}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose objects are taken apart once, such as `scores.f1`; their own objects and lists stay whole."""
    found: dict[str, Any] = {}
    for name, cell in row.items():
        if isinstance(cell, Mapping):
            found |= {f"{name}.{key}": inner for key, inner in cast("Mapping[str, Any]", cell).items()}
        else:
            found[name] = cell
    return found
