"""What is emitted in a run is kept: after a crash, on a full disk, from many threads and processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.errors import StoreError
from crucible.store import EventRow, PointRow, Store, open_store
from crucible.telemetry import Recorder, RecorderOptions

STEP = "crucible_train.batch.stop"


@pytest.fixture
def recorder(store: Store) -> Iterator[Recorder]:
    """A recorder of run `r` that listens."""
    started = Recorder(store, "r")
    started.start()
    yield started
    started.stop()


def emit_steps(count: int, run_id: str = "r", first: int = 0) -> None:
    """Emit training steps inside a run."""
    with events.scope(run_id=run_id, experiment_id="e", stage="train", stage_index=1):
        for step in range(first, first + count):
            events.emit(STEP, {"step": step, "loss": 1 / (step + 1)}, {"model": "tuned"})


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end; without measuring coverage, which a full disk would not take either."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=plain)


class Gate:
    """Stands before a store's telemetry: holds writes back, or fails them."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.error: Exception | None = None
        self.batches: list[int] = []
        self._write = store.telemetry.write_events
        monkeypatch.setattr(store.telemetry, "write_events", self.write)

    def write(self, rows: list[EventRow], points: list[PointRow], **how: Any) -> None:
        """Wait, then fail or write."""
        assert self.open.wait(30)
        if self.error:
            raise self.error
        self.batches.append(len(rows))
        self._write(rows, points, **how)


