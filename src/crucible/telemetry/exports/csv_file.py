"""Events as CSV: RFC 4180, UTF-8, lines end in CRLF, one column for everything that any row has."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from crucible.store import StoredEvent
from crucible.telemetry.exports.anonymizer import Anonymizer, anonymized
from crucible.telemetry.exports.cells import cell
from crucible.telemetry.exports.columns import Columns
from crucible.telemetry.exports.files import whole_file
from crucible.telemetry.exports.result import Exported
from crucible.telemetry.exports.source import Sources
from crucible.telemetry.exports.spool import Spool

__all__ = ["csv_rows", "write_csv"]


def write_csv(
    records: Iterable[StoredEvent],
    path: str | Path,
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    flatten: bool = True,
    guard: bool = True,
    replace: bool = True,
) -> Exported:
    """Write events as CSV, whole or not at all; the records are read once and never all in memory.

    Columns are those of `BASE_COLUMNS`, then what else enrichment found, then `measurement_*` and `metadata_*` with a
    dot for each level of nesting. An empty cell is a value that is missing; NaN and the infinities are `NaN`,
    `Infinity`, `-Infinity`; lists are JSON.

    Args:
        records: The events, in the order of the rows.
        path: Where; missing parent folders are made.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None writes everything.
        flatten: Whether measurements and metadata get a column a key; else one column of JSON each.
        guard: Whether a text that a spreadsheet would run as a formula gets an apostrophe before it, and within it
            where it would after a semicolon, a tab or the end of a line; `unguard` takes them off. False writes texts
            as they are, for files that only programs read; a NUL is spelled all the same.
        replace: Whether a file of that name is replaced.

    Raises:
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    path = Path(path)
    columns = Columns(flatten=flatten)
    with whole_file(path, replace=replace) as file, Spool(path.parent) as spool:
        with anonymized(records, source, anonymizer, path.parent) as (hidden, sources):
            columns = Columns(sources, flatten=flatten)
            for record in hidden:
                row = columns.row(record)
                spool.add({index: cell(value, guarded=guard) for index, value in row.items() if value is not None})
        named = columns.named()
        places = [column.index for column in named.values()]
        written = csv_rows(file)
        written.writerow([cell(name, guarded=guard) for name in named])
        count = 0
        for row in spool.rows(dict[int, str]):
            written.writerow([row.get(place, "") for place in places])
            count += 1
    return Exported(path, "csv", count, tuple(named))


def csv_rows(file: BinaryIO) -> Any:
    """Return a CSV writer onto a binary file."""
    return csv.writer(_Utf8(file))


class _Utf8:
    """Takes text and writes UTF-8. A TextIOWrapper would close the file, and write to it once more when it is gone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, words: str) -> int:
        return self._file.write(words.encode())
