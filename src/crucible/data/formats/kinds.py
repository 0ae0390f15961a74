"""The table of formats: their names, how their files end, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from crucible.data.formats.columnar import arrow_rows, parquet_rows
from crucible.data.formats.delimited import csv_rows, tsv_rows
from crucible.data.formats.json_array import json_rows
from crucible.data.formats.jsonl import jsonl_rows
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError
from crucible.ir import did_you_mean

__all__ = ["FileFormat", "format_names", "format_of", "format_problem", "formats_for", "suffixes_of"]


class FileFormat(msgspec.Struct, frozen=True):
    """One format.

    Args:
        name: Such as `jsonl`.
        suffixes: Endings of its files, the usual one first.
        rows: Yields the rows of a file, given its path, its name for messages and its dialect.
        is_text: Its files may be gzipped.
        is_streamed: Its files are read piece by piece.
    """

    name: str
    suffixes: tuple[str, ...]
    rows: Callable[[Path, str, Dialect], Iterator[Row]]
    is_text: bool = True
    is_streamed: bool = True


_FORMATS: Final = {
    each.name: each
    for each in (
        FileFormat("parquet", (".parquet",), parquet_rows, is_text=False),
        FileFormat("jsonl", (".jsonl", ".ndjson"), jsonl_rows),
        FileFormat("csv", (".csv",), csv_rows),
        FileFormat("tsv", (".tsv", ".tab"), tsv_rows),
        FileFormat("json", (".json",), json_rows, is_streamed=False),
        FileFormat("arrow", (".arrow", ".feather"), arrow_rows, is_text=False),
    )
}
"""In the order in which a folder is searched for them."""

_ALIASES: Final = {"feather": "arrow", "ndjson": "jsonl"}


def format_names() -> tuple[str, ...]:
    """Return the names of the formats, in the order in which a folder is searched for them."""
    return tuple(_FORMATS)


def format_problem(name: str | None, shown: str | None = None) -> str:
    """Return what is wrong with the name of a format, in one sentence; empty if nothing is, or there is none.

    Args:
        name: The name.
        shown: How the sentence shows it, where it must not be shown as it is.
    """
    if name is None or _ALIASES.get(name, name) in _FORMATS:
        return ""
    near = did_you_mean(name, _FORMATS)
    shown = f'"{name}"' if shown is None else shown
    return f"the format {shown} is not read here; known: {', '.join(_FORMATS)}{near}"


def formats_for(name: str | None) -> tuple[FileFormat, ...]:
    """Return the format of a name, or all of them for None.

    Raises:
        DataError: There is no such format.
    """
    if problem := format_problem(name):
        raise DataError(problem)
    return tuple(_FORMATS.values()) if name is None else (_FORMATS[_ALIASES.get(name, name)],)


def suffixes_of(fmt: FileFormat) -> tuple[str, ...]:
    """Return the endings of a format's files, gzipped ones included."""
    return fmt.suffixes + (tuple(f"{suffix}.gz" for suffix in fmt.suffixes) if fmt.is_text else ())


def format_of(path: Path, shown: str = "") -> FileFormat:
    """Return the format that a file's name says.

    Args:
        path: The file; only its name is looked at.
        shown: Its name for the message; the path itself if empty.

    Raises:
        DataError: The name ends in nothing that is known.
    """
    name = path.name.lower()
    for fmt in _FORMATS.values():
        if name.endswith(suffixes_of(fmt)):
            return fmt
    known = ", ".join(suffix for fmt in _FORMATS.values() for suffix in fmt.suffixes)
    raise DataError(
        f"{shown or path}: the name does not say what it is; expected one of {known} (text also with .gz), "
        "or say the format"
    )
