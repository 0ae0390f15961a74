"""Series as files: one row a point, in three formats."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from crucible.telemetry.exports.anonymizer import Anonymizer
from crucible.telemetry.exports.cells import cell
from crucible.telemetry.exports.csv_file import csv_rows
from crucible.telemetry.exports.files import whole_file
from crucible.telemetry.exports.parquet_file import arrow, arrow_type, parquet_writer
from crucible.telemetry.exports.payload import json_text, text
from crucible.telemetry.exports.result import Exported

__all__ = [
    "POINT_COLUMNS",
    "Point",
    "point_batches",
    "write_points_csv",
    "write_points_jsonl",
    "write_points_parquet",
]

Point = tuple[str, int, float, int]
"""`(series, step, value, timestamp_ns)`."""

POINT_COLUMNS = ("run_id", "series", "step", "value", "timestamp")
"""The columns of every file of points; `timestamp` is in nanoseconds since 1970-01-01 UTC."""

_ROWS = 131_072


def write_points_csv(
    points: Iterable[Point],
    path: str | Path,
    *,
    run_id: str,
    anonymizer: Anonymizer | None = None,
    guard: bool = True,
    replace: bool = True,
) -> Exported:
    """Write points as CSV, whole or not at all, in the order in which they come.

    Args:
        points: `(series, step, value, timestamp_ns)`.
        path: Where; missing parent folders are made.
        run_id: The recording that they are of.
        anonymizer: Replaces the ids that it met while it wrote the events; None leaves names as they are.
        guard: As in `write_csv`.
        replace: Whether a file of that name is replaced.

    Raises:
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    path = Path(path)
    count = 0
    with whole_file(path, replace=replace) as file:
        written = csv_rows(file)
        written.writerow(POINT_COLUMNS)
        run = cell(_shown(run_id, anonymizer), guarded=guard)
        for count, (series, step, value, timestamp_ns) in enumerate(points, 1):  # noqa: B007  # the last one is the count
            name = cell(_shown(series, anonymizer), guarded=guard)
            written.writerow((run, name, step, cell(float(value)), timestamp_ns))
    return Exported(path, "csv", count, POINT_COLUMNS)


def write_points_jsonl(
    points: Iterable[Point],
    path: str | Path,
    *,
    run_id: str,
    anonymizer: Anonymizer | None = None,
    replace: bool = True,
) -> Exported:
    """Write points as JSON lines, whole or not at all; NaN and the infinities are `{"$float": "NaN"}`.

    Args:
        points: `(series, step, value, timestamp_ns)`.
        path: Where; missing parent folders are made.
        run_id: The recording that they are of.
        anonymizer: Replaces the ids that it met while it wrote the events; None leaves names as they are.
        replace: Whether a file of that name is replaced.

    Raises:
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    path = Path(path)
    count = 0
    with whole_file(path, replace=replace) as file:
        run = _shown(run_id, anonymizer)
        for count, (series, step, value, timestamp_ns) in enumerate(points, 1):  # noqa: B007  # the last one is the count
            row = (run, _shown(series, anonymizer), step, float(value), timestamp_ns)
            file.write(f"{json_text(dict(zip(POINT_COLUMNS, row, strict=True)))}\n".encode())
    return Exported(path, "jsonl", count, POINT_COLUMNS)


def write_points_parquet(
    points: Iterable[Point],
    path: str | Path,
    *,
    run_id: str,
    anonymizer: Anonymizer | None = None,
    replace: bool = True,
) -> Exported:
    """Write points as Parquet, whole or not at all: about 10 bytes a point of a training run.

    Names are dictionaries, steps and times differences, values doubles; every bit of a value is kept.

    Args:
        points: `(series, step, value, timestamp_ns)`.
        path: Where; missing parent folders are made.
        run_id: The recording that they are of.
        anonymizer: Replaces the ids that it met while it wrote the events; None leaves names as they are.
        replace: Whether a file of that name is replaced.

    Raises:
        MissingExtra: The extra `data` is not installed.
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    pyarrow = arrow()
    path = Path(path)
    names = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types = (names, names, pyarrow.int64(), pyarrow.float64(), arrow_type("time"))
    schema = pyarrow.schema(list(zip(POINT_COLUMNS, types, strict=True)))
    count = 0
    with (
        whole_file(path, replace=replace) as file,
        parquet_writer(
            file, schema, dictionary=POINT_COLUMNS[:2], delta=("step", "timestamp"), split=("value",)
        ) as writer,
    ):
        run = _shown(run_id, anonymizer)
        for columns in point_batches(points, _ROWS):
            columns[0] = [_shown(series, anonymizer) for series in columns[0]]
            columns.insert(0, [run] * len(columns[0]))
            arrays = [
                pyarrow.array(values, each, from_pandas=False) for values, each in zip(columns, types, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema), row_group_size=_ROWS)
            count += len(columns[0])
    return Exported(path, "parquet", count, POINT_COLUMNS)


def point_batches(points: Iterable[Point], size: int) -> Iterator[list[list[Any]]]:
    """Yield up to `size` points at a time as columns: series, steps, values as doubles, times."""
    remaining = iter(points)
    while batch := list(itertools.islice(remaining, size)):
        series, steps, values, times = zip(*batch, strict=True)
        yield [list(series), list(steps), [float(value) for value in values], list(times)]


def _shown(name: str, anonymizer: Anonymizer | None) -> str:
    words = text(name) or ""
    return words if anonymizer is None else anonymizer.text(words)
