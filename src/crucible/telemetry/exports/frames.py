"""Events and points as data frames of pandas and polars, with the columns and types of the files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crucible.errors import require
from crucible.store import StoredEvent
from crucible.telemetry.exports.anonymizer import Anonymizer, anonymized
from crucible.telemetry.exports.columns import Columns
from crucible.telemetry.exports.kinds import ColumnType, as_type
from crucible.telemetry.exports.points import POINT_COLUMNS, Point
from crucible.telemetry.exports.source import Sources

__all__ = ["points_to_pandas", "points_to_polars", "to_pandas", "to_polars"]

_PANDAS: dict[ColumnType, str] = {
    "bool": "boolean", "int": "Int64", "double": "float64", "text": "object", "json": "object",
    "time": "datetime64[ns, UTC]", "texts": "object",
}  # fmt: skip
_POINTS: tuple[ColumnType, ...] = ("text", "text", "int", "double", "time")

Table = dict[str, tuple[ColumnType, list[Any]]]


def to_pandas(
    records: Iterable[StoredEvent],
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    flatten: bool = True,
) -> Any:
    """Return events as a pandas DataFrame, a row each; all of them are in memory.

    Columns as in `write_parquet`. A missing number is NaN, as always in pandas; a missing bool or integer is `<NA>`.

    Args:
        records: The events, in the order of the rows.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None keeps everything.
        flatten: Whether measurements and metadata get a column a key; else one column of JSON each.

    Raises:
        MissingExtra: pandas is not installed (extra `frames`).
    """
    pandas: Any = require("pandas", extra="frames", feature="a pandas frame")
    return _pandas_frame(pandas, _event_table(records, source, anonymizer, flatten=flatten))


def points_to_pandas(points: Iterable[Point], *, run_id: str) -> Any:
    """Return points as a pandas DataFrame with the columns `POINT_COLUMNS`.

    Args:
        points: `(series, step, value, timestamp_ns)`.
        run_id: The recording that they are of.

    Raises:
        MissingExtra: pandas is not installed (extra `frames`).
    """
    pandas: Any = require("pandas", extra="frames", feature="a pandas frame")
    return _pandas_frame(pandas, _point_table(points, run_id))


def to_polars(
    records: Iterable[StoredEvent],
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    flatten: bool = True,
) -> Any:
    """Return events as a polars DataFrame, a row each; all of them are in memory.

    Columns as in `write_parquet`. A missing value is null and NaN is NaN.

    Args:
        records: The events, in the order of the rows.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None keeps everything.
        flatten: Whether measurements and metadata get a column a key; else one column of JSON each.

    Raises:
        MissingExtra: polars is not installed (extra `frames`).
    """
    polars: Any = require("polars", extra="frames", feature="a polars frame")
    return _polars_frame(polars, _event_table(records, source, anonymizer, flatten=flatten))


def points_to_polars(points: Iterable[Point], *, run_id: str) -> Any:
    """Return points as a polars DataFrame with the columns `POINT_COLUMNS`.

    Args:
        points: `(series, step, value, timestamp_ns)`.
        run_id: The recording that they are of.

    Raises:
        MissingExtra: polars is not installed (extra `frames`).
    """
    polars: Any = require("polars", extra="frames", feature="a polars frame")
    return _polars_frame(polars, _point_table(points, run_id))


def _event_table(
    records: Iterable[StoredEvent], source: Sources, anonymizer: Anonymizer | None, *, flatten: bool
) -> Table:
    with anonymized(records, source, anonymizer, Path(tempfile.gettempdir())) as (hidden, sources):
        columns = Columns(sources, flatten=flatten)
        rows = [columns.row(record) for record in hidden]
    return {
        name: (column.type, [as_type(row.get(column.index), column.type) for row in rows])
        for name, column in columns.named().items()
        if name != "datetime"
    }


def _point_table(points: Iterable[Point], run_id: str) -> Table:
    rows = [(run_id, series, step, float(value), timestamp) for series, step, value, timestamp in points]
    columns = zip(*rows, strict=True) if rows else ((),) * len(POINT_COLUMNS)
    return {name: (kind, list(values)) for name, kind, values in zip(POINT_COLUMNS, _POINTS, columns, strict=True)}


def _pandas_frame(pandas: Any, table: Table) -> Any:
    return pandas.DataFrame(
        {
            name: pandas.to_datetime(pandas.Series(values, dtype="Int64"), unit="ns", utc=True)
            if kind == "time"
            else pandas.Series(values, dtype=_PANDAS[kind])
            for name, (kind, values) in table.items()
        }
    )


def _polars_frame(polars: Any, table: Table) -> Any:
    types: dict[ColumnType, Any] = {
        "bool": polars.Boolean, "int": polars.Int64, "double": polars.Float64, "text": polars.String,
        "json": polars.String, "time": polars.Int64, "texts": polars.List(polars.String),
    }  # fmt: skip
    series = [polars.Series(name, values, dtype=types[kind]) for name, (kind, values) in table.items()]
    frame = polars.DataFrame(series)
    times = [name for name, (kind, _) in table.items() if kind == "time"]
    moment = polars.Datetime("ns", "UTC")
    return frame.with_columns([polars.col(name).cast(moment) for name in times])
