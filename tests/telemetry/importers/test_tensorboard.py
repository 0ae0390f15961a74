"""TensorBoard's event files are read as tensorboardX 2.6.5 and TensorBoard 2.21.0 wrote them, whole or damaged."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import SpecError, StoreError
from crucible.telemetry.importers import ImportedRun, read_tensorboard
from crucible.telemetry.importers.crc32c import crc32c, masked
from crucible.telemetry.importers.event_proto import fields, read_event, tensor_number

PointsOf = Callable[[ImportedRun], list[tuple[str, int, float]]]

DATA = Path(__file__).parent / "data" / "tensorboard"
FIRST = DATA / "one" / "events.out.tfevents.1700000000.host"
SECOND = DATA / "one" / "events.out.tfevents.1700000010.host"
TENSORS = DATA / "nested" / "two" / "events.out.tfevents.1700000000.host.v2"
FILES = (FIRST, SECOND, TENSORS)


def record(data: bytes) -> bytes:
    """Return data framed as a record."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def varint(number: int) -> bytes:
    """Return a number as protocol buffers write it."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def part(field: int, data: bytes) -> bytes:
    """Return a field of bytes."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def scalar(tag: str, step: int, value: float, wall: float = 1.7e9) -> bytes:
    """Return an event with one scalar."""
    inner = part(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
    return b"\x09" + struct.pack("<d", wall) + b"\x10" + varint(step & (2**64 - 1)) + part(5, part(1, inner))


def read(
    folder: Path, data: bytes, points_of: PointsOf, **options: bool
) -> tuple[ImportedRun, list[tuple[str, int, float]]]:
    """Write one event file, and return its run and points."""
    folder.mkdir(exist_ok=True)
    path = folder / "events.out.tfevents.1.host"
    path.write_bytes(data)
    (run,) = read_tensorboard(path, **options)
    return run, points_of(run)


def test_what_tensorboardx_wrote_is_read(points_of: PointsOf) -> None:
    """Two files are one run; the second begins at step 3 anew, by its `purge_step`, and takes 3 and 4 back."""
    runs = {run.name: run for run in read_tensorboard(DATA)}
    assert list(runs) == ["nested/two", "one"]
    run = runs["one"]
    found = points_of(run)
    loss = [(0, 1.0), (1, 0.5), (2, 0.25), (3, 100.0), (5, 200.0)]
    assert [(step, value) for name, step, value in found if name == "train/loss"] == loss
    odd = [value for name, _, value in found if name == "odd"]
    assert math.isnan(odd[0])
    assert odd[1:] == [math.inf, -math.inf]
    assert run.skipped == {"histograms": 1, "text": 1, "points that a restart took back": 2}
    assert not run.problems
    times = [point.timestamp_ns for batch in run.points() for point in batch if point.series == "train/loss"]
    assert times == [(1_700_000_000 + second) * 10**9 for second in (0, 1, 2, 10, 12)]
    assert run.started_at is not None
    assert (run.status, run.finished_at, run.params) == (None, None, {})
    (alone,) = read_tensorboard(DATA / "one")
    assert alone.source_id == run.source_id == "one/events.out.tfevents.1700000000.host", "wherever one began to read"


def test_what_tensorboard_2_wrote_is_read(points_of: PointsOf) -> None:
    """Tensors of every type that is one number are scalars; those that are several, and histograms, are counted."""
    (run,) = read_tensorboard(DATA / "nested")
    assert points_of(run) == [
        *(("epoch_loss", step, 0.5 * step) for step in range(3)),
        ("types/float64", 7, math.pi),
        ("types/float32", 7, struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("types/float16", 7, 1.5),
        ("types/int64", 7, -(2.0**40)),
        ("types/int32", 7, -7.0),
        ("types/uint8", 7, 200.0),
        ("types/bool", 7, 1.0),
    ]
    assert run.skipped == {"histograms": 1, "tensors": 1}
    assert run.name == "two"


def test_a_file_of_any_name_can_be_read(tmp_path: Path, points_of: PointsOf) -> None:
    """A path that is given is read whatever it is called; files are ordered by the time in their names."""
    path = tmp_path / "log"
    path.write_bytes(FIRST.read_bytes())
    (run,) = read_tensorboard(path)
    assert len(points_of(run)) == 8
    (tmp_path / "x.tfevents.20").write_bytes(record(scalar("m", 0, 2.0)))
    (tmp_path / "z.tfevents.3").write_bytes(record(scalar("m", 0, 1.0)))
    (run,) = read_tensorboard(tmp_path)
    assert points_of(run) == [("m", 0, 2.0)]
    assert run.skipped == {"earlier values of repeated steps": 1}


def written() -> set[tuple[str, int, bytes, int]]:
    """Return every value that was ever written into the files, also those that a restart took back."""
    found: set[tuple[str, int, bytes, int]] = set()
    for path in FILES:
        for run in read_tensorboard(path):
            found |= exact(run)
    return found


def exact(run: ImportedRun) -> set[tuple[str, int, bytes, int]]:
    """Return a run's points with the bits of their values, so that NaN equals NaN."""
    points = (point for batch in run.points() for point in batch)
    return {(point.series, point.step, struct.pack("<d", point.value), point.timestamp_ns) for point in points}


WRITTEN = written()


def damaged(path: Path, data: bytes) -> ImportedRun:
    """Write damaged bytes, read them, and assert that nothing came of it that was not written."""
    path.write_bytes(data)
    (run,) = read_tensorboard(path)
    assert exact(run) <= WRITTEN
    return run


@pytest.mark.parametrize("path", FILES, ids=["first", "second", "tensors"])
def test_a_file_cut_anywhere_is_read_so_far(path: Path, tmp_path: Path) -> None:
    """Every prefix yields its whole records, and one torn problem unless it was cut between two."""
    whole = path.read_bytes()
    counts: list[int] = []
    for length in range(len(whole) + 1):
        run = damaged(tmp_path / "cut", whole[:length])
        counts.append(len(exact(run)))
        assert [problem.kind for problem in run.problems] in ([], ["torn"])
    assert counts == sorted(counts)
    assert counts[0] == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.data())
def test_a_changed_byte_never_yields_another_value(tmp_path: Path, path: Path, data: st.DataObject) -> None:
    """Whichever byte is changed to whatever, it is found by a checksum, costs a record, and raises nothing."""
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    run = damaged(tmp_path / "changed", bytes(whole))
    assert run.problems


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.data())
def test_a_hole_costs_only_what_was_in_it(tmp_path: Path, path: Path, data: st.DataObject) -> None:
    """Bytes overwritten by others or cut out never yield another value; what lies behind is found again."""
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    damaged(tmp_path / "hole", whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.data())
def test_without_checking_nothing_is_raised_either(tmp_path: Path, path: Path, data: st.DataObject) -> None:
    """With `check_crc=False` damage may yield other values, and is at worst a problem."""
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "unchecked").write_bytes(whole)
    (run,) = read_tensorboard(tmp_path / "unchecked", check_crc=False)
    exact(run)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    """What is no event, or no tensor, is a ValueError and nothing else."""
    for decode in (read_event, tensor_number, lambda data: list(fields(data))):
        try:
            decode(data)
        except ValueError:
            continue


