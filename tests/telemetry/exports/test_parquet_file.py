"""Events as Parquet."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from crucible.store import StoredEvent, decode
from crucible.telemetry.exports import Source, write_parquet

Make = Callable[..., StoredEvent]


def table_of(path: Path) -> pyarrow.Table:
    """The file as a table."""
    return pyarrow.parquet.read_table(path)


def test_columns_are_typed(record: Make, tmp_path: Path) -> None:
    """Times are timestamps in UTC, measurements doubles, names dictionaries; bools, integers and texts stay such."""
    records = [
        record(0, measurements={"loss": 1, "wide": 2**60, "flag": True}, metadata={"epoch": 1, "who": "me"}),
        record(1, measurements={"loss": 0.5, "wide": 3}, latency_ms=2, success=True, fields={"model": "m", "lr": 0.1}),
    ]
    table = table_of(write_parquet(records, tmp_path / "a.parquet", source=Source("x", "N", ("t",))).path)
    types = {field.name: str(field.type) for field in table.schema}
    named = "dictionary<values=string, indices=int32, ordered=0>"
    assert types["timestamp"] == "timestamp[ns, tz=UTC]"
    assert {types[name] for name in ("event_name", "experiment_id", "condition", "model")} == {named}
    assert {types[name] for name in ("latency_ms", "cost_usd", "measurement_loss", "lr")} == {"double"}
    assert (types["success"], types["measurement_flag"], types["stage_index"]) == ("bool", "bool", "int64")
    assert (types["measurement_wide"], types["metadata_epoch"], types["metadata_who"]) == ("int64", "int64", "string")
    assert types["tags"].startswith("list<")
    assert "datetime" not in types
    assert table["timestamp"].cast(pyarrow.int64()).to_pylist() == [each.timestamp_ns for each in records]
    assert table["measurement_loss"].to_pylist() == [1.0, 0.5]
    assert table["measurement_wide"].to_pylist() == [2**60, 3]


def test_nan_is_no_null(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """A NaN that was measured is told from a value that is missing."""
    table = table_of(write_parquet(odd_records[:4], tmp_path / "a.parquet").path)
    loss = table["measurement_loss"].to_pylist()
    assert (loss[0], loss[1], loss[3]) == (None, 0.5, math.inf)
    assert math.isnan(loss[2])


def test_mixed_columns_are_json(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """A column of texts and numbers, or of lists, is JSON text, says so, and comes back exactly."""
    table = table_of(write_parquet(odd_records, tmp_path / "a.parquet").path)
    field = table.schema.field("metadata_mixed")
    assert (str(field.type), field.metadata) == ("string", {b"crucible.encoding": b"json"})
    assert [decode(cell) for cell in table["metadata_mixed"].to_pylist()[6:]] == ["text", 4]
    assert table["metadata_list"].to_pylist()[4] == '[1,{"x":null}]'
    assert table.schema.field("metadata_text").metadata is None


def test_a_number_that_no_double_holds_is_not_rounded(record: Make, tmp_path: Path) -> None:
    """An integer beyond 2**53 in a column with fractions makes it JSON text, not a wrong number."""
    records = [record(0, measurements={"x": 2**53 + 1}), record(1, measurements={"x": 0.5})]
    table = table_of(write_parquet(records, tmp_path / "a.parquet").path)
    assert table["measurement_x"].to_pylist() == [str(2**53 + 1), "0.5"]


def test_rows_are_written_group_by_group(record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long export has several row groups; the more columns there are, the fewer rows a group has."""
    monkeypatch.setattr("crucible.telemetry.exports.parquet_file._CELLS", 50_000)
    wide = {f"column{n}": n for n in range(20)}
    records = (record(n, measurements=wide if n == 0 else {"loss": n}) for n in range(2500))
    path = write_parquet(records, tmp_path / "a.parquet").path
    metadata = pyarrow.parquet.read_metadata(path)
    assert (metadata.num_rows, metadata.num_row_groups) == (2500, 3)


def test_no_records_is_an_empty_table(tmp_path: Path) -> None:
    """Nothing to export gives a table with the base columns."""
    table = table_of(write_parquet([], tmp_path / "a.parquet").path)
    assert (table.num_rows, table.schema.names[0]) == (0, "event_id")
