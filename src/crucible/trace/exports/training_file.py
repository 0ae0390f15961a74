"""The training table as a file: CSV, JSON lines or Parquet."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crucible.errors import SpecError, require
from crucible.ir import atomic_write, did_you_mean
from crucible.trace.chain import Chain
from crucible.trace.exports.cells import json_text, number_cell, rows_to_csv, text_cell
from crucible.trace.exports.training_table import training_table
from crucible.trace.plain import plain

__all__ = ["save_training_table"]

_INT64 = range(-(2**63), 2**63)


def save_training_table(chain: Chain, path: str | Path, format: str | None = None) -> Path:  # noqa: A002  # the word users know
    """Write the rows of `training_table`, whole or not at all, and return the path.

    NaN stays apart from a value that is missing: in CSV it is `nan`, in JSON lines the text `"nan"`, in Parquet a NaN
    and not a null. A column of Parquet that holds more than numbers is text.

    Args:
        chain: A chain with at least one epoch.
        path: Where; missing parent folders are made.
        format: `csv`, `jsonl` or `parquet`; None goes by the suffix of `path`.

    Raises:
        SpecError: The chain has no epoch, or the format is unknown.
        MissingExtra: Parquet is asked for and the extra `data` is not installed.
        StoreError: The file cannot be written.
    """
    path = Path(path)
    name = path.suffix[1:].lower() if format is None else format
    write = _FORMATS.get(name)
    if write is None:
        hint = did_you_mean(name, _FORMATS)
        came = f"the format {name!r}" if name else f"{path.name!r} has no suffix and no format is given"
        message = f"{came}: a training table is written as {', '.join(_FORMATS)}{hint}"
        raise SpecError(message, path="format", code="unknown_format")
    rows = training_table(chain)
    if not rows:
        raise SpecError(
            f"the chain {chain.name!r} has no epoch_completed event, so there is no training to write", code="empty"
        )
    return atomic_write(path, write(rows))


def _csv(rows: list[dict[str, Any]]) -> bytes:
    table = [[text_cell(name) for name in rows[0]]]
    table += [[_cell(value) for value in row.values()] for row in rows]
    return rows_to_csv(table).encode()


def _cell(value: Any) -> str:
    return json_text(value) if isinstance(value, bool | dict | list | tuple) else number_cell(value)


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json_text(row)}\n" for row in rows).encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    arrow: Any = require("pyarrow", extra="data", feature="writing Parquet")
    parquet: Any = require("pyarrow.parquet", extra="data", feature="writing Parquet")
    columns = {name: _column([row[name] for row in rows], arrow) for name in rows[0]}
    buffer = io.BytesIO()
    parquet.write_table(arrow.table({plain(name): column for name, column in columns.items()}), buffer)
    return buffer.getvalue()


def _column(values: list[Any], arrow: Any) -> Any:
    """Return integers as int64, numbers as doubles, and anything that holds other values as text."""
    kinds: set[type] = {value.__class__ for value in values if value is not None}
    if kinds == {int} and all(value is None or value in _INT64 for value in values):
        return arrow.array(values, arrow.int64())
    if float in kinds and kinds <= {int, float}:
        with contextlib.suppress(OverflowError):  # an integer that no double can hold stays text
            floats = [None if value is None else float(value) for value in values]
            return arrow.array(floats, arrow.float64(), from_pandas=False)
    return arrow.array([_text(value) for value in values], arrow.string())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return plain(value) if isinstance(value, str) else json_text(value)


_FORMATS: Mapping[str, Callable[[list[dict[str, Any]]], bytes]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
