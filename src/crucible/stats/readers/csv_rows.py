"""Tables with commas, semicolons or tabs, with a line of names or, where all of the first line are numbers, without."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crucible.errors import StatsError, StoreError
from crucible.stats.readers.cells import is_empty, is_number
from crucible.stats.readers.lines import LONGEST_BYTES
from crucible.stats.readers.table import Row, Table

__all__ = ["DELIMITERS", "csv_table"]

DELIMITERS = {"csv": ",", "ssv": ";", "tsv": "\t"}
"""What divides cells, by format."""

_MOST_COLUMNS = 10_000


def csv_table(path: Path, name: str) -> Table:
    """Return the rows of a table of text.

    Args:
        path: The file, UTF-8 with or without a byte order mark.
        name: One of `DELIMITERS`.

    Raises:
        StoreError: The file cannot be read, is no UTF-8, or a row has more or fewer cells than there are columns; with
            file and line.
        StatsError: Two columns have the same name.
    """
    rows = _cells(path, DELIMITERS[name])
    first = next(rows, None)
    if first is None:
        raise StoreError(f"{path} is empty: there is nothing to compare")
    number, header = first
    if len(header) > _MOST_COLUMNS:
        raise StoreError(f"{path}:{number}: {len(header)} columns, more than {_MOST_COLUMNS}")
    if all(is_number(cell) or is_empty(cell) for cell in header) and any(map(is_number, header)):
        names = ("score",) if len(header) == 1 else tuple(f"column {i}" for i in range(1, len(header) + 1))
        note = "all of its first line are numbers, so that they count as scores and not as names of columns"
        return Table(path, name, _rows(path, names, _chain(first, rows)), names, notes=(note,))
    names = tuple(cell.strip() for cell in header)
    if twice := [column for i, column in enumerate(names) if column in names[:i]]:
        raise StatsError(f'{path}:{number}: two columns are called "{twice[0]}"')
    return Table(path, name, _rows(path, names, rows), names)


def _chain(first: tuple[int, list[str]], rest: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rest


def _rows(path: Path, names: tuple[str, ...], rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for number, cells in rows:
        if len(cells) != len(names):
            raise StoreError(
                f"{path}:{number}: {len(cells)} cells, and there are {len(names)} columns; the line seems to be cut "
                "off, or a cell needs quotes"
            )
        made: dict[str, Any] = dict(zip(names, cells, strict=True))
        yield number, made


def _cells(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which a row ends, and its cells; blank lines are left out, and so are empty rows at the end.

    A row of empty cells between others keeps its place, or what follows it would be paired with another item.
    """
    csv.field_size_limit(LONGEST_BYTES)
    held: list[tuple[int, list[str]]] = []
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            width = 0
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield from held
                    yield reader.line_num, cells
                    held, width = [], width or len(cells)
                elif cells and len(cells) == width and (width > 1 or not cells[0]):
                    held.append((reader.line_num, cells))
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is no text in UTF-8 ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise StoreError(f"{path}:{reader.line_num}: no row of a table: {error}") from error  # pyright: ignore[reportPossiblyUnboundVariable]
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
