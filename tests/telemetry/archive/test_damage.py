"""Damage is found and named, and a writer that fails leaves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StoreError
from crucible.store import StoredEvent
from crucible.telemetry.archive import (
    archived_experiments,
    read_archive,
    read_info,
    read_jsonl_archive,
    read_manifest,
    verify_archive,
    write_archive,
    write_jsonl_archive,
)

Point = tuple[str, int, float, int]


@pytest.fixture
def archive(events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path) -> Path:
    """The experiment of three days, archived."""
    write_archive(tmp_path / "archive", info, events, points)
    return tmp_path / "archive"


def test_a_whole_archive_has_no_problem(archive: Path) -> None:
    """What was just written is as it was written."""
    assert verify_archive(archive) == []


@pytest.mark.parametrize(
    "where", ["events/day=2026-01-02/part-00000.parquet", "series/day=2026-01-01/part-00000.parquet"]
)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied", "gone"])
def test_a_damaged_file_is_named(archive: Path, where: str, damage: str) -> None:
    """A byte that turned over, a file cut short, emptied or gone: exactly that file is reported."""
    path = next(archive.iterdir()) / where
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "flipped":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    (problem,) = verify_archive(archive)
    assert problem.path == path
    expected = "cannot be read" if damage == "gone" else "SHA-256 differs"
    assert expected in problem.problem
    if damage != "flipped" and where.startswith("events"):
        with pytest.raises(StoreError, match=re.escape(f"{path} is missing or damaged")):
            list(read_archive(archive))


def test_every_flipped_byte_is_noticed_by_a_reader(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """Wherever a byte turns over, reading fails with the file's name."""
    write_archive(tmp_path, info, events[:2])
    (path,) = tmp_path.glob("*/events/*/*")
    content = path.read_bytes()
    for place in range(4, len(content), 37):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(StoreError, match=re.escape(f"{path} is missing or damaged (its SHA-256")):
            list(read_archive(tmp_path))


def test_info_manifest_and_strangers_are_checked(archive: Path, info: Any) -> None:
    """A changed `experiment.json`, and a file that nobody wrote, are reported; a broken manifest is an error."""
    base = next(archive.iterdir())
    (base / "experiment.json").write_text('{"id":', encoding="utf-8")
    (base / "events" / "part.parquet").write_bytes(b"x")
    problems = {problem.path.name: problem.problem for problem in verify_archive(archive)}
    assert problems.keys() == {"experiment.json", "part.parquet"}
    assert problems["part.parquet"] == "is not in the manifest"
    with pytest.raises(StoreError, match=r"experiment.json is damaged"):
        read_info(archive, info["id"])
    manifest = (base / "manifest.json").read_text(encoding="utf-8")
    for broken, message in [
        (manifest[:-20], "is no manifest"),
        (manifest.replace('archive/1"', 'archive/9"'), "is of the format"),
        (manifest.replace("events/day=2026-01-01", "../../x"), "outside of its folder"),
    ]:
        (base / "manifest.json").write_text(broken, encoding="utf-8")
        with pytest.raises(StoreError, match=message):
            read_manifest(archive, info["id"])
        assert message in verify_archive(archive)[0].problem


