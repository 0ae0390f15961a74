"""Events as JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crucible.store import StoredEvent, decode
from crucible.telemetry.exports import BASE_COLUMNS, Source, write_jsonl

Make = Callable[..., StoredEvent]


def test_one_object_a_line(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """Every line is one object of strict JSON with all base keys, and the event's name is a dotted text."""
    found = write_jsonl(iter(odd_records), tmp_path / "a.jsonl", source=Source("x", "Name", ("t",)))
    lines = found.path.read_text(encoding="utf-8").splitlines()
    assert found.rows == len(lines) == len(odd_records)

    def refuse(constant: str) -> None:
        raise AssertionError(f"bare {constant}")

    for line, event in zip(lines, odd_records, strict=True):
        row = json.loads(line, parse_constant=refuse)
        assert list(row)[: len(BASE_COLUMNS) + 2] == [*BASE_COLUMNS, "measurements", "metadata"]
        assert (row["event_name"], row["experiment_id"]) == (event.name, "x")
        assert (row["experiment_name"], row["tags"], row["timestamp"]) == ("Name", ["t"], event.timestamp_ns)


def test_payloads_keep_their_shape(odd_records: list[StoredEvent], tmp_path: Path) -> None:
    """Nesting, NaN and infinities come back through `decode`; what JSON cannot hold is text."""
    path = write_jsonl(odd_records, tmp_path / "a.jsonl").path
    rows: list[dict[str, Any]] = [decode(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows[3]["metadata"] == odd_records[3].metadata
    assert rows[3]["measurements"] == odd_records[3].measurements
    assert math.isnan(rows[2]["measurements"]["loss"])
    assert rows[6]["metadata"]["object"] == "<Hostile>"
    assert rows[6]["metadata"]["loop"] == ["<list>"]


def test_what_enrichment_found_stands_beside(record: Make, tmp_path: Path) -> None:
    """Fields are keys of the object; one whose name is taken is kept under `field_<name>`."""
    event = record(1, fields={"epoch": 3, "user_id": 7, "event_id": "theirs", "metadata": [1]})
    path = write_jsonl([event], tmp_path / "a.jsonl").path
    row = json.loads(path.read_text(encoding="utf-8"))
    assert (row["epoch"], row["user_id"]) == (3, 7)
    assert (row["event_id"], row["field_event_id"]) == (event.event_id, "theirs")
    assert (row["metadata"], row["field_metadata"]) == ({}, [1])
