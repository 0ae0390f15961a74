"""Archives and exports of the predecessor are read, whatever optional keys they lack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.importers import ImportedRun, read_predecessor

PointsOf = Callable[[ImportedRun], list[tuple[str, int, float]]]


def events_of(run: ImportedRun) -> list[StoredEvent]:
    """Return all events of a run."""
    return [event for batch in run.events() for event in batch]


def only(path: Path, *lines: Any) -> ImportedRun:
    """Write lines and return the one run of them."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    (run,) = read_predecessor(path)
    return run


def test_an_archive_is_read(data: Path, points_of: PointsOf) -> None:
    """What is known of the experiment, its events with µs as ns, and a point for each number of a step."""
    (run,) = read_predecessor(data / "predecessor" / "archive.jsonl")
    assert (run.source_id, run.name, run.status) == ("0123456789abcdef", "Baseline", "stopped")
    assert (run.started_at, run.finished_at) == ("2026-02-08T10:00:00Z", "2026-02-08T10:05:00Z")
    assert run.metadata == {
        "hypothesis": "smaller is enough",
        "condition": "control",
        "metadata": {"sampling_rate": 1.0},
        "tags": ["pilot"],
        "pause_count": 0,
    }
    step, call = events_of(run)
    assert step == StoredEvent(
        "crucible_train.batch.stop",
        1_700_000_000_000_001_000,
        measurements={"step": 4, "loss": 0.5, "duration": 2_000_000},
        metadata={"model": "tuned"},
        run_id="0123456789abcdef",
        event_id="0011223344556677",
        condition="control",
        latency_ms=2.0,
        fields={"epoch": 1, "loss": 0.5, "user_id": "u1"},
    )
    assert (call.name, call.latency_ms, call.cost_usd, call.success) == ("req_llm.request.stop", 12.5, 0.0, True)
    assert (call.measurements, call.metadata, call.fields) == ({}, {}, {})
    assert points_of(run) == [
        ("crucible_train.batch.stop:loss[model=tuned]", 4, 0.5),
        ("crucible_train.batch.stop:duration[model=tuned]", 4, 2_000_000.0),
    ]
    assert not run.problems


@pytest.mark.parametrize(("file", "count"), [("export.jsonl", 2), ("pretty.jsonl", 1)])
def test_an_export_of_several_is_taken_apart(data: Path, file: str, count: int) -> None:
    """Each experiment_id is a run, named after what its events say; objects may be spread over lines."""
    first, second = read_predecessor(data / "predecessor" / file)
    assert (first.name, first.metadata) == ("Baseline", {"condition": "control", "tags": ["pilot"]})
    assert (second.name, second.metadata) == ("Treatment", {"condition": "treatment"})
    assert len(events_of(first)) == count
    (event,) = events_of(second)
    assert (event.run_id, event.condition) == ("fedcba9876543210", "treatment")
    assert not first.problems
    assert not second.problems


def test_event_ids_are_the_same_at_every_reading(data: Path) -> None:
    """Ours have 16 digits; an id of another form, or none, gives one that depends on where it stands."""
    first, second = (list(read_predecessor(data / "predecessor" / "export.jsonl")) for _ in range(2))
    ids = [event.event_id for run in first for event in events_of(run)]
    assert ids == [event.event_id for run in second for event in events_of(run)]
    assert len(set(ids)) == 3
    assert all(len(found) == 16 for found in ids)


def test_few_keys_are_enough(tmp_path: Path) -> None:
    """A name is all that an event needs; a time that is none is counted."""
    run = only(
        tmp_path / "few.jsonl",
        {"event_name": ["a", "b"], "timestamp": 5},
        {"event_name": ":a.c", "timestamp": "2026-02-08T10:00:00Z"},
        {"event_name": "a.d"},
        {"event_name": "a.e", "timestamp": 2**63, "latency_ms": "slow", "success": "yes", "measurements": [1]},
    )
    found = events_of(run)
    assert [(event.name, event.timestamp_ns) for event in found] == [
        ("a.b", 5000),
        ("a.c", 1_770_544_800_000_000_000),
        ("a.d", 0),
        ("a.e", 0),
    ]
    assert run.skipped == {"times that cannot be read": 2}
    assert found[3].fields == {"latency_ms": "slow", "success": "yes", "measurements": [1]}
    assert (run.source_id, run.name, run.status) == ("few", "few", None)


