"""Reading an archive touches what was asked for, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from crucible.errors import SpecError, StoreError
from crucible.store import StoredEvent
from crucible.telemetry.archive import read_archive, read_points, write_archive

Point = tuple[str, int, float, int]
DAY_NS = 86_400_000_000_000
T0 = 1_767_225_600_000_000_000


@pytest.fixture
def archive(events: list[StoredEvent], points: list[Point], info: Any, tmp_path: Path) -> Path:
    """The experiment of three days, archived."""
    write_archive(tmp_path, info, events, points)
    return tmp_path


def numbers(found: Any) -> list[int]:
    """The numbers of events."""
    return [int(each.event_id, 16) for each in found]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.step"], [2, 6, 10]),
        (["llm.*"], [0, 1, 4, 5, 8, 9]),
        (["llm.*", "llmx"], [0, 1, 3, 4, 5, 7, 8, 9, 11]),
        (["*"], list(range(12))),
        ([], list(range(12))),
        (["llm"], []),
        (["llm.request.st\udfff"], []),
    ],
)
def test_names(archive: Path, names: list[str], expected: list[int]) -> None:
    """Names are exact or end in `.*`; a prefix ends at its dot."""
    assert numbers(read_archive(archive, names=names)) == expected


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [(4, 8, [4, 5, 6, 7]), (5, 6, [5]), (None, 2, [0, 1]), (10, None, [10, 11]), (8, 8, []), (100, None, [])],
)
def test_times(archive: Path, since: int | None, until: int | None, expected: list[int]) -> None:
    """The start is included, the end is not, on the borders of days too."""
    since_ns, until_ns = (None if n is None else T0 + n * DAY_NS // 4 for n in (since, until))
    assert numbers(read_archive(archive, since_ns=since_ns, until_ns=until_ns)) == expected


def test_times_beyond_all_days(archive: Path) -> None:
    """A time that no timestamp can be is a border like any other."""
    assert numbers(read_archive(archive, since_ns=-(10**30), until_ns=10**30)) == list(range(12))
    assert numbers(read_archive(archive, since_ns=10**30)) == []


def test_condition_and_columns(archive: Path) -> None:
    """Only one arm is read, and only the fields that are wanted; the others have their defaults."""
    found = list(read_archive(archive, condition="control", columns=["latency_ms", "fields"]))
    assert found == [StoredEvent("", 0, latency_ms=n / 2, fields={"epoch": n}) for n in range(0, 12, 2)]


def test_unknown_column_says_what_was_meant(archive: Path) -> None:
    """A slip of the keyboard gets a guess, before anything is read."""
    with pytest.raises(SpecError, match='did you mean "latency_ms"'):
        read_archive(archive, columns=["latency"])


def test_series_and_times_of_points(archive: Path, points: list[Point]) -> None:
    """Points are chosen by series and time."""
    found = list(read_points(archive, series=["lr"], since_ns=T0 + DAY_NS, until_ns=T0 + 2 * DAY_NS))
    assert found == [point for point in points if point[0] == "lr" and 10 <= point[1] < 20]
    assert list(read_points(archive, series=["l*"])) == points


def test_other_days_are_not_opened(archive: Path) -> None:
    """Files of days outside of the question may be gone or rotten; whoever asks for their day is told their name."""
    (first,) = archive.glob("*/events/day=2026-01-01/*")
    (last,) = archive.glob("*/events/day=2026-01-03/*")
    first.unlink()
    last.write_bytes(b"rotten")
    assert numbers(read_archive(archive, since_ns=T0 + DAY_NS, until_ns=T0 + 2 * DAY_NS)) == [4, 5, 6, 7]
    with pytest.raises(StoreError, match=f"{first} is missing or damaged"):
        list(read_archive(archive, until_ns=T0 + 1))
    with pytest.raises(StoreError, match=f"{last} is missing or damaged"):
        list(read_archive(archive, since_ns=T0 + 2 * DAY_NS))


def test_other_experiments_are_not_opened(archive: Path, events: list[StoredEvent]) -> None:
    """What is wrong with one experiment does not keep from reading another."""
    write_archive(archive, {"id": "other"}, events)
    for path in archive.glob("experiment=other/events/*/*"):
        path.unlink()
    assert numbers(read_archive(archive, "0123456789abcdef")) == list(range(12))
    with pytest.raises(StoreError, match="missing or damaged"):
        list(read_archive(archive))


def rot(path: Path, group: int) -> None:
    """Turn over a byte in the middle of each column of a row group."""
    content = bytearray(path.read_bytes())
    metadata = pyarrow.parquet.read_metadata(path).row_group(group)
    for number in range(metadata.num_columns):
        column = metadata.column(number)
        content[column.data_page_offset + column.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(content)


def test_other_row_groups_are_not_read(
    event: Callable[..., StoredEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless files are checked whole, only row groups that can match are read: by time, by name, by condition."""
    size = 1000
    monkeypatch.setattr("crucible.telemetry.archive.partitions._ROWS", size)
    write_archive(
        tmp_path,
        {"id": "x"},
        (
            event(0, event_id=f"{n:016x}", timestamp_ns=T0 + n, name=f"n{n // size}.x", condition=f"c{n // size}")
            for n in range(3 * size)
        ),
    )
    (path,) = tmp_path.glob("*/events/*/*")
    assert pyarrow.parquet.read_metadata(path).num_row_groups == 3
    rot(path, 1)
    questions: list[dict[str, Any]] = [
        {"until_ns": T0 + size},
        {"since_ns": T0 + 2 * size},
        {"names": ["n0.x"]},
        {"names": ["n2.*"]},
        {"condition": "c2"},
    ]
    for question in questions:
        assert len(list(read_archive(tmp_path, columns=["event_id"], verify=False, **question))) == size
    with pytest.raises(StoreError, match=f"{path} is missing or damaged"):
        list(read_archive(tmp_path, since_ns=T0 + 1400, until_ns=T0 + 1401, verify=False))


def test_nan_is_told_from_nothing(event: Callable[..., StoredEvent], tmp_path: Path) -> None:
    """A latency of NaN comes back as NaN, a missing one as None."""
    write_archive(tmp_path, {"id": "x"}, [event(0, latency_ms=math.nan), event(1, latency_ms=None)])
    first, second = read_archive(tmp_path)
    assert math.isnan(first.latency_ms or 0)
    assert second.latency_ms is None


def test_unknown_experiment_is_an_error(archive: Path) -> None:
    """Asking for an experiment that is not archived here says so; an archive that is not there has none."""
    with pytest.raises(StoreError, match="is the experiment archived here"):
        read_archive(archive, "nobody")
    assert list(read_archive(archive / "nowhere")) == []


def test_a_reader_may_stop_early(archive: Path) -> None:
    """Who takes only the first event leaves nothing open."""
    found = read_archive(archive)
    assert next(iter(found)).event_id == "0" * 16
    del found