def test_behind_a_damaged_length_reading_goes_on(tmp_path: Path, points_of: PointsOf) -> None:
    """The damage is reported with its place and size, and the records behind it are read, zeros and all."""
    first, last = record(scalar("m", 0, 1.0)), record(scalar("m", 2, 3.0))
    lost = bytearray(record(scalar("m", 1, 2.0)))
    lost[0] ^= 1
    run, found = read(tmp_path, first + bytes(lost) + bytes(3_000_000) + last, points_of)
    assert found == [("m", 0, 1.0), ("m", 2, 3.0)]
    (problem,) = run.problems
    assert (problem.kind, problem.offset_bytes) == ("damaged", len(first))
    assert f"{len(lost) + 3_000_000} bytes were left out" in problem.message
    run, found = read(tmp_path, first + bytes(lost), points_of)
    assert found == [("m", 0, 1.0)]
    assert len(run.problems) == 1


def test_a_checksum_that_does_not_match_costs_its_record(tmp_path: Path, points_of: PointsOf) -> None:
    """The default finds a changed value; without the check it comes through as it stands."""
    middle = bytearray(record(scalar("m", 1, 2.0)))
    middle[-6] ^= 0x40
    data = record(scalar("m", 0, 1.0)) + bytes(middle) + record(scalar("m", 2, 3.0))
    run, found = read(tmp_path, data, points_of)
    assert found == [("m", 0, 1.0), ("m", 2, 3.0)]
    assert "checksum" in str(run.problems[0])
    run, found = read(tmp_path, data, points_of, check_crc=False)
    assert [step for _, step, _ in found] == [0, 1, 2]
    assert found[1][2] != 2.0
    assert not run.problems


def test_a_claimed_length_is_not_believed(tmp_path: Path, points_of: PointsOf) -> None:
    """10 GB that are not there are the torn end of the file; 300 MB that are there are stepped over unread."""
    claim = struct.pack("<Q", 10 * 2**30)
    claim += struct.pack("<I", masked(crc32c(claim)))
    run, found = read(tmp_path, record(scalar("m", 0, 1.0)) + claim + b"x" * 100, points_of)
    assert found == [("m", 0, 1.0)]
    assert [problem.kind for problem in run.problems] == ["torn"]
    size = 300 * 2**20
    length = struct.pack("<Q", size)
    path = tmp_path / "sparse.tfevents.1"
    with path.open("wb") as file:
        file.write(length + struct.pack("<I", masked(crc32c(length))))
        file.seek(size + 4, 1)
        file.write(record(scalar("m", 0, 1.0)))
    (run,) = read_tensorboard(path)
    assert points_of(run) == [("m", 0, 1.0)]
    assert run.skipped == {"records beyond 256 MiB": 1}