def test_wrong_counts_are_reported(archive: Path) -> None:
    """A manifest whose counts are not those of its files is reported."""
    path = next(archive.iterdir()) / "manifest.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('"events": 12', '"events": 13').replace('"rows": 20', '"rows": 21', 1), encoding="utf-8"
    )
    problems = [problem.problem for problem in verify_archive(archive)]
    assert any("12 rows, it says 13" in problem for problem in problems)
    assert any("has 20 rows, the manifest says 21" in problem for problem in problems)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_archive_is_not_there(
    events: list[StoredEvent], info: Any, tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the source raises comes through; the archive is as before, with no temporary folder."""
    monkeypatch.setattr("crucible.telemetry.archive.partitions._WAITING_ROWS", 1000)  # so that files are open by then

    def broken() -> Iterator[StoredEvent]:
        yield from events * 500
        raise error("stop")

    write_archive(tmp_path, {"id": "older"}, events)
    with pytest.raises(error, match="stop"):
        write_archive(tmp_path, info, broken())
    with pytest.raises(error, match="stop"):
        write_jsonl_archive(tmp_path / "a.jsonl.gz", info, broken())
    assert [path.name for path in tmp_path.iterdir()] == ["experiment=older"]


def test_who_archives_first_wins(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """An experiment that somebody else archived meanwhile is an error, and the other one stays."""

    def slow(write: Callable[[], object]) -> Iterator[StoredEvent]:
        write()
        yield from events

    with pytest.raises(StoreError, match="somebody else archived it meanwhile"):
        write_archive(tmp_path, info, slow(lambda: write_archive(tmp_path, info, events[:1])))
    assert list(read_archive(tmp_path)) == events[:1]
    path = tmp_path / "a.jsonl"
    with pytest.raises(StoreError, match="is there already"):
        write_jsonl_archive(path, info, slow(lambda: write_jsonl_archive(path, info, events[:1])))
    assert list(read_jsonl_archive(path).records()) == events[:1]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made_is_named(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """An archive below a file is a StoreError that names the path."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="file/experiment=0123456789abcdef cannot be written"):
        write_archive(tmp_path / "file", info, events)


def test_a_manifest_of_another_experiment_is_reported(archive: Path) -> None:
    """A folder that was renamed no longer is what its manifest says; info that is no object is damaged."""
    next(archive.iterdir()).rename(archive / "experiment=other")
    assert [problem.problem for problem in verify_archive(archive)] == ["is of the experiment '0123456789abcdef'"]
    (archive / "experiment=other" / "experiment.json").write_text("[]", encoding="utf-8")
    with pytest.raises(StoreError, match="holds no JSON object"):
        read_info(archive, "other")


def test_a_record_that_no_archive_holds_is_an_error(events: list[StoredEvent], info: Any, tmp_path: Path) -> None:
    """A step beyond 64 bits cannot be kept; the error says so, and nothing is written."""
    with pytest.raises(StoreError, match="no archive holds"):
        write_archive(tmp_path, info, events, [("loss", 2**70, 0.5, 1)])
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, sys
from crucible.errors import StoreError
from crucible.store import StoredEvent
from crucible.telemetry.archive import write_archive, write_jsonl_archive
import pyarrow.parquet

limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # Python ignores SIGXFSZ, so writes fail
words = (f"{n * 7919 % 104729:x}" for n in range(10**9))
events = (StoredEvent("a", n, metadata={"w": next(words) + next(words) + next(words)}) for n in range(4000))
try:
    if sys.argv[2] == "jsonl":
        write_jsonl_archive(sys.argv[1] + "/a.jsonl.gz", {"id": "x"}, events)
    else:
        write_archive(sys.argv[1], {"id": "x"}, events)
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)  # coverage writes when the process ends
"""


@pytest.mark.parametrize("what", ["jsonl", "parquet"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, what: str) -> None:
    """Where the disk takes no more, the error names the place and nothing is left."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(tmp_path), what], capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    assert f"{tmp_path}" in done.stdout
    assert "cannot be written (File too large)" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert archived_experiments(tmp_path) == []


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_damaged_json_lines_are_named(
    events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path, suffix: str
) -> None:
    """A file cut short anywhere, or with a broken line, is an error with its path, and never fewer events."""
    path = write_jsonl_archive(tmp_path / f"a.{suffix}", info, events, points)
    content = path.read_bytes()
    for length in [0, 10, len(content) // 2, len(content) - 30, len(content) - 1]:
        path.write_bytes(content[:length])
        if suffix == "jsonl" and length == len(content) - 1:
            assert list(read_jsonl_archive(path).records()) == events, "only the last line's end is missing"
            continue
        with pytest.raises(StoreError, match=re.escape(f"{path}")):
            list(read_jsonl_archive(path).records())


def read_everything(path: Path) -> int:
    """Read all events and all points of a file, and return how many there are."""
    archive = read_jsonl_archive(path)
    return len(list(archive.records())) + len(list(archive.points()))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"timestamp_ns":', '"timestamp_ns":"x",', "line 2"),
        ('"type":"experiment_metadata"', '"type":"event"', "the first must be experiment_metadata"),
        ('"events":12', '"events":11', "12 events and 60 points came"),
        ('{"type":"event"', '["type"', "line 2"),
        ('"points":[[', '"points":[["x",', "line 14"),
        ('"points":[[', '"poin":[[', "line 14"),
        ('{"type":"end"', '{"type":"end","data":{"events":12,"points":60}}\n{"type":"end"', "after the end line"),
    ],
)
def test_a_line_that_is_none_is_named(
    events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path, old: str, new: str, message: str
) -> None:
    """A line of another shape is an error with its number."""
    path = write_jsonl_archive(tmp_path / "a.jsonl", info, events, points)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StoreError, match=message):
        read_everything(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A path that is not there is a StoreError with its name."""
    with pytest.raises(StoreError, match=r"nobody\.jsonl cannot be read"):
        read_jsonl_archive(tmp_path / "nobody.jsonl")
