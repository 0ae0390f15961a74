"""Crucible's own exports and archives come back as they were written."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.archive import write_jsonl_archive
from crucible.telemetry.exports import (
    BASE_COLUMNS,
    Source,
    write_jsonl,
    write_points_jsonl,
)
from crucible.telemetry.importers import ImportedRun, detect, read, read_crucible, read_wandb

PointsOf = Callable[[ImportedRun], list[tuple[str, int, float]]]

T0 = 1_767_225_600_123_456_789
ID = "0123456789abcdef"
ONE = StoredEvent(
    "req_llm.request.stop",
    T0,
    stage="train",
    stage_index=2,
    span_id="00000000000000a1",
    parent_span_id="00000000000000a0",
    measurements={"step": 1, "duration_ns": 1001, "loss": math.nan, "high": math.inf},
    metadata={"model": "m", "looks": {"$float": "NaN"}, "nested": {"a.b": [1, None, -0.0]}},
    run_id=ID,
    event_id="00000000000000ff",
    correlation_id="c",
    condition="control",
    latency_ms=1.5,
    cost_usd=0.25,
    success=False,
    fields={"model": "m", "user_id": 7, "epoch": 3, "event_id": "theirs", "tags": ["x"], "metadata": None},
)
INFO = {
    "id": ID,
    "name": "Name",
    "hypothesis": "smaller is enough",
    "condition": "control",
    "status": "stopped",
    "started_at": "2026-01-01T00:00:00.000000+00:00",
    "stopped_at": "2026-01-02T00:00:00.000000+00:00",
    "wall_ns": 5,
    "tags": ["pilot"],
    "metadata": {"x": math.nan},
    "owner": {"pid": 1, "host": "h", "started": "s"},
}


def events_of(run: ImportedRun, batch: int = 10_000) -> list[StoredEvent]:
    """Return all events of a run."""
    return [event for found in run.events(batch) for event in found]


def shape(events: list[StoredEvent]) -> list[str]:
    """Return events in a form in which NaN equals itself, and the order of keys does not count."""
    return [json.dumps(msgspec.structs.asdict(event), sort_keys=True) for event in events]


def test_exported_events_come_back(tmp_path: Path) -> None:
    """Times in nanoseconds, NaN, spans, the arm and what enrichment found are as they were; no series is made."""
    path = write_jsonl([ONE], tmp_path / "a.jsonl", source=Source(ID, "Name", ("pilot",))).path
    assert detect(path) == "crucible"
    (run,) = read(path)
    assert shape(events_of(run)) == shape([ONE])
    assert (run.source, run.source_id, run.name, run.status) == ("crucible", ID, "Name", None)
    assert run.started_at == "2026-01-01T00:00:00.123456Z"
    assert run.metadata == {"condition": "control", "tags": ["pilot"]}
    assert list(run.points()) == []
    assert not run.problems


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["NaN", "=Infinity"])
)
KEYS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["$float", "step", "epoch"])
PAYLOADS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=4,
)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.none() | st.floats()
FIELDS = st.dictionaries(
    st.sampled_from([*BASE_COLUMNS, "measurements", "metadata", "epoch"]),
    LEAVES.filter(lambda value: value is not None),
)
EVENTS = st.builds(
    StoredEvent,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.integers(-(2**63), 2**63 - 1),
    stage=TEXTS,
    stage_index=st.none() | st.integers(0, 2**31),
    span_id=TEXTS,
    parent_span_id=TEXTS,
    measurements=PAYLOADS,
    metadata=PAYLOADS,
    run_id=st.sampled_from(["a", "b"]),
    event_id=st.text("0123456789abcdef", min_size=16, max_size=16),
    correlation_id=TEXTS,
    condition=TEXTS,
    latency_ms=NUMBERS,
    cost_usd=NUMBERS,
    success=st.none() | st.booleans(),
    fields=FIELDS | PAYLOADS,
)
POINTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9),
    st.dictionaries(
        st.integers(-(2**63), 2**63 - 1), st.tuples(st.floats(), st.integers(0, 2**63 - 1)), min_size=1, max_size=4
    ),
    max_size=3,
)
ANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY
@given(st.lists(EVENTS, max_size=5), st.booleans())
def test_any_export_comes_back(tmp_path: Path, events: list[StoredEvent], is_named: bool) -> None:
    """Whatever events hold, each recording of the file is a run with its events in their order."""
    source = {key: Source(key, key.upper()) for key in "ab"} if is_named else None
    path = write_jsonl(events, tmp_path / "a.jsonl", source=source).path
    runs = {run.source_id: run for run in read_crucible(path)}
    assert set(runs) == {event.run_id for event in events}
    for key, run in runs.items():
        assert shape(events_of(run, 2)) == shape([event for event in events if event.run_id == key])
        assert run.name == (key.upper() if is_named else key)
        assert not run.problems


@ANY
@given(st.lists(EVENTS, max_size=4), POINTS, st.sampled_from([".jsonl", ".jsonl.gz"]))
def test_any_archive_comes_back(
    tmp_path: Path, events: list[StoredEvent], series: dict[str, dict[int, tuple[float, int]]], suffix: str
) -> None:
    """Events, points with their times, and all that is known of the experiment; gzipped too."""
    points = [(name, step, *series[name][step]) for name in series for step in sorted(series[name])]
    path = write_jsonl_archive(tmp_path / f"a{suffix}", INFO, events, points, replace=True)
    assert detect(path) == "crucible"
    (run,) = read(path)
    assert shape(events_of(run)) == shape(events)
    found = [(each.series, each.step, each.value, each.timestamp_ns) for batch in run.points(3) for each in batch]
    assert repr(found) == repr(points)
    assert (run.skipped, list(run.problems)) == ({}, [])


def test_an_archive_says_all_of_its_experiment(tmp_path: Path) -> None:
    """`info` has everything, and the rest stands where other sources have it."""
    path = write_jsonl_archive(tmp_path / "a.jsonl.gz", INFO, [ONE], [("q", 0, 1.0, T0)])
    (run,) = read_crucible(path)
    assert repr(getattr(run, "info", None)) == repr(INFO)
    assert (run.source_id, run.name, run.status) == (ID, "Name", "stopped")
    assert (run.started_at, run.finished_at) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    known = {"hypothesis": "smaller is enough", "condition": "control", "wall_ns": 5, "tags": ["pilot"]}
    assert repr(run.metadata) == repr(known | {"metadata": {"x": math.nan}})


@ANY
@given(POINTS.filter(bool))
def test_exported_points_come_back(tmp_path: Path, series: dict[str, dict[int, tuple[float, int]]]) -> None:
    """They are a run of their own, beside that of the events, with steps, values and times as they were."""
    points = [(name, step, *series[name][step]) for name in series for step in sorted(series[name])]
    path = write_points_jsonl(points, tmp_path / "p.jsonl", run_id=ID).path
    assert detect(path) == "crucible"
    (run,) = read(path)
    found = [(each.series, each.step, each.value, each.timestamp_ns) for batch in run.points() for each in batch]
    assert repr(found) == repr(points)
    assert (run.source_id, run.name, list(run.events())) == (ID, f"series of {ID}", [])


def test_the_archive_of_a_run_is_told_from_the_predecessors(data: Path, tmp_path: Path) -> None:
    """It begins with an id alone, as one of the predecessor's may; what follows decides."""
    path = write_jsonl_archive(tmp_path / "a.jsonl", {"id": ID}, [ONE], [("q", 0, math.inf, T0)])
    assert detect(path) == "crucible"
    (run,) = read(path)
    assert (run.source_id, run.name, shape(events_of(run))) == (ID, ID, shape([ONE]))
    assert detect(write_jsonl_archive(tmp_path / "empty.jsonl", {"id": ID}, [])) == "crucible"
    (tmp_path / "theirs.jsonl").write_text('{"type": "experiment_metadata", "data": {"id": "x", "name": "y"}}\n')
    for theirs in (tmp_path / "theirs.jsonl", data / "predecessor" / "archive.jsonl"):
        assert detect(theirs) == "predecessor"


