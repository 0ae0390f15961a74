"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StoreError
from crucible.store import StoredEvent
from crucible.telemetry.exports import (
    Anonymizer,
    write_csv,
    write_jsonl,
    write_parquet,
    write_points_csv,
    write_points_jsonl,
    write_points_parquet,
)

Make = Callable[..., StoredEvent]
WRITERS: list[Callable[..., Any]] = [write_csv, write_jsonl, write_parquet]
POINT_WRITERS: list[Callable[..., Any]] = [write_points_csv, write_points_jsonl, write_points_parquet]

FULL = """
import resource, sys
from pathlib import Path
from crucible.errors import StoreError
from crucible.store import StoredEvent
from crucible.telemetry.exports import Anonymizer, export_points, export_records
import pyarrow.parquet

path = Path(sys.argv[1])
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # Python ignores SIGXFSZ, so writes fail
words = (f"{n * 7919 % 104729:x}" for n in range(10**9))
events = (StoredEvent("a", n, metadata={"w": next(words) + next(words) + next(words)}) for n in range(4000))
points = (("s", n, (n * n * 7919 % 104729) / 7, n * n * n % 10**17) for n in range(8000))
try:
    if sys.argv[2] == "points":
        export_points(points, path=path, run_id="r")
    else:
        export_records(events, path=path, anonymizer=Anonymizer() if sys.argv[2] == "hidden" else None)
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)  # coverage writes when the process ends
"""


@pytest.mark.parametrize("what", ["events", "hidden", "points"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, suffix: str, what: str) -> None:
    """Where the disk takes no more, the error names the place, the old file stays whole, and nothing else is left."""
    path = tmp_path / f"out.{suffix}"
    path.write_text("old", encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FULL), str(path), what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert f"{tmp_path}" in done.stdout
    assert "cannot be written (File too large)" in done.stdout
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, StoreError])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "anonymised"])
def test_an_interrupted_export_leaves_nothing(
    write: Callable[..., Any], error: type[BaseException], record: Make, tmp_path: Path, *, hidden: bool
) -> None:
    """Whatever the source of the records raises comes through, and no file is left, not even a temporary one."""

    def broken() -> Iterator[StoredEvent]:
        for number in range(3000):
            yield record(number)
        raise error("stop")

    with pytest.raises(error, match="stop"):
        write(broken(), tmp_path / "new" / "out", anonymizer=Anonymizer() if hidden else None)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("write", POINT_WRITERS, ids=lambda write: write.__name__)
def test_interrupted_points_leave_nothing(write: Callable[..., Any], tmp_path: Path) -> None:
    """An export of points that breaks off leaves no file."""

    def broken() -> Iterator[tuple[str, int, float, int]]:
        yield from (("s", n, 0.5, n) for n in range(3000))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(broken(), tmp_path / "out", run_id="r")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_parent_that_is_no_folder_is_named(write: Callable[..., Any], record: Make, tmp_path: Path) -> None:
    """A path below a file is a StoreError that names the path."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="file/out cannot be written"):
        write([record(1)], tmp_path / "file" / "out")


def test_a_name_may_be_as_long_as_the_system_allows(record: Make, tmp_path: Path) -> None:
    """A name of 255 bytes leaves no room for a suffix, and needs none."""
    assert write_csv([record(1)], tmp_path / ("a" * 251 + ".csv")).path.exists()
