"""Series as files."""

from __future__ import annotations

import csv
import json
import math
import random
from pathlib import Path

import pyarrow.parquet
import pytest

from crucible.store import decode
from crucible.telemetry.exports import (
    POINT_COLUMNS,
    Anonymizer,
    Point,
    export_points,
    write_points_csv,
    write_points_jsonl,
    write_points_parquet,
)

POINTS: list[Point] = [("loss", 0, 0.5, 10), ("loss", 1, math.nan, 20), ("=lr", -1, math.inf, -5), ("loss", 2, 1, 30)]


def same(left: list[Point], right: list[Point]) -> bool:
    """Whether two lists are equal, NaN included."""
    return [f"{each}" for each in left] == [f"{(s, t, float(v), at)}" for s, t, v, at in right]


def test_csv_has_a_row_a_point(tmp_path: Path) -> None:
    """Points come back exactly from CSV; a name that is a formula is guarded."""
    path = write_points_csv(iter(POINTS), tmp_path / "a.csv", run_id="r").path
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == POINT_COLUMNS
    assert rows[2] == ["r", "'=lr", "-1", "Infinity", "-5"]
    assert same([(row[1].lstrip("'"), int(row[2]), float(row[3]), int(row[4])) for row in rows], POINTS)


def test_jsonl_has_a_line_a_point(tmp_path: Path) -> None:
    """Points come back exactly from JSON lines, which hold no bare NaN."""
    found = write_points_jsonl(iter(POINTS), tmp_path / "a.jsonl", run_id="r")
    lines = found.path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1])["value"] == {"$float": "NaN"}
    rows = [decode(line) for line in lines]
    assert found.rows == 4
    assert same([(row["series"], row["step"], row["value"], row["timestamp"]) for row in rows], POINTS)


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    """Points come back exactly from Parquet: names as dictionaries, times as timestamps."""
    found = write_points_parquet(iter(POINTS), tmp_path / "a.parquet", run_id="r")
    table = pyarrow.parquet.read_table(found.path)
    assert [str(field.type).partition("<")[0] for field in table.schema] == [
        "dictionary", "dictionary", "int64", "double", "timestamp[ns, tz=UTC]",
    ]  # fmt: skip
    table = table.set_column(4, "timestamp", table["timestamp"].cast(pyarrow.int64()))
    assert same([tuple(row.values())[1:] for row in table.to_pylist()], POINTS)
    assert found.rows == 4


@pytest.mark.parametrize("order", ["one series", "ten, one after the other", "ten, interleaved"])
def test_a_scalar_takes_sixteen_bytes_at_most(tmp_path: Path, order: str) -> None:
    """100,000 points of a training run, noisy doubles at jittery times, take 16 bytes each or less."""
    chance = random.Random(1)
    count, series = 100_000, 1 if order == "one series" else 10
    steps = count // series
    at, times = 1_767_225_600_000_000_000, []
    for _ in range(count):
        at += int(chance.gauss(2_000_000, 300_000))
        times.append(at)
    values = [2.5 * math.exp(-n / count) + chance.gauss(0, 0.05) for n in range(count)]
    points = [
        (f"crucible_train.batch.stop:m{s}", step, values[step * series + s], times[step * series + s])
        for step in range(steps)
        for s in range(series)
    ]
    if order == "ten, one after the other":
        points.sort(key=lambda point: point[0])
    found = write_points_parquet(points, tmp_path / "a.parquet", run_id="20261121-043931-f3737a")
    size = found.path.stat().st_size / count
    assert size <= 16, f"{size:.2f} bytes"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_names_are_cleaned_of_known_ids(tmp_path: Path, suffix: str) -> None:
    """An id that an anonymiser met does not survive in the name of a series."""
    anonymizer = Anonymizer("hash", key="secret")
    anonymizer.value({"user_id": "alice-cooper"})
    path = tmp_path / f"a.{suffix}"
    found = export_points([("loss[model=alice-cooper]", 1, 0.5, 1)], path=path, run_id="r", anonymizer=anonymizer)
    assert found.path == path
    assert b"alice" not in path.read_bytes()
    assert anonymizer.pseudonym("alice-cooper").encode() in path.read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_no_points_is_a_file_without_rows(tmp_path: Path, suffix: str) -> None:
    """Nothing to export is no error."""
    assert export_points([], path=tmp_path / f"a.{suffix}", run_id="r").rows == 0
