"""Whatever happens around a recording, what was taken is kept once, what is not is told, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.errors import ContractError, SpecError, StoreError
from crucible.store import Store, open_store
from crucible.telemetry import Experiment, Recorded, RecorderOptions

ABOVE = {"rules": [{"name": "high", "metric": "loss", "condition": {"above": 50}}]}


def python(script: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, without measuring coverage."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=plain, timeout=timeout)


def test_stopping_ends_while_others_go_on_logging(store: Store) -> None:
    """A stop does not wait for those who never stop; each point that was taken is kept, each other one refused."""
    for _ in range(5):
        experiment = Experiment.start("busy", store=store)
        taken = [0] * 3
        threads = [threading.Thread(target=_log_on, args=(experiment, place, taken)) for place in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        began = time.monotonic()
        experiment.stop()
        assert time.monotonic() - began < 20
        for thread in threads:
            thread.join()
        assert {entry.name: entry.count for entry in experiment.series_summary()} == {
            f"m{place}": count for place, count in enumerate(taken) if count
        }


def _log_on(experiment: Experiment, place: int, taken: list[int]) -> None:
    with contextlib.suppress(StoreError):
        while True:
            experiment.log_metric(f"m{place}", 1.0, taken[place])
            taken[place] += 1


def test_a_process_ends_while_a_daemon_thread_logs(tmp_path: Path) -> None:
    """It ends, with its experiment stopped and counted, though nobody stopped it."""
    done = python(
        "import sys, threading, time\nfrom crucible.telemetry import Experiment\n"
        "e = Experiment.start('x', store=sys.argv[1])\n"
        "def log():\n    i = 0\n    while True:\n        e.log_metric('loss', 1.0, i); i += 1\n"
        "threading.Thread(target=log, daemon=True).start()\ntime.sleep(0.3)\nprint(e.id)\n",
        str(tmp_path / "s"),
    )
    assert done.returncode == 0, done.stderr
    found = Recorded(done.stdout.strip(), tmp_path / "s")
    assert found.info.status == "stopped"
    assert found.info.recorded == len(found.points("loss")) > 0


def test_one_recorder_hears_however_many_joined(store: Store) -> None:
    """Two that joined do not keep an event twice; when the one that hears leaves, the other hears on."""
    first = Experiment.start("e", store=store)
    with Experiment.join(first.id, store=store) as second:
        for _ in range(10):
            events.emit("x")
        second.flush()
        first.flush()
        assert first.count("x") == 10
        first.leave()
        with second.active():
            events.emit("x")
        second.flush()
        assert second.count("x") == 11
        second.stop()


def test_a_child_that_joins_what_it_inherited_keeps_events_once(tmp_path: Path) -> None:
    """After a fork, both the experiment of the parent and the one that was joined are there; one of them hears."""
    done = python(
        "import multiprocessing, sys\nfrom crucible.telemetry import Experiment\nfrom crucible import events\n"
        "def child(i, s):\n    with Experiment.join(i, store=s):\n        [events.emit('x') for _ in range(10)]\n"
        "if __name__ == '__main__':\n    e = Experiment.start('f', store=sys.argv[1])\n"
        "    p = multiprocessing.get_context('fork').Process(target=child, args=(e.id, sys.argv[1]))\n"
        "    p.start(); p.join(); e.log_metric('a', 1.0); print(e.id, e.stop().recorded)\n",
        str(tmp_path / "s"),
    )
    assert done.returncode == 0, done.stderr
    found = Recorded(done.stdout.split()[0], tmp_path / "s")
    assert (found.count("x"), found.info.recorded) == (10, 11)


def test_a_child_ends_only_its_own_recording(tmp_path: Path) -> None:
    """A forked child that leaves the block of its parent's experiment does not stop it, nor count twice."""
    done = python(
        "import os, sys\nfrom crucible.telemetry import Experiment\n"
        "with Experiment.start('f', store=sys.argv[1]) as e:\n"
        "    for i in range(100): e.log_metric('a', 1.0, i)\n"
        "    pid = os.fork()\n    if pid == 0:\n        e.log_metric('b', 1.0, 0)\n"
        "        e.__exit__(None, None, None)\n        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n    assert e.info.status == 'running'\n"
        "    e.log_metric('a', 1.0, 100)\nprint(e.id, e.info.recorded)\n",
        str(tmp_path / "s"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "102"


def test_who_joined_learns_that_it_is_over(store: Store) -> None:
    """Nothing is written into an experiment that was stopped or removed, nor into the series of another one."""
    first = Experiment.start("a", store=store)
    first.log_metric("loss", 1.0, 0)
    late = Experiment.join(first.id, store=store)
    late.log_metric("loss", 2.0, 1)
    late.flush()
    first.stop()
    late.log_metric("loss", 3.0, 2)
    with pytest.raises(StoreError, match="was stopped meanwhile"):
        late.flush()
    first.cleanup()
    with Experiment.start("b", store=store) as other:
        other.log_metric("loss", 5.0, 0)
        other.flush()
        late.leave()
        assert other.points("loss").values.tolist() == [5.0]


def test_an_interrupted_flush_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a write comes through; what was taken is written by the next one, with the same ids."""
    experiment = Experiment.start("k", store=store, recorder=RecorderOptions(interval_s=1000))
    write = store.telemetry.write_events

    def interrupted(*_rows: Any, **_how: Any) -> None:
        raise KeyboardInterrupt

    for step in range(100):
        experiment.log_metric("loss", 1.0, step)
        events.emit("x", {"n": step})
    monkeypatch.setattr(store.telemetry, "write_events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        experiment.flush()
    monkeypatch.setattr(store.telemetry, "write_events", write)
    assert experiment.stop().recorded == 200
    assert [event.measurements["n"] for event in experiment.query()] == list(range(100))


def test_a_handler_may_do_anything_but_break_the_recording(store: Store) -> None:
    """It may ask, log, flush, exit and stop: nothing hangs, nothing is lost, and the order of steps stays."""

    def exits(_alert: Any) -> None:
        sys.exit(3)

    def asks(_alert: Any) -> None:
        experiment.flush()
        experiment.metrics()
        experiment.log_metric("heard", 1.0, 0)

    experiment = Experiment.start(
        "h", store=store, alerts=ABOVE, on_alert=[exits, asks], recorder=RecorderOptions(capacity=20)
    )
    for step in range(200):
        experiment.log_metric("loss", 100.0 if step % 50 == 0 else 1.0, step)
    experiment.log_metric("loss", 2.0, 199)
    stopped = experiment.stop()
    assert experiment.points("loss").values[-1] == 2.0
    assert len(experiment.points("loss")) == 200
    assert len(experiment.points("heard")) == 1
    assert stopped.problems == {"a handler of alerts raised": 4}


def test_a_handler_may_stop_its_experiment(store: Store) -> None:
    """It ends as soon as what was under way is written; what comes later is counted."""
    experiment = Experiment.start("h", store=store, alerts=ABOVE, on_alert=[lambda _: experiment.stop()])
    experiment.log_metric("loss", 99.0, 0)
    experiment.flush()
    experiment.flush()  # the event of the alert, which came while the first one was written
    assert experiment.info.status == "stopped"
    experiment.log_metric("loss", 1.0, 1)
    stopped = experiment.stop()
    assert stopped.dropped["stopped"] >= 1
    assert len(experiment.points("loss")) == 1


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_odd_values_stop_nothing(
    where: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever somebody puts into a scope, a name or a step: it is refused where it is given, or kept somehow."""
    monkeypatch.chdir(tmp_path)
    url = str(tmp_path / "s") if where == "sqlite" else request.getfixturevalue("postgres").database()
    with open_store(url) as opened, Experiment.start("odd", store=opened) as experiment:
        for step in (2**63, -(2**63) - 1, 1e300):
            with pytest.raises(SpecError, match="64 bits"):
                experiment.log_metric("loss", 1.0, step)  # type: ignore[arg-type]
        identity = uuid.uuid4()
        with events.span("x", correlation_id=identity):  # type: ignore[arg-type]
            events.emit("inside")
        for odd in ({"stage": identity}, {"stage_index": 2**70}, {"stage": "half \ud800 and nul \0"}, {"stage": ""}):
            with events.scope(**odd):
                events.emit("x.scoped")
        events.emit("")
        events.emit("nul\0in name")
        experiment.log_metric("loss", 1.0, 2**63 - 1)
        found = experiment.query()
        assert len(found) == 9
        assert found[1].correlation_id == str(identity)
        assert next(event.stage for event in found if event.name == "x.scoped") == str(identity)
        assert experiment.points("loss").values.tolist() == [1.0]


def test_what_the_database_refuses_takes_nothing_else_with_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one at fault is kept as malformed, or left out; its whole batch but it is kept as it is."""
    experiment = Experiment.start("f", store=store)
    write = store.telemetry.write_events

    def refusing(rows: Any, points: Any, **how: Any) -> None:
        if any(row[1] == "bad" and "malformed" not in row[15] for row in rows) or any(row[3] == 13.0 for row in points):
            raise StoreError("refused") from OverflowError("too large")
        write(rows, points, **how)

    monkeypatch.setattr(store.telemetry, "write_events", refusing)
    for step in range(50):
        experiment.log_metric("loss", float(step), step)
        events.emit("bad" if step == 7 else "good", {"n": step})
    stopped = experiment.stop()
    assert len(experiment.points("loss")) == 49
    found = experiment.query()
    assert sorted(event.measurements.get("n", -1) for event in found) == sorted({*range(50), -1} - {7})
    assert [event.fields["malformed"] for event in found if event.name == "bad"] == [
        "the database refused it as it was"
    ]
    assert stopped.recorded == 99


def test_scopes_of_experiments_may_end_in_any_order(store: Store) -> None:
    """The inner one hears on when the outer stops; when the inner one stops elsewhere, the outer hears again."""
    outer, inner = Experiment.start("a", store=store), Experiment.start("b", store=store)
    outer.stop()
    events.emit("x.inner")
    assert inner.count() == 1
    inner.stop()
    outer = Experiment.start("a", store=store)
    inner = Experiment.start("b", store=store)
    elsewhere = threading.Thread(target=inner.stop)
    elsewhere.start()
    elsewhere.join()
    events.emit("x.outer")
    assert outer.count() == 1
    outer.stop()


def test_an_exploding_loss_can_be_summed_up(store: Store) -> None:
    """Values whose squares no float holds give an infinite deviation, and everything else."""
    with Experiment.start("x", store=store) as experiment:
        for step in range(300):
            experiment.log_metric("loss", 1.0, step)
        experiment.flush()
        experiment.log_metric("loss", 1e200, 300)
        (summary,) = experiment.metrics().series
        assert (summary.max, summary.count) == (1e200, 301)
        assert summary.std == float("inf")


def test_steps_of_many_names_are_counted_at_once(store: Store) -> None:
    """The first value of a new name asks the store nothing."""
    with Experiment.start("x", store=store) as experiment:
        began = time.process_time()
        for number in range(2_000):
            experiment.log_metric(f"m{number}", 1.0)
        assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "asked", [{"capacity": 0}, {"when_full": "Block"}, {"interval_s": -1}, {"patience_s": "long"}, {"capacity": 1.5}]
)
def test_options_that_cannot_be_are_refused(asked: dict[str, Any]) -> None:
    """A word or a number that would hang or drop silently is an error where it is written."""
    with pytest.raises(SpecError):
        RecorderOptions(**asked)


def test_what_is_stopped_takes_no_events_either(store: Store) -> None:
    """`emit` says so, as `log_metric` does; a recorder cannot be stopped by what it calls."""
    experiment = Experiment.start("x", store=store)
    recorder = experiment._recorder
    with recorder._as_writer(), pytest.raises(ContractError, match="wait for itself"):
        recorder.stop()
    experiment.stop()
    with pytest.raises(StoreError, match="was stopped"):
        experiment.emit("x")