@pytest.fixture
def gate(store: Store, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate before the store."""
    return Gate(store, monkeypatch)


def test_what_was_flushed_is_read_by_another_connection(recorder: Recorder, store: Store, tmp_path: Path) -> None:
    """Events with all they carry, and their series, as soon as flush returned."""
    emit_steps(3)
    with events.scope(run_id="r"):
        events.decision("kept step 2", "lowest loss", alternatives=["step 1"])
    assert recorder.flush() == 4
    with open_store(tmp_path / "store") as reader:
        assert reader.telemetry.event_counts("r") == {STEP: 3, "crucible_trace.decision.made": 1}
        assert reader.telemetry.points("r", f"{STEP}:loss[model=tuned]") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
        [event] = reader.telemetry.events("r", STEP, limit=1)
        assert (event.stage, event.stage_index) == ("train", 1)
        assert event.measurements == {"step": 2, "loss": 1 / 3}


def test_it_writes_without_being_asked(recorder: Recorder, store: Store) -> None:
    """A dashboard sees a run while it goes on, though nobody flushes."""
    emit_steps(1)
    deadline = time.monotonic() + 20
    while not store.telemetry.event_counts("r"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_only_the_own_run_is_recorded(recorder: Recorder, store: Store) -> None:
    """Two runs at once in one process do not see each other's events; what happens outside of a run is in none."""
    other = Recorder(store, "other")
    other.start()
    emit_steps(2, "r")
    emit_steps(3, "other")
    events.emit("outside")
    assert (recorder.flush(), other.stop()) == (2, 3)
    assert store.telemetry.event_counts("other") == {STEP: 3}


def test_spans_are_recorded_with_their_parents(recorder: Recorder, store: Store) -> None:
    """An event knows the span around it."""
    with events.scope(run_id="r"), events.span("crucible_train.training", {"model": "m"}):
        events.emit("inside")
    recorder.flush()
    start, inside, stop = store.telemetry.events("r")
    assert (start.name, stop.name) == ("crucible_train.training.start", "crucible_train.training.stop")
    assert inside.parent_span_id == start.span_id == stop.span_id
    assert stop.measurements["duration_ns"] > 0


def test_numbers_that_are_not_finite_survive(recorder: Recorder, store: Store) -> None:
    """A loss of NaN is what one looks for afterwards."""
    with events.scope(run_id="r"):
        for step, loss in enumerate([math.nan, math.inf, -math.inf]):
            events.emit("x", {"step": step, "loss": loss})
    recorder.flush()
    points = store.telemetry.points("r", "x:loss")
    assert math.isnan(points[0][1])
    assert points[1:] == [(1, math.inf), (2, -math.inf)]
    assert math.isnan(store.telemetry.events("r")[0].measurements["loss"])


def test_a_resumed_run_replaces_the_steps_that_it_repeats(store: Store) -> None:
    """A series has one value a step; the events of both attempts stay."""
    for first in (0, 3):
        recorder = Recorder(store, "r")
        recorder.start()
        emit_steps(5, first=first)
        recorder.stop()
    series = store.telemetry.points("r", f"{STEP}:loss[model=tuned]")
    assert [step for step, _ in series] == list(range(8))
    assert store.telemetry.event_counts("r") == {STEP: 10}


def test_many_threads_lose_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    """With a queue much smaller than the flood, emitters wait for the writer, and every event arrives."""
    gate.open.set()
    recorder = Recorder(store, "r", options=RecorderOptions(capacity=50))
    recorder.start()
    threads = [threading.Thread(target=emit_steps, args=(500, "r", 500 * number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.stop() == 2000
    assert len(store.telemetry.points("r", f"{STEP}:loss[model=tuned]")) == 2000
    assert max(gate.batches) > 1  # written together


def test_a_full_queue_makes_the_emitter_wait(store: Store, gate: Gate) -> None:
    """Memory is bounded while the disk is slow, and nothing is dropped."""
    recorder = Recorder(store, "r", options=RecorderOptions(capacity=10))
    recorder.start()
    emitter = threading.Thread(target=emit_steps, args=(100,))
    emitter.start()
    emitter.join(0.5)
    assert emitter.is_alive()
    assert recorder.waiting <= 20  # ten wait, and ten are being written
    gate.open.set()
    emitter.join(30)
    assert not emitter.is_alive()
    assert recorder.stop() == 100


def test_a_lost_write_is_never_forgotten(store: Store, gate: Gate) -> None:
    """Every flush from then on raises, the owner is told at once, and emitters are not held up."""
    told: list[StoreError] = []
    recorder = Recorder(store, "r", options=RecorderOptions(capacity=10), on_failure=told.append)
    recorder.start()
    assert recorder.failure is None
    gate.error = StoreError("crucible.db: cannot save telemetry: the disk is full")
    gate.open.set()
    emit_steps(5)
    for _ in range(2):
        with pytest.raises(StoreError, match="5 events of run r could not be recorded: .* the disk is full"):
            recorder.flush()
    gate.error = None
    emit_steps(100)  # more than the queue holds
    with pytest.raises(StoreError, match="105 events of run r"):
        recorder.flush()
    assert told == [gate.error or recorder.failure]
    assert events.handler_errors() == {}
    assert recorder.stop() == 0  # said already; the end of the run is not the place to say it again


def test_stop_tells_of_a_loss_that_nobody_heard_of(store: Store, gate: Gate) -> None:
    """A run that never flushed does not end as if all were kept; an error of ours is told as one."""
    gate.error = ZeroDivisionError("oops")
    gate.open.set()
    recorder = Recorder(store, "r")
    recorder.start()
    emit_steps(1)
    with pytest.raises(StoreError, match=r"1 events of run r .*ZeroDivisionError: oops.*please report"):
        recorder.stop()
    assert recorder.stop() == 0


def test_a_failure_frees_those_who_wait(store: Store, gate: Gate) -> None:
    """An emitter that waits for room goes on when there will never be any."""
    recorder = Recorder(store, "r", options=RecorderOptions(capacity=5))
    recorder.start()
    emitter = threading.Thread(target=emit_steps, args=(50,))
    emitter.start()
    emitter.join(0.3)
    assert emitter.is_alive()
    gate.error = StoreError("full")
    gate.open.set()
    emitter.join(30)
    assert not emitter.is_alive()
    with pytest.raises(StoreError, match="50 events"):
        recorder.stop()


def test_what_waits_is_handed_over_to_be_written_with_something_else(
    store: Store, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows come with the block, and count as durable when it has ended well; before, as many as fit are written."""
    recorder = Recorder(store, "r")
    recorder.start()
    gate.open.set()
    recorder.stop()
    recorder.start()
    with recorder._writing:  # so that the thread does not take them
        emit_steps(3)
    with recorder.drained() as (rows, points):
        taken = len(rows)
        assert len(points) == taken
    assert recorder.flush() == 3
    assert sum(gate.batches) == 3 - taken
    recorder.stop()


def test_what_could_not_be_written_with_something_else_waits_again(store: Store) -> None:
    """In its order; nothing counts as lost, since the caller was told."""
    recorder = Recorder(store, "r")
    events.attach("hold", "*", recorder.on_event, run_id="r")  # no thread takes them
    try:
        emit_steps(3)
    finally:
        events.detach("hold")
    with pytest.raises(ZeroDivisionError), recorder.drained() as (rows, _):
        assert len(rows) / 0
    assert recorder.waiting == 3
    assert recorder.flush() == 3
    assert [event.measurements["step"] for event in store.telemetry.events("r")] == [0, 1, 2]


def test_more_than_a_batch_is_written_before_it_is_handed_over(store: Store) -> None:
    """A stage that emitted a flood does not end in one huge transaction."""
    recorder = Recorder(store, "r")
    events.attach("hold", "*", recorder.on_event, run_id="r")
    try:
        emit_steps(4_050)
    finally:
        events.detach("hold")
    with recorder.drained() as (rows, _):
        assert 0 < len(rows) <= 2_000
    assert recorder.flush() == 4_050
    assert store.telemetry.event_counts("r") == {STEP: 4_050 - len(rows)}


def test_start_and_stop_may_be_called_twice(store: Store) -> None:
    """Nothing is recorded twice, and nothing after the end; it may be started again."""
    recorder = Recorder(store, "r")
    assert recorder.flush() == 0
    recorder.start()
    recorder.start()
    emit_steps(2)
    assert recorder.stop() == 2
    emit_steps(2)
    assert recorder.stop() == 2
    assert not [name for name in events.attached() if name.startswith("telemetry")]
    recorder.start()
    emit_steps(1)
    assert recorder.stop() == 3


RECORD = """
import os, signal, sys, resource
import alembic.command
from crucible import events
from crucible.errors import StoreError
from crucible.store import open_store
from crucible.telemetry import Recorder, RecorderOptions
folder, run_id, action = sys.argv[1:]
store = open_store(folder)
recorder = Recorder(store, run_id)
recorder.start()
def emit(count):
    with events.scope(run_id=run_id):
        for step in range(count):
            events.emit("x", {"step": step, "loss": 0.5}, {"text": "t" * 100})
if action == "kill":
    emit(3000)
    print(recorder.flush(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
elif action == "exit":
    emit(3000)
elif action == "full":
    emit(10)
    recorder.flush()
    size = os.path.getsize(os.path.join(folder, "crucible.db-wal")) + 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    emit(200_000)
    try:
        recorder.flush()
    except StoreError as error:
        print(error)
    recorder.stop()
elif action == "two":
    input()
    emit(5000)
    print(recorder.stop())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_what_was_flushed_survives_kill_9(store: Store, tmp_path: Path) -> None:
    """The process dies at once after flush returned; all that it counted is there."""
    done = python(RECORD, str(tmp_path / "store"), "r", "kill")
    assert (done.stdout, done.returncode) == ("3000\n", -9)
    assert store.telemetry.event_counts("r") == {"x": 3000}
    assert len(store.telemetry.points("r", "x:loss")) == 3000


def test_a_program_that_just_ends_loses_nothing(store: Store, tmp_path: Path) -> None:
    """Nobody called flush or stop."""
    done = python(RECORD, str(tmp_path / "store"), "r", "exit")
    assert (done.stderr, done.returncode) == ("", 0)
    assert store.telemetry.event_counts("r") == {"x": 3000}


@pytest.mark.skipif(os.name != "posix", reason="resource limits of POSIX")
def test_a_full_disk_is_told_and_does_not_hang(store: Store, tmp_path: Path) -> None:
    """Flush raises with the file's name, what was kept before can be read, and the process ends by itself."""
    done = python(RECORD, str(tmp_path / "store"), "r", "full")
    assert done.returncode == 0, done.stderr
    assert "events of run r could not be recorded: " in done.stdout
    assert "crucible.db: cannot save telemetry: " in done.stdout
    assert "the disk is full" in done.stdout
    assert 10 <= store.telemetry.event_counts("r")["x"] < 200_010


def test_two_processes_record_into_one_folder(store: Store, tmp_path: Path) -> None:
    """Both get everything in, and neither sees a lock."""
    command = [sys.executable, "-c", RECORD, str(tmp_path / "store")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    children = [subprocess.Popen([*command, name, "two"], text=True, **pipes) for name in ("a", "b")]
    for child in children:
        child.stdin.write("go\n")  # type: ignore[union-attr]
        child.stdin.flush()  # type: ignore[union-attr]
    assert [child.communicate() for child in children] == [("5000\n", ""), ("5000\n", "")]
    for name in ("a", "b"):
        assert store.telemetry.event_counts(name) == {"x": 5000}
        assert len(store.telemetry.points(name, "x:loss")) == 5000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_writer_that_it_has_not(store: Store) -> None:
    """A worker of a data loader may emit as much as it likes; the parent alone records."""
    recorder = Recorder(store, "r", options=RecorderOptions(capacity=5))
    recorder.start()
    emit_steps(2)
    child = os.fork()
    if child == 0:
        try:
            emit_steps(100)
            recorder.stop()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    emit_steps(2, first=2)
    assert recorder.stop() == 4
    assert store.telemetry.event_counts("r") == {STEP: 4}