def test_files_that_were_put_together_are_taken_apart(tmp_path: Path, points_of: PointsOf) -> None:
    """Two archives in one file are two runs, each with its own."""
    path = tmp_path / "both.jsonl"
    texts = [
        write_jsonl_archive(
            tmp_path / f"{key}.jsonl", INFO | {"id": key, "name": key}, [ONE], [("q", 0, value, T0)]
        ).read_text()
        for key, value in (("a", 1.0), ("b", 2.0))
    ]
    path.write_text("".join(texts) + "nonsense\n")
    runs = read_crucible(path)
    assert [(run.name, points_of(run), len(events_of(run))) for run in runs] == [
        ("a", [("q", 0, 1.0)], 1),
        ("b", [("q", 0, 2.0)], 1),
    ]
    assert [(problem.kind, problem.line) for problem in runs.problems] == [("damaged", 9)]


def test_what_is_not_whole_is_read_and_told(tmp_path: Path, points_of: PointsOf) -> None:
    """A torn archive, gzipped or not, one that lacks lines, and lines that are none of ours cost only themselves."""
    path = write_jsonl_archive(tmp_path / "a.jsonl", INFO, [ONE] * 3, [("q", 0, 1.0, T0)])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:20])
    (run,) = read_crucible(path)
    assert (len(events_of(run)), points_of(run)) == (3, [])
    assert [(problem.kind, problem.line) for problem in run.problems] == [("torn", 5), ("torn", None)]

    path.write_text("".join([*lines[:2], '{"other": 1}\n', *lines[3:]]))
    (run,) = read_crucible(path)
    assert (len(events_of(run)), points_of(run)) == (2, [("q", 0, 1.0)])
    assert [(problem.kind, problem.line) for problem in run.problems] == [("damaged", 3), ("damaged", 6)]
    assert "'events': 3" in run.problems[1].message

    bad = lines[1].replace('"timestamp_ns":', '"timestamp_ns":"x","was":')
    path.write_text("".join([lines[0], bad, *lines[2:4], lines[4].replace('"q"', "7"), lines[5]]))
    (run,) = read_crucible(path)
    assert (len(events_of(run)), points_of(run)) == (2, [])
    assert [(problem.kind, problem.line) for problem in run.problems] == [("damaged", 2), ("damaged", 5)]


