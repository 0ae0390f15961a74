"""CSV and TSV through Python's csv module: quotes, line ends inside quotes, a byte-order mark.

Every value is text, and an empty field is null: a table of text has no other way to say that nothing is there. A row
of another length than the header is an error, never shifted or filled.
"""

from __future__ import annotations

import codecs
import csv
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crucible.data.formats.raw import opened, text_of_error
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError

__all__ = ["csv_rows", "tsv_rows"]

_LONGEST_FIELD: Final = 1 << 28
"""The csv module refuses fields of more than 131,072 characters unless it is told otherwise; a prompt may be longer."""


def csv_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of a CSV file, numbered from 1 without the header.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: How it is written.

    Raises:
        DataError: The file cannot be read or decoded, a quote is not closed, the header names a field twice, or a row
            has another length than the header; names file and line.
    """
    return _rows(path, shown, dialect, dialect.delimiter or ",")


def tsv_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """`csv_rows` of a file whose fields are divided by tabs."""
    return _rows(path, shown, dialect, dialect.delimiter or "\t")


def _rows(path: Path, shown: str, dialect: Dialect, delimiter: str) -> Iterator[Row]:
    encoding = _encoding(shown, dialect.encoding)
    if csv.field_size_limit() < _LONGEST_FIELD:
        csv.field_size_limit(_LONGEST_FIELD)  # the module has but one limit for the process; raising it harms nobody
    header = list(dialect.header or ())
    number = 0
    with opened(path, shown, refuse_utf16=not encoding.startswith("utf-16")) as file:
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        reader = csv.reader(
            text,
            delimiter=delimiter,
            quotechar=dialect.quote or '"',
            escapechar=dialect.escape,
            doublequote=dialect.escape is None,
            strict=True,
        )
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                raise DataError(f"{shown}:{line}: this is no CSV ({error})") from error
            except UnicodeDecodeError as error:
                place = _undecodable_line(path, shown, encoding)
                raise DataError(f"{shown}:{place}: this is not {encoding} text ({error.reason})") from error
            except (OSError, EOFError, zlib.error) as error:
                raise DataError(f"{shown}:{line}: the file is torn or damaged ({text_of_error(error)})") from error
            if not cells:
                continue
            if not header:
                header = cells
                _check_header(header, f"{shown}:{line}")
                continue
            number += 1
            yield Row(_values(header, cells, f"{shown}:{line}"), f"{shown}:{line}", number)
    if not header:
        raise DataError(f"{shown}: there is no header; expected the names of the fields in the first line")


def _values(header: list[str], cells: list[str], where: str) -> dict[str, Any]:
    if len(cells) != len(header):
        raise DataError(
            f"{where}: expected {len(header)} fields as in the header ({', '.join(header)}), got {len(cells)}; "
            "a field that holds the delimiter or a line end needs quotes"
        )
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}


def _check_header(header: list[str], where: str) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1 and name.strip()]
    if twice:
        raise DataError(f'{where}: the header names "{twice[0]}" twice; rename one of them')
    if not all(name.strip() for name in header):
        raise DataError(f"{where}: field {[bool(name.strip()) for name in header].index(False) + 1} has no name")


def _encoding(shown: str, asked: str | None) -> str:
    try:
        found = codecs.lookup(asked or "utf-8").name
        b"".decode(found)
    except LookupError as error:
        raise DataError(f'{shown}: csv.encoding: unknown encoding "{asked}"; the usual one is utf-8') from error
    return "utf-8-sig" if found == "utf-8" else found


def _undecodable_line(path: Path, shown: str, encoding: str) -> int:
    """Return the number of the line at which the text ends; the reader knows only the block of bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with opened(path, shown, refuse_utf16=False) as file:
        for number, line in enumerate(file, start=1):
            try:
                decoder.decode(line)
            except UnicodeDecodeError:
                return number
    return 1
