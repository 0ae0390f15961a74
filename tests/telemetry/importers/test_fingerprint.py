"""A history's fingerprint is that of its content: a copy has the same, one that has grown another."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from crucible.store import StoredEvent
from crucible.telemetry.archive import write_jsonl_archive
from crucible.telemetry.importers import read
from crucible.telemetry.importers.fingerprint import Fingerprint

RUN = "wandb/run-20231114_221320-abc123"


def prints(path: Path) -> dict[str, str]:
    """Return the fingerprint of each run by its id."""
    return {run.source_id: run.fingerprint for run in read(path)}


@pytest.fixture(params=["mlruns", "tensorboard", "wandb", "predecessor/export.jsonl", "metrics.jsonl", "own.jsonl"])
def history(request: pytest.FixtureRequest, data: Path, tmp_path: Path) -> Path:
    """A history of each source, of one run or of several."""
    own = tmp_path / "own"
    own.mkdir()
    write_jsonl_archive(own / "own.jsonl", {"id": "a"}, [StoredEvent("x", 1)], [("q", 0, math.nan, 1)])
    (own / "metrics.jsonl").write_text(
        '{"run_id": "a", "metric": "m", "value": 1}\n{"run_id": "b", "metric": "m", "value": 1}\n'
    )
    found = data / request.param
    if not found.exists():
        found = own / request.param
    first = tmp_path / "first"
    first.mkdir()
    return Path((shutil.copytree if found.is_dir() else shutil.copy)(found, first / found.name))


def test_a_copy_elsewhere_has_the_same(history: Path, tmp_path: Path) -> None:
    """Neither the folder nor the times of the files count, and each run of a path has its own."""
    first = prints(history)
    assert len(set(first.values())) == len(first)
    assert all(len(found) == 64 for found in first.values())
    (tmp_path / "else" / "where").mkdir(parents=True)
    copy = tmp_path / "else" / "where" / history.name
    (shutil.copytree if history.is_dir() else shutil.copyfile)(history, copy)
    assert prints(copy) == first == prints(history)


@pytest.mark.parametrize(
    ("source", "file", "more"),
    [
        ("mlruns", "684918743228562590/fffa47dc67a74593bcac4fbaad9d6188/metrics/train/loss", "1700000009000 1 99\n"),
        ("mlruns", "684918743228562590/fffa47dc67a74593bcac4fbaad9d6188/metrics/new", "1700000009000 1 99\n"),
        ("mlruns", "684918743228562590/fffa47dc67a74593bcac4fbaad9d6188/params/new", "1"),
        ("tensorboard", "one/events.out.tfevents.1700000010.host", "\0" * 16),
        ("tensorboard", "one/events.out.tfevents.1700000020.host", "\0" * 16),
        ("wandb", "run-20231114_221320-abc123/wandb-history.jsonl", '{"_step": 9, "loss": 1}\n'),
        ("wandb", "run-20231114_221320-abc123/wandb-summary.json", " "),
    ],
)
def test_what_has_grown_has_another(data: Path, tmp_path: Path, source: str, file: str, more: str) -> None:
    """The run of the file that grew, or that came new, and no other."""
    root = shutil.copytree(data / source, tmp_path / source)
    before = prints(root)
    with (root / file).open("a") as grown:
        grown.write(more)
    after = prints(root)
    assert before.keys() == after.keys()
    assert sum(before[key] != after[key] for key in before) == 1


def test_only_the_run_that_grew_counts_in_a_shared_file(tmp_path: Path) -> None:
    """Of a file that several share, the lines of each are its own, down to the middle."""
    path = tmp_path / "metrics.jsonl"
    lines = [
        f'{{"run_id": "{key}", "metric": "m", "value": {n}, "step": {n}}}\n' for n in range(10_000) for key in "ab"
    ]
    path.write_text("".join(lines))
    before = prints(path)
    path.write_text("".join([*lines, lines[1].replace('"step": 0', '"step": 99999')]))
    after = prints(path)
    assert (before["a"] == after["a"], before["b"] == after["b"]) == (True, False)
    lines[10_000] = lines[10_000].replace('"value": 5000', '"value": 5001')
    path.write_text("".join(lines))
    changed = prints(path)
    assert (changed["a"] == before["a"], changed["b"] == before["b"]) == (False, True)


def test_a_large_file_is_not_read_for_it(tmp_path: Path) -> None:
    """Size, beginning and end count; what lies between them does not, and a file that is gone is no error."""
    path = tmp_path / "x"

    def found(data: bytes) -> str:
        path.write_bytes(data)
        fingerprint = Fingerprint("s")
        fingerprint.add_file("x", path)
        return str(fingerprint)

    edge = 1 << 16
    whole = found(b"a" * 3 * edge)
    assert found(b"a" * edge + b"b" * edge + b"a" * edge) == whole
    for other in (b"a" * (3 * edge + 1), b"b" + b"a" * (3 * edge - 1), b"a" * (3 * edge - 1) + b"b", b""):
        assert found(other) != whole
    assert found(b"a" * edge + b"b") != found(b"a" * edge + b"c")
    gone, named = Fingerprint("s"), Fingerprint("s")
    gone.add_file("x", tmp_path / "gone")
    named.add_file("y", tmp_path / "gone")
    assert len({str(gone), str(named), found(b"")}) == 3
