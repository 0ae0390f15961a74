"""`crucible telemetry tail`: following a recording that another process is making."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store
from crucible.telemetry import Experiment

Crucible = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("crucible")

RECORDING = """
import sys, time
from crucible.telemetry import Experiment

with Experiment.start("live") as experiment:
    print(experiment.id, flush=True)
    for step in range(int(sys.argv[1])):
        experiment.log_metric("loss", 1.0 / (1 + step), step)
        experiment.emit("x.request.stop", {"duration": 5_000_000, "step": step}, {"success": step % 3 != 2})
        experiment.emit("y.tick", {"n": step})
        experiment.flush()
        if step == 0:
            sys.stdin.readline()  # until somebody follows
        time.sleep(0.05)
"""


@pytest.fixture
def store(crucible: Crucible) -> Iterator[Store]:
    """The store of the working directory."""
    with open_store(".crucible") as opened:
        yield opened


class Live:
    """A second process that records, step by step, once `go` was called."""

    def __init__(self, steps: int) -> None:
        command = [sys.executable, "-c", RECORDING, str(steps)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.id = self.process.stdout.readline().strip()

    def go(self) -> None:
        """Record the rest."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def live(store: Store) -> Iterator[Callable[[int], Live]]:
    """Start recordings of so many steps; each is ended with the test."""
    started: list[Live] = []

    def start(steps: int) -> Live:
        started.append(Live(steps))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=30)


class Follower:
    """`crucible telemetry tail …` in a process of its own, whose lines are read as they come."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "telemetry", "tail", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "160"},
        )
        self.lines: list[str] = []

    def read(self, count: int = 1) -> None:
        """Wait for so many more lines."""
        assert self.process.stdout is not None
        self.lines += [self.process.stdout.readline().rstrip("\n") for _ in range(count)]

    def end(self, timeout_s: float = 60) -> tuple[int, str]:
        """Read to the end; return the exit code and what was said on stderr."""
        rest, said = self.process.communicate(timeout=timeout_s)
        self.lines += rest.splitlines()
        return self.process.returncode, said


def test_a_live_recording_is_followed_to_its_end(live: Callable[[int], Live]) -> None:
    """Every event is printed once and in order while another process records, and the end is noticed."""
    recording = live(12)
    follower = Follower(recording.id, "-n", "1000")
    follower.read(2)
    assert recording.process.poll() is None
    recording.go()
    code, said = follower.end()
    assert (code, said) == (0, f"experiment {recording.id} is stopped\n")
    names = [line.split()[2] for line in follower.lines]
    assert names == ["x.request.stop", "y.tick"] * 12
    steps = [line.partition("step=")[2] for line in follower.lines[::2]]
    assert steps == [str(step) for step in range(12)]
    marks = [line.split()[1] for line in follower.lines[::2]]
    assert marks == ["✓", "✓", "✗"] * 4
    assert "5 ms" in follower.lines[0]


@pytest.mark.slow
def test_names_and_json_of_a_live_recording(live: Callable[[int], Live]) -> None:
    """--name narrows what is shown first and what comes; --json is one value a line."""
    recording = live(6)
    follower = Follower(recording.id, "--name", "x.*", "--json")
    follower.read()
    recording.go()
    assert follower.end()[0] == 0
    events = [json.loads(line) for line in follower.lines]
    assert [(event["kind"], event["name"]) for event in events] == [("event", "x.request.stop")] * 6
    assert [event["measurements"]["step"] for event in events] == list(range(6))


@pytest.mark.slow
def test_series_of_a_live_recording(live: Callable[[int], Live]) -> None:
    """--metric follows the last value of series by the name that people know, without events."""
    recording = live(12)
    follower = Follower(recording.id, "--metric", "loss", "--json")
    follower.read()
    recording.go()
    assert follower.end()[0] == 0
    seen = [json.loads(line) for line in follower.lines]
    assert {entry["kind"] for entry in seen} == {"series"}
    assert seen[0]["step"] == 0
    assert (seen[-1]["step"], seen[-1]["value"]) == (11, pytest.approx(1 / 12))
    assert [entry["step"] for entry in seen] == sorted({entry["step"] for entry in seen})


def test_ctrl_c_ends_with_130(live: Callable[[int], Live]) -> None:
    """An interruption is quiet, and the recording goes on."""
    recording = live(3)
    follower = Follower(recording.id)
    follower.read(2)
    follower.process.send_signal(signal.SIGINT)
    assert follower.end() == (130, "crucible: interrupted\n")
    recording.go()
    assert recording.process.wait(60) == 0


@pytest.mark.slow
def test_a_recorder_that_is_killed_is_noticed(live: Callable[[int], Live]) -> None:
    """Where the recording process dies, following ends, and says why."""
    recording = live(3)
    follower = Follower(recording.id)
    follower.read(2)
    recording.process.kill()
    recording.process.wait(30)
    code, said = follower.end()
    assert code == 0
    assert said == f"experiment {recording.id} is running (process gone)\n"


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it(live: Callable[[int], Live]) -> None:
    """`crucible telemetry tail … | head -n 1` ends with the next event, without a traceback."""
    recording = live(100)
    command = f"{PROGRAM} telemetry tail {recording.id} | head -n 1"
    shell = subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.0)
    recording.go()
    shown, said = shell.communicate(timeout=60)
    assert recording.process.poll() is None
    assert (shown.count("\n"), said) == (1, "")


@pytest.mark.slow
def test_a_busy_store_is_waited_for(store: Store, live: Callable[[int], Live], tmp_path: Path) -> None:
    """While somebody locks the whole store, following waits, and then shows what came."""
    recording = live(4)
    follower = Follower(recording.id, "-n", "1000")
    follower.read(2)
    lock = sqlite3.connect(tmp_path / ".crucible" / "crucible.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    recording.go()  # and its next flush has to wait
    time.sleep(1.0)
    assert follower.process.poll() is None
    lock.execute("ROLLBACK")
    lock.close()
    code, _ = follower.end()
    assert code == 0
    assert len(follower.lines) == 8


def test_what_is_over_is_shown_and_not_waited_for(crucible: Crucible, store: Store) -> None:
    """The latest -n events, oldest first; a series that it does not have is an error."""
    with Experiment.start("over", store=store) as experiment:
        for step in range(30):
            experiment.emit("x.y", {"n": step})
        experiment.log_metric("loss", 0.5, 7)
    done = crucible("telemetry", "tail", experiment.id, "-n", "3")
    assert [line.partition("n=")[2] for line in done.stdout.splitlines()] == ["27", "28", "29"]
    assert done.stderr == f"experiment {experiment.id} is stopped\n"
    assert crucible("telemetry", "tail", experiment.id, "-n", "0").stdout == ""
    assert crucible("telemetry", "tail", experiment.id, "--no-follow").stderr == ""
    assert "step 7  0.5" in crucible("telemetry", "tail", experiment.id, "--metric", "loss").stdout
    both = crucible("telemetry", "tail", experiment.id, "--metric", "loss", "--name", "x.y", "-n", "2").stdout
    assert len(both.splitlines()) == 3
    assert 'did you mean "loss"?' in crucible("telemetry", "tail", experiment.id, "--metric", "lss", code=2).stderr


def test_a_run_is_followed(crucible: Crucible, store: Store) -> None:
    """A run that is over shows its last events."""
    crucible("run", "checked.yaml")
    (run,) = store.runs.list()
    done = crucible("telemetry", "tail", run.run_id)
    assert "crucible_framework.pipeline.stop" in done.stdout.splitlines()[-1]
    assert done.stderr == f"run {run.run_id} is completed\n"
