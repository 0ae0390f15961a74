"""What format a file has, told by its content and never by its name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crucible.errors import StatsError
from crucible.stats.readers.asked import FORMATS
from crucible.stats.readers.cells import is_score
from crucible.stats.readers.column_names import NAMES, score_names
from crucible.stats.readers.crucible_scores import is_crucible
from crucible.stats.readers.csv_rows import DELIMITERS
from crucible.stats.readers.lines import HEAD_BYTES, decode_line, head_of, lines_of
from crucible.stats.readers.lm_eval import is_lm_eval

__all__ = ["detect_format"]

_FOREIGN = {
    b"PAR1": "a Parquet file; write it as CSV or JSONL",
    b"ARROW1": "an Arrow file; write it as CSV or JSONL",
    b"\x1f\x8b": "packed with gzip; unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard; unpack it first",
    b"SQLite format 3": "a SQLite database; export the scores as CSV",
    b"\x89HDF": "an HDF5 file; write it as CSV or JSONL",
    b"\x93NUMPY": "a NumPy file; write it as CSV or JSONL",
    b"%PDF": "a PDF",
}
_INSPECT = re.compile(rb'\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:')
_OPEN_ENDS = (b"{", b"[", b",", b":")


def detect_format(path: Path) -> str:
    """Return the name of a file's format, one of `FORMATS`.

    Raises:
        StoreError: The file cannot be read or is empty, or its first line is no JSON and begins like some.
        StatsError: It is of no format that is read here, or could be of several; they are named.
    """
    head = head_of(path)
    for start, what in _FOREIGN.items():
        if head.startswith(start):
            raise StatsError(f"{path} is {what}")
    if head.startswith(b"PK"):
        return "inspect"  # whose reader says what else the zip file is
    if b"\0" in head:
        raise StatsError(f"{path} is no text, no JSON and no Inspect log; it has to be text in UTF-8")
    text = head.lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return _of_text(path, text)
    return "inspect" if _INSPECT.match(text) else _of_object(path)


def _of_object(path: Path) -> str:
    """Tell one JSON document from one object a line, and lines by what they hold."""
    lines = lines_of(path)
    number, line = next(lines)
    if line.endswith(_OPEN_ENDS):
        return "json"  # a document that goes on
    row = decode_line(path, number, line)
    could = [name for name, fits in (("crucible", is_crucible), ("lm_eval", is_lm_eval)) if fits(row)]
    if len(could) > 1:
        raise StatsError(_several(path, could))
    if could:
        return could[0]
    return "json" if next(lines, None) is None and _is_document(row) else "jsonl"


def _is_document(row: Mapping[str, Any]) -> bool:
    """Return whether a lone object is a whole table: columns by name, or scores by item id, and no row of one score."""
    if all(isinstance(cell, list) for cell in row.values()):
        return True
    named = score_names(list(row)) or any(name.lower() in NAMES["item"] for name in row)
    return not named and all(cell is None or is_score(cell) for cell in row.values())


def _of_text(path: Path, text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    shapes = {name: _shape(shown, mark, is_whole=len(text) < HEAD_BYTES // 2) for name, mark in DELIMITERS.items()}
    could = [name for name, (columns, _) in shapes.items() if columns > 1]
    if len(could) > 1:
        could = [name for name in could if shapes[name][1]] or could
    if len(could) > 1:
        raise StatsError(_several(path, could))
    return could[0] if could else "csv"


def _shape(text: str, delimiter: str, *, is_whole: bool) -> tuple[int, bool]:
    """Return how many columns a table has if this divides its cells, and whether all rows have as many."""
    rows: list[int] = []
    try:
        rows = [len(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if cells]
    except csv.Error:
        return 0, False
    rows = rows if is_whole or len(rows) < 3 else rows[:-1]
    return (rows[0], len(set(rows)) == 1) if rows else (0, False)


def _several(path: Path, could: list[str]) -> str:
    listed = "; ".join(f"{name} ({FORMATS[name]})" for name in could)
    return f"{path} could be {listed}; say which with --read-as"