def test_odd_events_are_taken_or_counted(tmp_path: Path, points_of: PointsOf) -> None:
    """Negative and enormous steps, times that are none, tags that are no text or empty, events that are no summary."""
    events = [
        scalar("m", -3, 1.0, wall=math.nan),
        scalar("m", 2**63 - 1, 2.0, wall=1e300),
        scalar("", 0, 3.0),
        scalar("t" * 1001, 0, 3.0),
        scalar("nul\0", 0, 4.0),
        part(4, b"graph"),
        part(6, b"log"),
        part(5, part(1, part(1, b"image") + part(4, b"png"))),
        part(5, part(1, part(1, b"empty"))),
        part(5, part(1, part(1, b"\xff\xfe") + b"\x15" + struct.pack("<f", 5.0))),
        part(7, b"\x08\x01"),
        b"",
    ]
    run, found = read(tmp_path, b"".join(record(event) for event in events), points_of)
    assert found == [("m", -3, 1.0)], "a session that starts at step 0 takes back what was logged from there on"
    run, found = read(tmp_path, b"".join(record(event) for event in events if event != part(7, b"\x08\x01")), points_of)
    assert found == [("m", -3, 1.0), ("m", 2**63 - 1, 2.0), ("nul\\x00", 0, 4.0), ("\\xff\\xfe", 0, 5.0)]
    assert {point.timestamp_ns for batch in run.points() for point in batch if point.series == "m"} == {0}
    assert run.skipped == {
        "points of series whose name is empty or beyond 1,000 characters": 2,
        "graphs": 1,
        "log messages": 1,
        "images": 1,
        "values without content": 1,
    }
    assert not run.problems


@pytest.mark.parametrize(
    ("tensor", "number"),
    [
        (b"\x08\x01", 0.0),
        (b"\x08\x0e" + part(4, b"\x80\x3f"), 1.0),
        (b"\x08\x0e" + part(13, varint(0x3F80)), 1.0),
        (b"\x08\x16" + part(16, varint(2**32 - 1)), 2.0**32 - 1),
        (b"\x08\x17" + part(17, varint(2**64 - 1)), float(2**64 - 1)),
        (b"\x08\x09" + part(10, varint(2**64 - 1)), -1.0),
        (b"\x08\x13" + b"\x68" + varint(0x3C00), 1.0),
        (b"\x08\x01" + b"\x2d" + struct.pack("<f", 0.5), 0.5),
        (b"\x08\x01" + part(4, b"123"), None),
        (b"\x08\x07" + part(8, b"text"), None),
        (b"\x08\x01" + part(2, part(2, b"\x08\x02")) + part(5, bytes(8)), None),
        (b"\x08\x01" + part(5, bytes(8)), None),
    ],
)
def test_tensors_that_are_one_number(tensor: bytes, number: float | None) -> None:
    """Every way in which TensorFlow writes a number; text and several numbers are none."""
    assert tensor_number(tensor) == number


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A loop of links does not keep the reader, and a link to a file elsewhere is reported."""
    logs = tmp_path / "logs"
    (logs / "run").mkdir(parents=True)
    (logs / "run" / "loop").symlink_to(logs, target_is_directory=True)
    (logs / "run" / "a.tfevents.1").symlink_to(FIRST)
    with pytest.raises(SpecError, match="no TensorBoard event file"):
        read_tensorboard(logs)
    (logs / "run" / "b.tfevents.1").write_bytes(FIRST.read_bytes())
    runs = read_tensorboard(logs)
    assert [run.name for run in runs] == ["run"]
    assert sorted(Path(problem.path).name for problem in runs.problems) == ["a.tfevents.1", "loop"]


def test_a_live_file_is_read_again_as_it_grows(tmp_path: Path, points_of: PointsOf) -> None:
    """The record that is being written is left out now and read next time."""
    path = tmp_path / "live.tfevents.1"
    whole = record(scalar("m", 0, 1.0)) + record(scalar("m", 1, 2.0))
    path.write_bytes(whole[:-3])
    (run,) = read_tensorboard(path)
    assert points_of(run) == [("m", 0, 1.0)]
    path.write_bytes(whole)
    assert points_of(run) == [("m", 0, 1.0), ("m", 1, 2.0)]
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        points_of(run)


def test_a_file_that_is_damaged_at_once_has_no_start(tmp_path: Path, points_of: PointsOf) -> None:
    """Neither an empty file, nor one of anything else, nor one whose first record is no event says when it began."""
    for data in (b"", b"hello world, this is no record", record(b"\x0f"), record(b"")):
        run, found = read(tmp_path, data, points_of)
        assert (run.started_at, found) == (None, [])