def test_unknown_keys_and_categories_are_kept(tmp_path: Path) -> None:
    """A stage is the event's stage; everything else that nobody knows stays among the fields."""
    event = {"event_name": "crucible_framework.stage.stop", "timestamp": 1, "stage_name": "train", "stage_index": 2}
    run = only(tmp_path / "a.jsonl", event | {"pipeline_id": "p", "new": {"deep": 1}, "nothing": None})
    (found,) = events_of(run)
    assert (found.stage, found.stage_index, found.fields) == ("train", 2, {"pipeline_id": "p", "new": {"deep": 1}})


def test_damage_costs_its_line(tmp_path: Path) -> None:
    """Names that are none, lines that are no JSON, and an object that never ends are reported with their numbers."""
    run = only(
        tmp_path / "a.jsonl",
        {"event_name": "a.b", "timestamp": 1},
        {"event_name": [1, 2], "timestamp": 1},
        {"event_name": [], "timestamp": 1},
        "{",
        {"event_name": "a.c", "timestamp": 2},
        "nonsense",
        '{"event_name": "a.d", "timesta',
    )
    assert [event.name for event in events_of(run)] == ["a.b", "a.c"]
    assert {problem.line for problem in run.problems} == {2, 3, 4, 6, 7}


def test_events_belong_to_the_experiment_named_before_them(tmp_path: Path) -> None:
    """An event without an experiment_id is of the archive it lies in, also where archives were put together."""
    path = tmp_path / "joined.jsonl"
    lines = [
        {"event_name": "before", "timestamp": 1},
        {"type": "experiment_metadata", "data": {"id": "a", "name": "A"}},
        {"type": "event", "data": {"event_name": "of.a", "timestamp": 2}},
        {"type": "experiment_metadata", "data": {"id": "b", "name": "B"}},
        {"type": "event", "data": {"event_name": "of.a.too", "timestamp": 3, "experiment_id": "a"}},
        {"type": "event", "data": {"event_name": "of.b", "timestamp": 4}},
        {"type": "experiment_metadata", "data": {"id": "c", "name": "C"}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.write_text(path.read_text() + "nonsense\n")
    runs = read_predecessor(path)
    found = {run.name: [event.name for event in events_of(run)] for run in runs}
    assert [problem.line for problem in runs.problems] == [8], "what is damaged is nobody's of several"
    assert found == {"joined": ["before"], "A": ["of.a", "of.a.too"], "B": ["of.b"], "C": []}


def test_points_need_a_whole_step(tmp_path: Path, points_of: PointsOf) -> None:
    """As with our own events: a step is a measurement and an integer, and words are no numbers."""
    run = only(
        tmp_path / "a.jsonl",
        {"event_name": "a", "timestamp": 1, "measurements": {"loss": 1.0}},
        {"event_name": "a", "timestamp": 1, "measurements": {"step": True, "loss": 1.0}},
        {"event_name": "a", "timestamp": 1, "measurements": {"step": 2, "loss": 3, "note": "x", "done": True}},
    )
    assert points_of(run) == [("a:loss", 2, 3.0)]


def test_batches_are_of_the_size_asked_for(tmp_path: Path) -> None:
    """Events come in batches, the last one shorter."""
    run = only(tmp_path / "a.jsonl", *({"event_name": "a", "timestamp": place} for place in range(5)))
    assert [len(batch) for batch in run.events(2)] == [2, 2, 1]


def test_a_folder_is_none(tmp_path: Path) -> None:
    """The predecessor writes files."""
    with pytest.raises(SpecError, match="is a folder"):
        read_predecessor(tmp_path)