@pytest.mark.slow
def test_a_torn_gzip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What could be unpacked is there; that something is missing, or damaged, is told."""
    path = tmp_path / "a.jsonl.gz"
    events = [msgspec.structs.replace(ONE, metadata={"n": f"{n * 7919 % 100_003}"}) for n in range(20_000)]
    write_jsonl_archive(path, INFO, events)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (run,) = read_crucible(path)
    assert 5_000 < len(events_of(run)) < 20_000
    assert {problem.kind for problem in run.problems} == {"torn"}
    path.write_bytes(whole[:-8] + bytes(8))
    (run,) = read_crucible(path)
    assert len(events_of(run)) == 20_000
    (problem,) = run.problems
    assert "the compressed file is damaged (CRC check failed" in problem.message
    path.write_bytes(whole[:15_000] + b"\xff" * 100 + whole[15_100:])
    (run,) = read_crucible(path)
    assert 0 < len(events_of(run)) < 20_000
    assert {problem.kind for problem in run.problems} >= {"damaged"}


def test_other_files_may_be_gzipped_too(data: Path, tmp_path: Path, points_of: PointsOf) -> None:
    """What they hold is told from what is packed."""
    source = data / "wandb" / "run-20231114_221320-abc123" / "wandb-history.jsonl"
    (tmp_path / "h").write_bytes(gzip.compress(source.read_bytes()))
    assert detect(tmp_path / "h") == "wandb"
    assert repr([points_of(run) for run in read(tmp_path / "h")]) == repr([points_of(run) for run in read(source)])


def test_a_folder_says_what_to_do(tmp_path: Path) -> None:
    """An archive of Parquet is for `restore`; in a folder of W&B-style files our own are left out."""
    folder = tmp_path / "archive" / f"experiment={ID}"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    for door in (detect, read_crucible):
        with pytest.raises(SpecError, match="crucible telemetry restore"):
            door(tmp_path / "archive")
    (tmp_path / "logs").mkdir()
    write_jsonl([ONE], tmp_path / "logs" / "own.jsonl")
    (tmp_path / "logs" / "theirs.jsonl").write_text('{"_step": 0, "loss": 1}\n')
    runs = read_wandb(tmp_path / "logs")
    assert [run.name for run in runs] == ["theirs"]
    assert [problem.kind for problem in runs.problems] == ["left_out"]
