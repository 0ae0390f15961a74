"""Events as CSV."""

from __future__ import annotations

import csv
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import StoreError
from crucible.store import StoredEvent
from crucible.telemetry.exports import BASE_COLUMNS, Source, guard, unguard, write_csv

Make = Callable[..., StoredEvent]


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_are_the_union_over_all_rows(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """A column that only the last event has is there for all, base columns first, then fields and payloads, sorted."""
    found = write_csv(iter(odd_records), tmp_path / "a.csv")
    rows = rows_of(found.path)
    assert found.rows == len(rows) == len(odd_records)
    names = list(rows[0])
    assert tuple(names) == found.columns
    assert names[: len(BASE_COLUMNS)] == list(BASE_COLUMNS)
    rest = names[len(BASE_COLUMNS) :]
    assert rest[:3] == ["epoch", "field_event_id", "measurement_loss"]
    assert rows[1]["measurement_duration"] == "", "missing in this row, there in the next"
    assert rows[2]["measurement_duration"] == "7"
    assert rest[3:] == [*sorted(rest[3:6]), *sorted(rest[6:])]


def test_every_base_column_is_filled(record: Make, tmp_path: Path) -> None:
    """Ids, names, tags, times and what enrichment found have their columns; the event's name is dotted."""
    event = record(
        1,
        stage="train",
        stage_index=2,
        span_id="a-1",
        parent_span_id="a-0",
        correlation_id="c",
        condition="control",
        latency_ms=1.5,
        cost_usd=0.25,
        success=False,
        fields={"session_id": "s", "user_id": 7, "sample_id": "x", "cohort": "b", "model": "m", "provider": "p"},
    )
    source = Source("", "My run", ("a", "b"))
    (row,) = rows_of(write_csv([event], tmp_path / "a.csv", source=source).path)
    assert row == {
        "event_id": "0000000000000001", "event_name": "crucible_train.batch.stop", "timestamp": "1767225601000000001",
        "datetime": "2026-01-01T00:00:01.000000Z", "experiment_id": "0123456789abcdef", "experiment_name": "My run",
        "condition": "control", "tags": '["a","b"]', "session_id": "s", "user_id": "7", "sample_id": "x", "cohort": "b",
        "model": "m", "provider": "p", "latency_ms": "1.5", "cost_usd": "0.25", "success": "false", "stage": "train",
        "stage_index": "2", "span_id": "a-1", "parent_span_id": "a-0", "correlation_id": "c",
    }  # fmt: skip


def test_odd_values_have_a_cell(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """NaN and infinities are spelled, None is empty, lists are JSON, and no payload stops the file."""
    rows = rows_of(write_csv(odd_records, tmp_path / "a.csv").path)
    loss = "field_measurement_loss" if "field_measurement_loss" in rows[0] else "measurement_loss (2)"
    assert [row[loss] for row in rows[1:4]] == ["0.5", "NaN", "Infinity"]
    assert rows[3]["measurement_low"] == "-Infinity"
    assert rows[4]["metadata_list"] == '[1,{"x":null}]'
    assert rows[4]["metadata_empty"] == "{}"
    assert rows[5]["metadata_lines"] == 'a\r\n"b",c'
    assert rows[5]["metadata_nul"] == r"a\x00b"
    assert rows[5]["metadata_half"] == r"\ud800"
    assert rows[5]["metadata_huge"] == str(10**30)
    assert rows[6]["metadata_object"] == "<Hostile>"
    assert "<list>" in rows[6]["metadata_loop"]
    assert rows[6]["metadata_7"] == "key"


def test_names_that_flattening_would_merge_stay_apart(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """`a.b` nested, `a_b`, and a key with a dot are three columns, each with its own value."""
    row = rows_of(write_csv(odd_records, tmp_path / "a.csv").path)[3]
    assert (row["metadata_a.b"], row["metadata_a_b"], row[r"metadata_a\.b"]) == ("1", "2", "3")


def test_no_text_is_a_formula(odd_records: list[StoredEvent], record: Make, tmp_path: Path) -> None:
    """A text that begins like a formula gets an apostrophe, in names too; numbers stay numbers."""
    evil = record(9, metadata={"=1+1": "@SUM(A1)", "tab": "\tx", "return": "\rx", "minus": -5}, fields={"+x": "+1"})
    path = write_csv([*odd_records, evil], tmp_path / "a.csv").path
    rows = rows_of(path)
    assert rows[4]["metadata_text"] == '\'=HYPERLINK("http://x","y")'
    assert rows[6]["condition"] == "'-1+2"
    assert (rows[8]["metadata_=1+1"], rows[8]["metadata_tab"]) == ("'@SUM(A1)", "'\tx")
    assert (rows[8]["metadata_return"], rows[8]["metadata_minus"], rows[8]["'+x"]) == ("'\rx", "-5", "'+1")
    texts = [cell for row in rows for cell in [*row, *row.values()] if cell]
    starting = {cell for cell in texts if cell[0] in "=+-@\t\r"}
    assert starting == {"-5", "-Infinity"}, "only what was a number"


def test_guard_can_be_left_out(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """Without the guard every text is as it was."""
    rows = rows_of(write_csv(odd_records, tmp_path / "a.csv", guard=False).path)
    assert rows[6]["condition"] == "-1+2"


@given(st.text() | st.text(alphabet="'=-;\t\n\r \"\\\0\u200bx0a"))
def test_guard_can_be_taken_off(text: str) -> None:
    """`unguard` gives back what `guard` was given, whatever it is; nothing in a guarded text is a NUL or acts."""
    guarded = guard(text)
    assert unguard(guarded) == text
    assert "\0" not in guarded
    first, *parts = re.split("[;\\t\\r\\n]", guarded)
    assert first.lstrip(" \u200b")[:1] not in tuple("=-")
    for part in parts:
        assert part.lstrip(' "\u200b')[:1] not in tuple("=-"), "whichever a spreadsheet takes for a separator"


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t@SUM(A1)", "a\t'@SUM(A1)"),
        ("a\n=1", "a\n'=1"),
        ('a; "=1', "a;' \"=1"),
        ("a;b", "a;b"),
        ("a=1;b", "a=1;b"),
        ("\u200b=1", "'\u200b=1"),
        ("a\0b", r"a\x00b"),
        (r"a\x00b", r"a\\x00b"),
        ("\\\0", r"\\\x00"),
        (";;=1", ";;'=1"),
    ],
)
def test_a_formula_after_a_separator_is_guarded(text: str, guarded: str) -> None:
    """A part that a spreadsheet of another language would take for a cell is guarded, and a NUL spelled."""
    assert guard(text) == guarded
    assert unguard(guarded) == text


def test_no_cell_acts_where_the_separator_is_a_semicolon(record: Make, tmp_path: Path) -> None:
    """Read with semicolons or tabs instead of commas, or as it is, the file has no cell that is a formula."""
    evil = ["a;=1+1", 'b;"=1', "c\t=1", "d\n=1", "=1;=2", "e\0;\0=1"]
    path = write_csv([record(n, metadata={"v": text, text: 1}) for n, text in enumerate(evil)], tmp_path / "a.csv").path
    rows = rows_of(path)
    assert [unguard(row["metadata_v"]) for row in rows] == evil
    assert {unguard(name) for name in rows[0]} >= {f"metadata_{text}" for text in evil}
    assert b"\0" not in path.read_bytes()
    for delimiter in (",", ";", "\t"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
        assert not [cell for cell in cells if cell.lstrip(' "')[:1] in ("=", "+", "@")], delimiter


def test_long_texts_are_guarded_quickly() -> None:
    """A megabyte of what the guard looks at takes it no more than a moment: its work grows with the length alone."""
    for text in ("\\" * 10**6 + "\0", ";" * 10**6, "; " * 10**6, "'" * 10**6, ";" + " " * 10**6, "\\x00" * 10**5):
        start = time.monotonic()
        assert unguard(guard(text)) == text
        assert time.monotonic() - start < 5


@given(st.lists(st.dictionaries(st.text(max_size=4), st.floats() | st.text() | st.integers(), max_size=3), max_size=5))
def test_any_payload_comes_back(payloads: list[dict[str, object]]) -> None:
    """Every number can be read back exactly and every text unguarded, whatever its key."""
    records = [StoredEvent("n", n, metadata=payload) for n, payload in enumerate(payloads)]
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(write_csv(records, Path(folder) / "a.csv").path)
    for row, payload in zip(rows, payloads, strict=True):
        cells = sorted(cell for name, cell in row.items() if unguard(name).startswith("metadata_") and cell)
        expected = [_cell(value) for value in payload.values()]
        assert cells == sorted(cell for cell in expected if cell)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else guard(str(value))
    return guard(str(value).encode("utf-8", "backslashreplace").decode())


def test_without_flattening_payloads_are_json(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """Measurements and metadata are one column of JSON each."""
    rows = rows_of(write_csv(odd_records, tmp_path / "a.csv", flatten=False).path)
    assert rows[3]["metadata"] == '{"a":{"b":1},"a_b":2,"a.b":3}'
    assert rows[3]["measurements"] == '{"loss":{"$float":"Infinity"},"low":{"$float":"-Infinity"}}'
    assert not [name for name in rows[0] if name.startswith("metadata_")]


def test_records_of_several_experiments_share_a_file(record: Make, tmp_path: Path) -> None:
    """A source for each recording names its rows; one that is unknown keeps its id and has no name."""
    records = [record(n, run_id=run_id) for n, run_id in enumerate("abc")]
    sources = {"a": Source("a", "First"), "b": Source("b", "Second")}
    rows = rows_of(write_csv(records, tmp_path / "x.csv", source=sources).path)
    assert [(row["experiment_id"], row["experiment_name"]) for row in rows] == [
        ("a", "First"),
        ("b", "Second"),
        ("c", ""),
    ]


def test_no_records_is_a_header(tmp_path: Path) -> None:
    """Nothing to export gives a file with the base columns and no row."""
    found = write_csv([], tmp_path / "a.csv")
    assert (found.rows, found.columns) == (0, tuple(BASE_COLUMNS))
    assert found.path.read_bytes() == (",".join(BASE_COLUMNS) + "\r\n").encode()


def test_a_file_that_is_there_can_be_kept(record: Make, tmp_path: Path) -> None:
    """`replace=False` leaves the old file as it is and says so."""
    path = write_csv([record(1)], tmp_path / "a.csv").path
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is there already"):
        write_csv([record(2)], path, replace=False)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
