"""What is read back from an archive equals what was written."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, StoreError
from crucible.store import StoredEvent, encode
from crucible.telemetry.archive import (
    archived_experiments,
    read_archive,
    read_info,
    read_jsonl_archive,
    read_manifest,
    read_points,
    verify_archive,
    write_archive,
    write_jsonl_archive,
)

Point = tuple[str, int, float, int]
INT64 = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
maybe = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("$float"), inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(texts, values, max_size=3)
numbers = st.none() | st.floats()
records = st.builds(
    StoredEvent, name=texts, timestamp_ns=INT64, stage=maybe, stage_index=st.none() | st.integers(0, 99),
    span_id=maybe, parent_span_id=maybe, measurements=payloads, metadata=payloads, run_id=texts, event_id=texts,
    correlation_id=maybe, condition=maybe, latency_ms=numbers, cost_usd=numbers, success=st.none() | st.booleans(),
    fields=payloads,
)  # fmt: skip
point_lists = st.lists(st.tuples(texts, INT64, st.floats(), INT64), max_size=6)


def shown(items: Any) -> list[str]:
    """Every item as a text that tells NaN, the sign of zero, and 1 from 1.0."""
    return sorted(f"{item!r}" for item in items)


@settings(deadline=None)
@given(st.lists(records, max_size=6), point_lists)
def test_parquet_gives_back_what_it_was_given(events: list[StoredEvent], points: list[Point]) -> None:
    """Any event and any point survive: NaN and nothing, nested payloads, odd texts, all times."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_archive(folder, {"id": "x"}, events, points)
        assert (manifest.events, manifest.points) == (len(events), len(points))
        assert shown(read_archive(folder, "x")) == shown(events)
        assert shown(read_points(folder, "x")) == shown(points)
        assert verify_archive(folder) == []


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@settings(max_examples=40, deadline=None)
@given(events=st.lists(records, max_size=6), points=point_lists)
def test_json_lines_give_back_what_they_were_given(suffix: str, events: list[StoredEvent], points: list[Point]) -> None:
    """The same holds for the file of JSON lines, in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        archive = read_jsonl_archive(write_jsonl_archive(Path(folder) / f"a.{suffix}", {"id": "x"}, events, points))
        assert [f"{each!r}" for each in archive.records()] == [f"{each!r}" for each in events]
        assert [f"{each!r}" for each in archive.points()] == [f"{each!r}" for each in points]


def test_order_is_that_of_time(events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path) -> None:
    """Events that come in order of time are read in that order, over days; so are points."""
    write_archive(tmp_path, info, iter(events), iter(points))
    assert list(read_archive(tmp_path)) == events
    assert list(read_points(tmp_path)) == points


def test_events_of_many_days_in_no_order(event: Callable[..., StoredEvent], tmp_path: Path) -> None:
    """Hundreds of days in any order need few open files, and every event comes back, by day."""
    events = [event(number) for number in range(1200)]
    random.Random(5).shuffle(events)
    manifest = write_archive(tmp_path, {"id": "x"}, events)
    found = list(read_archive(tmp_path))
    assert len({file.day for file in manifest.files}) == 300
    assert [each.timestamp_ns // 86_400_000_000_000 for each in found] == [n // 4 + 20454 for n in range(1200)]
    assert shown(found) == shown(events)


def test_a_day_that_was_closed_gets_another_part(
    event: Callable[..., StoredEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files must be closed to keep few open, a day has several parts, and none is lost."""
    monkeypatch.setattr("crucible.telemetry.archive.partitions._WAITING_ROWS", 7)
    monkeypatch.setattr("crucible.telemetry.archive.partitions._OPEN", 2)
    events = [event(number % 5 * 4 + number // 5 % 4, event_id=f"{number}") for number in range(100)]
    manifest = write_archive(tmp_path, {"id": "x"}, events)
    assert max(int(file.path[-13:-8]) for file in manifest.files) > 1
    assert shown(read_archive(tmp_path)) == shown(events)
    assert verify_archive(tmp_path) == []


def test_info_and_manifest_are_kept(events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path) -> None:
    """All that is known of the experiment comes back, NaN too, and the manifest counts rows, times and days."""
    info = info | {"metrics": {"loss": math.inf}}
    written = write_archive(tmp_path, info, events, points)
    assert read_info(tmp_path, info["id"]) == info
    manifest = read_manifest(tmp_path, info["id"])
    assert manifest == written
    found = [(file.kind, file.day, file.rows) for file in manifest.files]
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert found == [("events", day, 4) for day in days] + [("series", day, 20) for day in days]
    assert manifest.files[0].first_ns == events[0].timestamp_ns
    assert manifest.files[2].last_ns == events[-1].timestamp_ns


def test_layout_is_what_other_programs_read(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """Folders are `experiment=<id>/events/day=<day>`, which pyarrow reads as columns without being told."""
    import pyarrow.dataset

    write_archive(tmp_path, info, events)
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet"))
    assert paths[0] == "experiment=0123456789abcdef/events/day=2026-01-01/part-00000.parquet"
    files = [str(path) for path in sorted(tmp_path.rglob("events/*/*.parquet"))]
    table = pyarrow.dataset.dataset(files, partitioning="hive", partition_base_dir=str(tmp_path)).to_table()
    assert set(table["experiment"].to_pylist()) == {"0123456789abcdef"}
    assert table["model"].to_pylist() == ["tiny"] * 12


def test_no_events_is_an_archive_too(info: Any, tmp_path: Path) -> None:
    """An experiment in which nothing happened can be archived."""
    write_archive(tmp_path, info, [])
    assert archived_experiments(tmp_path) == [info["id"]]
    assert list(read_archive(tmp_path)) == list(read_points(tmp_path)) == []


def test_ids_cannot_lead_out(event: Callable[..., StoredEvent], tmp_path: Path) -> None:
    """An id with slashes, dots or odd letters is one folder, and comes back."""
    ids = sorted(["../evil", "a/b", "ünï cödé", "x=y", "%41", "."])
    for one in ids:
        write_archive(tmp_path / "archive", {"id": one}, [event(1, run_id=one)])
    assert archived_experiments(tmp_path / "archive") == ids
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    assert [each.run_id for one in ids for each in read_archive(tmp_path / "archive", one)] == ids
    assert len(list(read_archive(tmp_path / "archive"))) == len(ids)


def test_an_experiment_needs_an_id(tmp_path: Path) -> None:
    """Without an id nothing is written."""
    for info in ({}, {"id": ""}, {"id": 7}):
        with pytest.raises(SpecError, match="id"):
            write_archive(tmp_path, info, [])
        with pytest.raises(SpecError, match="id"):
            write_jsonl_archive(tmp_path / "a.jsonl", info, [])
    assert list(tmp_path.iterdir()) == []


def test_an_archived_experiment_is_replaced_only_when_asked(
    events: list[StoredEvent], info: Any, tmp_path: Path
) -> None:
    """Archiving again is an error that says how; replacing leaves only the new one."""
    write_archive(tmp_path, info, events)
    with pytest.raises(StoreError, match="replace=True"):
        write_archive(tmp_path, info, [])
    assert len(list(read_archive(tmp_path))) == 12
    write_archive(tmp_path, info, events[:2], replace=True)
    assert list(read_archive(tmp_path)) == events[:2]
    assert len(list(tmp_path.iterdir())) == 1
    path = write_jsonl_archive(tmp_path / "a.jsonl", info, events)
    with pytest.raises(StoreError, match="replace=True"):
        write_jsonl_archive(path, info, [])
    write_jsonl_archive(path, info, [], replace=True)
    assert list(read_jsonl_archive(path).records()) == []


class Hostile:
    """An object whose every word fails."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_what_no_file_holds_is_replaced_by_words(event: Callable[..., StoredEvent], tmp_path: Path) -> None:
    """Half a surrogate pair, a loop, an object without words: the event is kept, with text in their place."""
    loop: dict[str, Any] = {}
    loop["self"] = loop
    odd = event(1, condition="a\ud800", metadata={"loop": loop, "object": Hostile(), "half": "\udfff"})
    write_archive(tmp_path, {"id": "x"}, [odd])
    (found,) = read_archive(tmp_path)
    assert found.condition == r"a\ud800"
    assert found.metadata == {"loop": {"self": "<dict>"}, "object": "<Hostile>", "half": r"\udfff"}


def test_json_lines_are_the_predecessors(
    events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path
) -> None:
    """The first line is the experiment, then a line an event, points in blocks, and the counts at the end."""
    path = write_jsonl_archive(tmp_path / "new" / "a.jsonl", info, events, sorted(points))
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first == encode({"type": "experiment_metadata", "data": info})
    kinds = [line.partition(",")[0] for line in lines]
    assert kinds == ['{"type":"event"'] * 12 + ['{"type":"points"'] * 2 + ['{"type":"end"']
    archive = read_jsonl_archive(path)
    assert (archive.info, list(archive.records())) == (info, events)
    assert list(archive.points()) == sorted(points)


def test_gzip_is_the_same_every_time(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """A name that ends in `.gz` packs the file; the same experiment gives the same bytes."""
    one = write_jsonl_archive(tmp_path / "a.jsonl.gz", info, events)
    two = write_jsonl_archive(tmp_path / "b.jsonl.gz", info, events)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes()[:2] == b"\x1f\x8b"
    assert list(read_jsonl_archive(one).records()) == events
