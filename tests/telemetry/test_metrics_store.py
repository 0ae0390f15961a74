"""Metrics as lines of JSON survive: odd values, many writers, a kill -9, a full disk, damage."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import StoreError
from crucible.telemetry.metrics_store import JsonlMetricsStore, MetricEntry, MetricsStore

AT = datetime(2026, 2, 8, 10, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose folders are missing."""
    return tmp_path / "deep" / "down" / "metrics.jsonl"


@pytest.fixture
def metrics(path: Path) -> JsonlMetricsStore:
    """A store with a clock that stands still."""
    return JsonlMetricsStore(path, now=lambda: AT)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the file's lines as any JSON reader sees them; bare NaN, which JSON lacks, is an error."""

    def refuse(word: str) -> float:
        raise AssertionError(f"bare {word} in the file")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def script(text: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script to its end; without measuring coverage, which a full disk would not take either."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=check, env=plain)


def test_a_line_has_exactly_the_six_keys(metrics: JsonlMetricsStore, path: Path) -> None:
    """Scripts of others read them, in this order; what was not given is null, or an empty object."""
    metrics.record("r", "loss", 0.5)
    metrics.record("r", "loss", 1, 7, {"split": "test"})
    assert path.read_text() == (
        '{"run_id":"r","metric":"loss","value":0.5,"step":null,"timestamp":"2026-02-08T10:00:00.250000Z","metadata":{}}\n'
        '{"run_id":"r","metric":"loss","value":1,"step":7,"timestamp":"2026-02-08T10:00:00.250000Z",'
        '"metadata":{"split":"test"}}\n'
    )
    assert isinstance(metrics, MetricsStore)


def test_what_was_recorded_is_read_back(metrics: JsonlMetricsStore) -> None:
    """By run, in order; an unknown run, and a file that is not there yet, have nothing."""
    assert metrics.read("r") == []
    assert metrics.get_latest("r", "loss") is None
    metrics.record("r", "loss", 0.5, 1)
    metrics.record("other", "loss", 9.0, 1)
    metrics.record_batch("r", {"loss": 0.25, "acc": 1}, 2)
    metrics.record_batch("r", {})
    assert metrics.read("r") == [
        MetricEntry("r", "loss", 0.5, 1, "2026-02-08T10:00:00.250000Z", {}),
        MetricEntry("r", "loss", 0.25, 2, "2026-02-08T10:00:00.250000Z", {}),
        MetricEntry("r", "acc", 1, 2, "2026-02-08T10:00:00.250000Z", {}),
    ]
    assert metrics.read("unknown") == []
    assert metrics.list_metrics("r") == ["loss", "acc"]
    latest = metrics.get_latest("r", "loss")
    assert latest is not None
    assert latest.value == 0.25
    assert not metrics.problems


def test_a_history_is_bounded(metrics: JsonlMetricsStore) -> None:
    """Both bounds are inclusive and leave out what has no step; the limit counts from the first."""
    for step in (None, 0, 1, 2, 3):
        metrics.record("r", "loss", step or 0, step)
    metrics.record("r", "acc", 1, 1)

    def steps(**bounds: int) -> list[int | None]:
        return [entry.step for entry in metrics.get_history("r", "loss", **bounds)]

    assert steps() == [None, 0, 1, 2, 3]
    assert steps(step_min=1) == [1, 2, 3]
    assert steps(step_max=1) == [0, 1]
    assert steps(step_min=1, step_max=2) == [1, 2]
    assert steps(step_min=1, limit=1) == [1]
    assert steps(limit=0) == []


@pytest.mark.parametrize(("value", "name"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_is_not_finite_is_null_and_flagged(
    metrics: JsonlMetricsStore, path: Path, value: float, name: str
) -> None:
    """The file stays JSON for every reader, and the value comes back; also one of the user's own keys of that name."""
    metrics.record("r", "loss", value, 1, {"non_finite": "mine", "=non_finite": "too"})
    (line,) = lines(path)
    assert line["value"] is None
    assert line["metadata"]["non_finite"] == name
    (entry,) = metrics.read("r")
    assert str(entry.value) == str(value)
    assert entry.metadata == {"non_finite": "mine", "=non_finite": "too"}


class Hostile:
    """Shows itself to nobody."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__

    def __float__(self) -> float:
        raise RuntimeError("no")


class Array:
    """Looks like an array of no dimension."""

    ndim = 0

    def __init__(self, held: Any) -> None:
        self.held = held

    def item(self) -> Any:
        """Return what is in it."""
        if isinstance(self.held, Exception):
            raise self.held
        return self.held


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (True, 1),
        (2**62, 2**62),
        (10**30, 1e30),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (Array(0.5), 0.5),
        (Array(3), 3),
    ],
)
def test_numbers_of_every_kind_are_taken(metrics: JsonlMetricsStore, value: Any, kept: float) -> None:
    """Integers stay integers while 64 bits hold them; all else is a float."""
    metrics.record("r", "m", value)
    (entry,) = metrics.read("r")
    assert (entry.value, type(entry.value), entry.metadata) == (kept, type(kept), {})


@pytest.mark.parametrize(
    "value", [None, "0.5", b"\xff", [1.0], {}, 10**400, Hostile(), Array("x"), Array(RuntimeError()), "\ud800" * 500]
)
def test_what_is_no_number_stops_nothing(metrics: JsonlMetricsStore, path: Path, value: Any) -> None:
    """It is kept as malformed, with what it was, and the lines around it are untouched."""
    metrics.record("r", "m", 1.0)
    metrics.record("r", "m", value, value, {"given": value})
    metrics.record("r", "m", 2.0, 2)
    first, odd, last = metrics.read("r")
    assert (first.value, last.value) == (1.0, 2.0)
    assert odd.value is None
    assert isinstance(odd.metadata["malformed"], str)
    assert len(odd.metadata["malformed"]) < 2000
    assert ("malformed_step" in odd.metadata) == (value is not None)
    assert len(lines(path)) == 3


@pytest.mark.parametrize("step", [True, False])
def test_a_truth_value_is_no_step(metrics: JsonlMetricsStore, path: Path, step: bool) -> None:
    """It is kept as malformed, not as 1 or 0, and stands between no bounds."""
    metrics.record("r", "m", 0.5, step)
    metrics.record_batch("r", {"m": 0.25}, step)
    assert [line["step"] for line in lines(path)] == [None, None]
    assert [(entry.value, entry.step, entry.metadata) for entry in metrics.read("r")] == [
        (0.5, None, {"malformed_step": str(step)}),
        (0.25, None, {"malformed_step": str(step)}),
    ]
    assert metrics.get_history("r", "m", step_min=0) == []


@pytest.mark.parametrize("metadata", [7, "x", Hostile(), {"a": Hostile(), "b": 1}, {Hostile(): 1}, {1: math.nan}])
def test_metadata_of_any_kind_stops_nothing(metrics: JsonlMetricsStore, path: Path, metadata: Any) -> None:
    """The number is kept whatever came with it, and what could be written of the metadata too."""
    metrics.record("r", "m", 0.5, metadata=metadata)
    (entry,) = metrics.read("r")
    assert entry.value == 0.5
    assert entry.metadata
    assert entry.metadata.get("b", 1) == 1
    assert len(lines(path)) == 1


def test_names_of_any_kind_are_written(metrics: JsonlMetricsStore) -> None:
    """Half a surrogate pair is escaped; line feeds and quotes do not break the line."""
    metrics.record("r\n", 'a"b\nc', 1)
    metrics.record("r\n", "\ud800", 2)
    metrics.record("r\n", 5, 3)  # type: ignore[arg-type]
    assert metrics.list_metrics("r\n") == ['a"b\nc', "\\ud800", "5"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(), st.floats() | st.integers(-(2**63), 2**63 - 1), st.dictionaries(st.text(), ANYTHING))
def test_everything_comes_back(tmp_path: Path, run_id: str, name: str, value: float, metadata: dict[str, Any]) -> None:
    """Names, numbers and metadata of any kind are read as they were written."""
    path = tmp_path / "any.jsonl"
    path.unlink(missing_ok=True)
    store = JsonlMetricsStore(path)
    store.record(run_id, name, value, 3, metadata)
    (entry,) = store.read(run_id)
    assert (entry.run_id, entry.metric, entry.step) == (run_id, name, 3)
    assert str(entry.value) == str(value)
    big = [found for found in _leaves(metadata) if isinstance(found, int) and not -(2**63) <= found < 2**64]
    assert big or str(entry.metadata) == str(metadata)


def _leaves(value: Any) -> list[Any]:
    return [leaf for inner in value.values() for leaf in _leaves(inner)] if isinstance(value, dict) else [value]


def test_lines_of_others_are_read(metrics: JsonlMetricsStore, path: Path) -> None:
    """Those of the predecessor, and those of Python scripts with a bare NaN or without all keys."""
    path.parent.mkdir(parents=True)
    path.write_text(
        '{"metadata":{},"metric":"loss","run_id":"r","step":1,"timestamp":"2026-02-08T10:00:00Z","value":0.5}\n'
        '{"run_id": "r", "metric": "loss", "value": NaN, "extra": 1}\n'
        '{"run_id": "r", "metric": "loss", "value": null, "step": "x", "metadata": [1]}\n'
    )
    first, second, third = metrics.read("r")
    assert first == MetricEntry("r", "loss", 0.5, 1, "2026-02-08T10:00:00Z", {})
    assert math.isnan(second.value or 0)
    assert (second.step, second.timestamp, second.metadata) == (None, "", {})
    assert (third.value, third.step, third.metadata) == (None, None, {})
    path.write_text(f'{{"run_id": "r", "metric": "m", "value": {"9" * 5000}, "step": 3, "metadata": {{"a": 1}}}}\n')
    (huge,) = metrics.read("r")
    assert (huge.value, huge.step, huge.metadata["a"]) == (None, 3, 1)
    assert huge.metadata["malformed"].startswith("'9999")
    assert not metrics.problems


def test_damage_is_reported_and_skipped(metrics: JsonlMetricsStore, path: Path) -> None:
    """A damaged line is named with its number; a torn last line is another kind, and both cost only themselves."""
    metrics.record("r", "m", 1.0)
    with path.open("ab") as file:
        file.write(b'nonsense\n[1]\n{"run_id":"r","metric":1,"value":2}\n\xff\xfe\n\n{"run_id":"r","metric":"m","val')
    assert [entry.value for entry in metrics.read("r")] == [1.0]
    assert [(problem.kind, problem.line) for problem in metrics.problems] == [
        ("damaged", 2),
        ("damaged", 3),
        ("damaged", 4),
        ("damaged", 5),
        ("torn", 7),
    ]
    assert f"{path}:2: is not JSON" in str(metrics.problems[0])
    metrics.record("r", "m", 2.0)
    assert [entry.value for entry in metrics.read("r")] == [1.0, 2.0], "the torn line took nothing with it"
    assert [problem.kind for problem in metrics.problems] == ["damaged"] * 5


def test_a_flush_says_how_much(metrics: JsonlMetricsStore) -> None:
    """Counts are of this store since the last flush: of one run, or of all."""
    metrics.record("a", "m", 1)
    metrics.record_batch("b", {"m": 1, "n": 2})
    assert (metrics.flush("b"), metrics.flush("b"), metrics.flush(), metrics.flush()) == (2, 0, 1, 0)


def test_fsync_writes_the_same(path: Path) -> None:
    """With `fsync` a flush waits for the disk, and the file is no other."""
    with JsonlMetricsStore(path, fsync=True) as store:
        store.record("r", "m", 1)
        assert store.flush() == 1
        assert len(store.read("r")) == 1


def test_a_closed_store_takes_nothing(metrics: JsonlMetricsStore) -> None:
    """It says so, and goes on reading."""
    metrics.record("r", "m", 1)
    metrics.close()
    metrics.close()
    with pytest.raises(StoreError, match="is closed; open another"):
        metrics.record("r", "m", 2)
    assert [entry.value for entry in metrics.read("r")] == [1]


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder, a file in place of a folder, and a device are refused with a sentence."""
    (tmp_path / "file").write_text("")
    for path, said in ((tmp_path, "cannot be opened"), (tmp_path / "file" / "x", "cannot be opened")):
        with pytest.raises(StoreError, match=said):
            JsonlMetricsStore(path).record("r", "m", 1)
    with pytest.raises(StoreError, match="no regular file"):
        JsonlMetricsStore("/dev/full").record("r", "m", 1)
    with pytest.raises(StoreError, match="cannot be read"):
        JsonlMetricsStore(tmp_path).read("r")


KILLED = """
import sys
from crucible.telemetry.metrics_store import JsonlMetricsStore
store = JsonlMetricsStore(sys.argv[1])
for step in range(10**9):
    store.record("r", "loss", step / 2, step)
    print(step, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_recorded(path: Path) -> None:
    """After kill -9 every value whose call had returned is in the file, and the next writer goes on behind it."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for said in process.stdout:
            if int(said) >= 500:
                break
        process.send_signal(signal.SIGKILL)
        acknowledged = [int(said), *(int(line) for line in process.stdout if line.endswith("\n"))]
    store = JsonlMetricsStore(path)
    found = store.read("r")
    assert [entry.step for entry in found] == list(range(len(found)))
    assert len(found) >= acknowledged[-1] + 1
    assert [problem.kind for problem in store.problems] in ([], ["torn"])
    store.record("r", "loss", 1.0, -1)
    assert [entry.step for entry in store.read("r")] == [*range(len(found)), -1]


MANY = """
import sys
from crucible.telemetry.metrics_store import JsonlMetricsStore
store = JsonlMetricsStore(sys.argv[1])
for step in range(300):
    store.record_batch(sys.argv[2], {"loss": step, "note": "x" * 100, "acc": 1}, step)
"""


@pytest.mark.slow
def test_many_processes_write_one_file(path: Path) -> None:
    """Each one's lines are all there, whole and in its order."""
    writers = [subprocess.Popen([sys.executable, "-c", MANY, str(path), name]) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    store = JsonlMetricsStore(path)
    for name in "abc":
        assert [entry.step for entry in store.get_history(name, "loss")] == list(range(300))
    assert len(lines(path)) == 3 * 300 * 3
    assert not store.problems


def test_many_threads_write_one_file(metrics: JsonlMetricsStore) -> None:
    """No line is lost or mixed with another, and the count is right."""

    def write(name: str) -> None:
        for step in range(200):
            metrics.record(name, "m", step, step)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(metrics.read(name)) for name in "abcd"] == [200] * 4
    assert metrics.flush() == 800


FORKED = """
import os, sys
from crucible.telemetry.metrics_store import JsonlMetricsStore
store = JsonlMetricsStore(sys.argv[1])
store.record("parent", "m", 1)
children = []
for child in range(3):
    if (pid := os.fork()) == 0:
        for step in range(200):
            store.record(f"child{child}", "m", step, step)
        os._exit(0 if store.flush() == 200 else 1)
    children.append(pid)
for step in range(200):
    store.record("parent", "m", step, step)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
assert store.flush() == 201
"""


def test_forked_children_write_too(path: Path) -> None:
    """A store that is used on both sides of a fork loses nothing, and each counts its own."""
    script(FORKED, path)
    store = JsonlMetricsStore(path)
    assert len(store.read("parent")) == 201
    assert [len(store.read(f"child{child}")) for child in range(3)] == [200] * 3
    assert not store.problems


FULL = """
import resource, sys
from crucible.errors import StoreError
from crucible.telemetry.metrics_store import JsonlMetricsStore
store = JsonlMetricsStore(sys.argv[1])
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # Python ignores SIGXFSZ, so writes fail
written = 0
try:
    while True:
        store.record_batch("r", {f"m{place}": written for place in range(7)}, written)
        written += 1
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
store.record("r", "after", 1.5)
print(written)
"""


def test_a_full_disk_is_an_error_and_nothing_is_misread(path: Path) -> None:
    """The batch that did not fit is not in the file at all, and writing goes on once there is space."""
    said, written = script(FULL, path).stdout.splitlines()
    assert said.startswith(f"{path} cannot be written (File too large); free space")
    store = JsonlMetricsStore(path)
    found = store.read("r")
    assert len(found) == int(written) * 7 + 1
    assert (found[-1].metric, found[-1].value) == ("after", 1.5)
    assert not store.problems
