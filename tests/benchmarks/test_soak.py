"""The soak accounts for every event, and tells when one is missing or there twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from benchmarks.soak import run
from benchmarks.soak.accounting import accounted
from benchmarks.soak.durations import Durations, percentile_ns
from benchmarks.soak.run import emitted

from benchmarks import soak


@pytest.mark.slow
def test_every_event_is_there_once(tmp_path: Path) -> None:
    """Four seconds of two processes with four threads each leave every event in the store, once."""
    plan = soak.Plan(seconds=4.0, rate=4_000.0)
    found = soak.soak(tmp_path, plan)
    assert found.is_complete, soak.told(plan, found)
    assert found.emitted == found.found
    assert (found.missing, found.doubled, found.dropped) == (0, 0, 0)
    assert found.emitted > 2_000
    assert found.file_bytes > 0


def test_what_is_missing_or_doubled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is taken out of the store is missing, and one that is put in again is there twice."""
    plan = soak.Plan(seconds=0.5, rate=400.0, processes=1, threads=2)
    said = emitted(tmp_path / "store", plan)
    sent = sum(said[0]["sent"])
    assert accounted(tmp_path / "store", said) == (sent, 0, 0)
    columns = "run_id, name, timestamp_ns, measurements_json, metadata_json"
    with sqlite3.connect(tmp_path / "store" / "crucible.db") as connection:
        last = "SELECT max(id) FROM telemetry_events WHERE name = ?"
        twice = f"INSERT INTO telemetry_events ({columns}) SELECT {columns} FROM telemetry_events WHERE id = ({last})"
        connection.execute(twice, [soak.EVENT])
        first = "SELECT min(id) FROM telemetry_events WHERE name = ?"
        connection.execute(f"DELETE FROM telemetry_events WHERE id = ({first})", [soak.EVENT])
    connection.close()
    assert accounted(tmp_path / "store", said) == (sent, 1, 1)
    monkeypatch.setattr(run, "emitted", lambda _store, _plan: said)
    found = soak.soak(tmp_path, plan)
    assert not found.is_complete
    assert "NOT every event is there, once\nmissing 1, doubled 1, dropped 0" in soak.told(plan, found)


def test_failing_process_is_told(tmp_path: Path) -> None:
    """A process that cannot record ends the soak with its last words."""
    (tmp_path / "store").write_text("no folder", encoding="utf-8")
    with pytest.raises(soak.SoakError, match=r"StoreError: .*store"):
        soak.soak(tmp_path, soak.Plan(seconds=0.2, rate=100.0, processes=1, threads=1))


def test_percentiles_of_counted_durations() -> None:
    """Percentiles are the upper end of the step that they lie in, and long calls are counted, too."""
    durations = Durations()
    for taken_ns in [100] * 98 + [1_000, 7_500_000]:
        durations.add(taken_ns)
    told = [durations.told()]
    assert percentile_ns(told, 0.5) == 128
    assert percentile_ns(told, 0.99) == 1_024
    assert percentile_ns(told, 1.0) == 8_000_000
    assert told[0]["worst_ns"] == 7_500_000
