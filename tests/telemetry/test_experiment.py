"""An experiment is started, fed, paused, stopped and read; what it holds is what belongs to it, and no more."""

from __future__ import annotations

import asyncio
import contextvars
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.errors import ContractError, SpecError, StoreError
from crucible.store import Store, open_store
from crucible.telemetry import Experiment, Recorded, RecorderOptions

STEP = "crucible_train.batch.stop"


@pytest.fixture
def experiment(store: Store) -> Iterator[Experiment]:
    """An experiment that goes on."""
    with Experiment.start("e", store=store) as started:
        yield started


def test_three_lines_are_enough(tmp_path: Path) -> None:
    """Start, log, stop: another process could read it, and the one that logged still can."""
    experiment = Experiment.start("mine", store=tmp_path / "s")
    for step in range(300):
        experiment.log_metric("loss", 1 / (step + 1), step)
    stopped = experiment.stop()
    assert (stopped.status, stopped.recorded, stopped.name) == ("stopped", 300, "mine")
    with open_store(tmp_path / "s", create=False) as store:
        assert store.telemetry.points(experiment.id, "loss")[-1] == (299, 1 / 300)
    assert len(experiment.points("loss")) == 300
    assert experiment.info == stopped


def test_what_is_emitted_belongs_to_the_innermost_experiment(store: Store) -> None:
    """Two that go on at once in one thread, each in its own block, see only their own events."""
    first, second = Experiment.start("a", store=store), Experiment.start("b", store=store)
    with first.active():
        events.emit("x.first")
        with second.active():
            events.emit("x.inner")
        events.emit("x.first")
    events.emit("x.second")
    second.stop()
    events.emit("x.after")  # the one around it is the innermost again
    first.stop()
    events.emit("x.nobody")
    assert [event.name for event in first.query()] == ["x.first", "x.first", "x.after"]
    assert [event.name for event in second.query()] == ["x.inner", "x.second"]


def test_threads_never_see_each_others_events(store: Store) -> None:
    """Eight threads with an experiment each, interleaved: each has exactly its own."""
    gate = threading.Barrier(8)
    found: dict[str, list[Any]] = {}

    def work(name: str) -> None:
        with Experiment.start(name, store=store) as own:
            gate.wait()
            for number in range(200):
                events.emit(STEP, {"step": number, "loss": 0.5}, {"owner": name})
            found[name] = [event.metadata["owner"] for event in own.query()]

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"t{number}": [f"t{number}"] * 200 for number in range(8)}


def test_tasks_never_see_each_others_events(store: Store) -> None:
    """The same for tasks of one loop, which take turns at every await."""

    async def work(name: str) -> list[Any]:
        with Experiment.start(name, store=store) as own:
            for _ in range(50):
                events.emit("x", {}, {"owner": name})
                await asyncio.sleep(0)
            return [event.metadata["owner"] for event in own.query()]

    async def all_of_them() -> list[list[Any]]:
        return await asyncio.gather(*(work(f"t{number}") for number in range(6)))

    assert asyncio.run(all_of_them()) == [[f"t{number}"] * 50 for number in range(6)]


def test_a_thread_takes_the_experiment_along_where_it_is_told_to(experiment: Experiment) -> None:
    """A thread begins outside; a copied context, or `active`, brings the experiment in."""
    contexts = contextvars.copy_context()
    for work in (
        lambda: events.emit("x.lost"),
        lambda: contexts.run(events.emit, "x.copied"),
        lambda: experiment.emit("x.given"),
    ):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [event.name for event in experiment.query()] == ["x.copied", "x.given"]


def test_a_pause_is_counted_and_timed(store: Store) -> None:
    """Nothing is recorded meanwhile, only counted; wall, active and paused time add up."""
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with open_store(":memory:", clock=lambda: now[0]) as timed:
        experiment = Experiment.start("p", store=timed, clock=lambda: now[0])
        experiment.log_metric("loss", 1.0)
        now[0] += timedelta(seconds=10)
        assert experiment.pause().status == "paused"
        experiment.log_metric("loss", 2.0)
        experiment.log_metrics({"loss": 3.0, "accuracy": 0.5})
        events.emit("x")
        now[0] += timedelta(seconds=5)
        assert experiment.info.paused_ns == 5 * 10**9
        with pytest.raises(ContractError, match="is paused, so it cannot pause"):
            experiment.pause()
        resumed = experiment.resume()
        assert (resumed.status, resumed.pause_count, resumed.paused_at) == ("running", 1, None)
        with pytest.raises(ContractError, match="is running, so it cannot resume"):
            experiment.resume()
        experiment.log_metric("loss", 4.0, 1)
        now[0] += timedelta(seconds=1)
        experiment.pause()
        now[0] += timedelta(seconds=2)
        stopped = experiment.stop()
        assert (stopped.wall_ns, stopped.paused_ns, stopped.active_ns) == (18 * 10**9, 7 * 10**9, 11 * 10**9)
        assert (stopped.pause_count, stopped.dropped, stopped.recorded) == (2, {"paused": 4}, 2)
        now[0] += timedelta(days=1)
        assert experiment.info.wall_ns == 18 * 10**9
        assert timed.telemetry.points(experiment.id, "loss") == [(0, 1.0), (1, 4.0)]


def test_a_stopped_experiment_stays_stopped(store: Store) -> None:
    """Stopping again changes nothing; logging, pausing and joining are refused by name."""
    experiment = Experiment.start("s", store=store)
    first = experiment.stop()
    assert experiment.stop() == first
    with pytest.raises(StoreError, match="was stopped, so nothing more is recorded"):
        experiment.log_metric("loss", 1.0, 0)
    with pytest.raises(ContractError, match="was stopped here"):
        experiment.pause()
    with pytest.raises(ContractError, match='"s".* is stopped, so it cannot be joined'):
        Experiment.join(experiment.id, store=store)


def test_a_block_that_raises_keeps_what_was_recorded(store: Store) -> None:
    """The error comes through, and the experiment is over."""
    experiment = Experiment.start("x", store=store)

    def work() -> None:
        with experiment:
            experiment.log_metric("loss", 1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert experiment.info.status == "stopped"
    assert len(experiment.points("loss")) == 1


def test_it_stops_by_itself_after_so_many_events(store: Store) -> None:
    """Exactly `sample_size` events are kept, the rest is counted, and nobody has to stop it."""
    experiment = Experiment.start("n", store=store, sample_size=10)
    for number in range(25):
        events.emit("x", {"n": number})
    experiment.flush()
    assert experiment.info.status == "stopped"
    events.emit("x")
    stopped = experiment.stop()
    assert (stopped.recorded, stopped.dropped) == (10, {"sample_size": 16})
    assert [event.measurements["n"] for event in experiment.query()] == list(range(10))


def test_steps_count_themselves(experiment: Experiment) -> None:
    """Without a step comes the one after the last, whatever was given before."""
    for value in (1.0, 2.0):
        experiment.log_metric("loss", value)
    experiment.log_metric("loss", 9.0, 7)
    experiment.log_metric("loss", 10.0)
    experiment.log_metric("given", 1.0, 41)
    experiment.log_metrics({"given": 2.0, "loss": 11.0})
    assert list(experiment.points("loss").steps) == [0, 1, 7, 8, 9]
    assert list(experiment.points("given").steps) == [41, 42]


def test_what_is_no_metric_is_refused_where_it_is_logged(experiment: Experiment) -> None:
    """Names, values and steps that cannot be are errors of the caller, and nothing of such a call is kept."""
    numpy = pytest.importorskip("numpy")
    for bad in ("", "  ", "a\nb", "x" * 251, None, 3):
        with pytest.raises(SpecError, match="printable characters"):
            experiment.log_metric(bad, 1.0)  # type: ignore[arg-type]
    for bad in ("1.0", None, True, [1.0], numpy.array([1.0, 2.0]), 1j):
        with pytest.raises(SpecError, match='"loss" takes a number'):
            experiment.log_metrics({"fine": 1.0, "loss": bad}, 0)
    for bad in (1.5, "1", math.nan):
        with pytest.raises(SpecError, match="whole number"):
            experiment.log_metric("loss", 1.0, bad)  # type: ignore[arg-type]
    experiment.log_metric("loss", numpy.float32(0.5), numpy.int64(3))
    experiment.log_metric("loss", 2, 4)
    experiment.log_metric("loss", math.nan, 5)
    experiment.log_metric("loss", -math.inf, 6)
    found = experiment.points("loss")
    assert (list(found.steps), found.values[:2].tolist(), found.values[3]) == ([3, 4, 5, 6], [0.5, 2.0], -math.inf)
    assert experiment.series() == ["loss"]
    summary = experiment.series_summary()[0]
    assert (summary.count, summary.non_finite, summary.mean, summary.last) == (4, 2, 1.25, -math.inf)


def test_what_is_asked_at_the_start_is_kept_or_refused(store: Store) -> None:
    """Everything comes back from the store; a word that is unknown names the near one."""
    price = {"model": "m", "input_usd_per_1m": 1.0, "output_usd_per_1m": 2.0}
    prices = {"source": "price list", "date": "2026-01-01", "prices": [price]}
    with Experiment.start(
        "all",
        store=store,
        hypothesis="h",
        condition="control",
        tags=["a", "b"],
        metadata={"k": [1, None]},
        sample_size=5,
        metrics_config={"cost": False, "custom": ["reward"]},
        sampler={"type": "uniform", "rate": 1.0, "seed": 3},
        prices=prices,
    ) as made:
        info = store.telemetry.experiments.get(made.id[:6])
    assert (info.hypothesis, info.condition, info.tags, info.metadata) == ("h", "control", ("a", "b"), {"k": [1, None]})
    assert (info.sample_size, info.settings["metrics_config"]["custom"]) == (5, ["reward"])
    assert info.settings["sampler"]["seed"] == 3
    assert info.settings["prices"]["source"] == "price list"
    assert made.metrics().cost is None
    for asked, message in (
        ({"hypotesis": "h"}, "did you mean hypothesis"),
        ({"sample_size": 0}, "1 at least"),
        ({"sample_size": True}, "count of events"),
        ({"tags": "ab"}, "list of words"),
        ({"metrics_config": {"latencies": True}}, "metrics_config.latencies"),
        ({"sampler": {"type": "unifrm"}}, "uniform"),
    ):
        with pytest.raises((SpecError, ExceptionGroup)) as caught:
            Experiment.start("x", store=store, **asked)
        assert message in str(caught.value)
    for name in ("", " ", None):
        with pytest.raises(SpecError, match="has a name"):
            Experiment.start(name, store=store)  # type: ignore[arg-type]
    assert [each.name for each in store.telemetry.experiments.list()] == ["all"]


def test_drops_of_a_sampler_are_recorded(store: Store) -> None:
    """What a sampler leaves out is counted; a reservoir holds exactly as many as it should, also across batches."""
    options = RecorderOptions(interval_s=0.001)
    sampler = {"type": "reservoir", "size": 20, "seed": 1}
    experiment = Experiment.start("r", store=store, sampler=sampler, recorder=options)
    for number in range(500):
        events.emit("x", {"n": number})
        if number % 50 == 0:
            experiment.flush()
    stopped = experiment.stop()
    kept = [event.measurements["n"] for event in experiment.query()]
    assert (len(kept), stopped.recorded, stopped.dropped) == (20, 20, {"sampled": 480})
    assert max(kept) > 250
    assert "reservoir sampler left out 480 events" in experiment.metrics().cautions[0]


@pytest.mark.filterwarnings("ignore::crucible.errors.UnpricedModelWarning")
def test_events_are_enriched_and_found(store: Store) -> None:
    """Latency, cost, success and fields are there to be asked for, in memory and in SQL alike."""
    prices = {
        "source": "list",
        "date": "2026-01-01",
        "prices": [{"model": "m", "input_usd_per_1m": 1.0, "output_usd_per_1m": 2.0}],
    }
    with Experiment.start("q", store=store, condition="control", prices=prices) as experiment:
        for number in range(10):
            measured = {"duration_ns": (number + 1) * 10**6, "prompt_tokens": 1000, "completion_tokens": 500}
            metadata = {"model": "m" if number % 2 else "n", "user_id": f"u{number}", "nested": {"deep": number}}
            events.emit(f"req_llm.request.{'exception' if number == 9 else 'stop'}", measured, metadata)
        events.emit("other.thing", {"x": 1}, {"condition": "treatment"})
    assert experiment.info.problems == {"no price for the model n": 5}
    assert experiment.count() == 11
    assert experiment.count("req_llm.*") == 10
    assert experiment.count("req_llm.request.stop", "other.thing") == 10
    assert experiment.count(success=False) == 1
    assert experiment.count(where={"model": "m"}) == 5
    assert experiment.count(where={"nested.deep": 3}) == 1
    assert experiment.count(where={"user_id": None}) == 1
    assert experiment.count(where={"modle": "m"}) == 0
    assert experiment.count(condition="treatment") == 1
    assert [event.latency_ms for event in experiment.events(limit=2, offset=1)] == [2.0, 3.0]
    assert [event.name for event in experiment.events(limit=1, newest_first=True)] == ["other.thing"]
    with pytest.raises(SpecError, match="latency_ms is a number"):
        experiment.count(where={"latency_ms": "fast"})
    summary = experiment.metrics()
    assert summary.latency is not None
    assert (summary.latency.count, summary.latency.mean, summary.latency.p50) == (10, 5.5, 5.5)
    assert summary.cost is not None
    assert summary.cost.count == 5
    assert summary.cost.total == pytest.approx(5 * 0.002)
    assert summary.cost.prices == {"source": "list", "date": "2026-01-01"}
    assert summary.reliability is not None
    assert (summary.reliability.total_requests, summary.reliability.failed) == (10, 1)
    by_model = experiment.aggregate("req_llm.*", by=("field:model",), percentiles=(0.5,))
    assert [(each.group, each.count, each.percentiles[0.5]) for each in by_model] == [
        (("m",), 5, 6.0),
        (("n",), 5, 5.0),
    ]


@pytest.mark.filterwarnings("ignore::crucible.errors.UnpricedModelWarning")
def test_a_malformed_event_is_recorded_as_malformed(experiment: Experiment) -> None:
    """Whatever an event holds, it is kept that it happened, and what comes after it is recorded."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    events.emit(STEP, {"step": 1, "loss": "high", "duration_ns": "long"})
    events.emit("x", "no mapping", ["neither"])  # type: ignore[arg-type]
    events.emit("x", {"bad": Hostile()}, {"more": {1: Hostile()}})
    events.emit("x", {"huge": 10**400, "nan": math.nan, "bytes": b"\xff"}, {"half": "\ud800", "nul": "a\0b"})
    events.emit("fine", {"duration_ns": 10**6})
    found = experiment.query()
    assert [event.name for event in found] == [STEP, "x", "x", "x", "fine"]
    assert "loss" in found[0].fields["malformed"]
    assert "malformed" in found[1].fields
    assert "malformed" in found[2].fields
    assert found[-1].latency_ms == 1.0
    assert experiment.metrics().malformed >= 3


def test_windows_show_gaps_and_never_vanish(store: Store) -> None:
    """A short recording has one window; silence is a window of nothing; sliding ones agree."""
    with Experiment.start("w", store=store) as experiment:
        rows = [0.0, 0.1, 0.9, 3.2, 3.3]
        for place, second in enumerate(rows):
            event = events.Event("x.stop", {"duration_ns": (place + 1) * 10**6}, {}, int(second * 1e9), events.Scope())
            experiment._recorder.on_event(event)
        found = experiment.windows(1.0)
        assert [window.count for window in found] == [3, 0, 0, 2]
        assert [window.mean_latency_ms for window in found] == [2.0, None, None, 4.5]
        assert [window.latency_ms[0.5] for window in found] == [2.0, None, None, 4.5]
        assert found[0].end_ns - found[0].start_ns == 10**9
        assert [window.count for window in experiment.windows(300.0, 60.0)] == [5]
        sliding = experiment.windows(1.0, 0.5)
        assert [window.count for window in sliding] == [3, 1, 0, 0, 0, 2, 2]
        assert sliding[::2][0] == found[0]
        with pytest.raises(SpecError, match="above 0"):
            experiment.windows(0)
        with pytest.raises(SpecError, match="windows"):
            experiment.windows(1e-9, 1e-9)


def test_another_process_joins(tmp_path: Path) -> None:
    """Events of both are in one recording; the one that joined must give its steps, and does not stop it."""
    experiment = Experiment.start("shared", store=tmp_path / "s")
    script = (
        "import sys\nfrom crucible.telemetry import Experiment\nfrom crucible import events\n"
        "with Experiment.join(sys.argv[1], store=sys.argv[2]) as joined:\n"
        "    for step in range(500):\n"
        "        joined.log_metric('theirs', step, step)\n"
        "        events.emit('x.theirs')\n"
        "    try:\n        joined.log_metric('theirs', 1.0)\n    except Exception as error:\n        print(error)\n"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", script, experiment.id, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=False,
        env=plain,
    )
    assert done.returncode == 0, done.stderr
    assert "give a step" in done.stdout
    events.emit("x.ours")
    assert experiment.info.status == "running"
    assert (experiment.count("x.theirs"), experiment.count("x.ours")) == (500, 1)
    assert len(experiment.points("theirs")) == 500
    assert experiment.stop().recorded == 1001


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_records_for_itself(tmp_path: Path) -> None:
    """What waits is the parent's alone; what the child logs is kept at its end, as multiprocessing ends children."""
    script = (
        "import multiprocessing, sys\nfrom crucible.telemetry import Experiment\nfrom crucible import events\n"
        "def child(e, n):\n    for i in range(200):\n"
        "        e.log_metric(f'child{n}', i, i)\n        events.emit('x.child')\n"
        "if __name__ == '__main__':\n"
        "    e = Experiment.start('f', store=sys.argv[1])\n    e.log_metric('parent', 1.0, 0)\n"
        "    fork = multiprocessing.get_context('fork')\n"
        "    kids = [fork.Process(target=child, args=(e, n)) for n in range(2)]\n"
        "    [k.start() for k in kids]; [k.join() for k in kids]\n    e.stop(); print(e.id)\n"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain, timeout=120)
    assert done.returncode == 0, done.stderr
    found = Recorded(done.stdout.strip(), tmp_path / "s")
    assert found.count("x.child") == 400
    assert [len(found.points(name)) for name in ("child0", "child1", "parent")] == [200, 200, 1]


def test_killed_at_any_moment_what_was_flushed_is_there(tmp_path: Path) -> None:
    """After `kill -9` everything up to the last flush is read, whole, and the experiment shows as orphaned."""
    script = (
        "import sys, os, signal\nfrom crucible.telemetry import Experiment\nfrom crucible import events\n"
        "e = Experiment.start('k', store=sys.argv[1])\n"
        "for i in range(20000):\n    e.log_metric('loss', i, i)\n    events.emit('x', {'n': i})\n"
        "    if i == 9999:\n        e.flush()\n        print(e.id, flush=True)\n"
        "    if i == 15000:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, "-c", script, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain, timeout=120)
    found = Recorded(done.stdout.strip(), tmp_path / "s")
    points = found.points("loss")
    assert len(points) >= 10_000
    assert list(points.values) == [float(step) for step in points.steps]
    assert [event.measurements["n"] for event in found.query()] == list(range(found.count()))
    assert found.count() >= 10_000
    assert found.info.is_orphaned
    with Experiment.join(found.id, store=tmp_path / "s") as again:
        assert again.live.events == found.count()  # rebuilt from the store
        again.log_metric("loss", 1.0, 99_999)
        assert again.stop().status == "stopped"


def test_what_fits_no_more_is_dropped_or_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`drop` counts what there is no room for, `raise` tells the caller; the recorder goes on in both."""
    held, write = threading.Event(), store.telemetry.write_events

    def slow(*rows: Any, **how: Any) -> None:
        assert held.wait(30)
        write(*rows, **how)

    monkeypatch.setattr(store.telemetry, "write_events", slow)
    dropping = Experiment.start("d", store=store, recorder=RecorderOptions(capacity=10, when_full="drop"))
    for step in range(1000):
        dropping.log_metric("loss", 1.0, step)
    refusing = Experiment.start("r", store=store, recorder=RecorderOptions(capacity=10, when_full="raise"))
    full = pytest.raises(StoreError, match='choose a larger capacity, or when_full="block"')
    with full:
        _log_many(refusing)
    held.set()
    stopped = dropping.stop()
    assert stopped.recorded + stopped.dropped["full"] == 1000
    assert stopped.dropped["full"] > 0
    assert refusing.stop().dropped["full"] == 1


def test_a_store_that_fails_is_told_by_every_flush(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost write is never forgotten, logging stops with the reason, and stopping still stops."""

    def broken(*_rows: Any, **_how: Any) -> None:
        raise StoreError("disk full")

    experiment = Experiment.start("f", store=store)
    monkeypatch.setattr(store.telemetry, "write_events", broken)
    experiment.log_metric("loss", 1.0, 0)
    with pytest.raises(StoreError, match="disk full"):
        experiment.flush()
    with pytest.raises(StoreError, match="nothing more is recorded.*disk full"):
        experiment.log_metric("loss", 1.0, 1)
    monkeypatch.undo()
    assert experiment.stop().status == "stopped"


def test_archives_come_back_the_same(store: Store, tmp_path: Path) -> None:
    """Metrics of an archive that is brought back are identical, of Parquet and of JSON lines."""
    from crucible.telemetry import restore

    pytest.importorskip("pyarrow")
    with Experiment.start("a", store=store, condition="control", tags=["t"]) as experiment:
        for step in range(300):
            experiment.log_metric("loss", math.nan if step == 7 else 1 / (step + 1), step)
            events.emit("req_llm.request.stop", {"duration_ns": step * 1000, "prompt_tokens": 2}, {"model": "m"})
        with pytest.raises(ContractError, match="stop it, then archive it"):
            experiment.archive(tmp_path / "archive")
    before = experiment.metrics()
    for place in (tmp_path / "archive", tmp_path / "one.jsonl.gz"):
        experiment.archive(place)
        assert experiment.info.status == "archived"
        with open_store(tmp_path / place.name.replace(".", "_")) as other:
            (info,) = restore(place, other)
            again = Recorded(info.id, other)
            assert msg(again) == msg(experiment)
            assert repr(again.metrics()) == repr(before)
            assert again.info.tags == ("t",)
            with pytest.raises(StoreError, match="already"):
                restore(place, other)
    assert experiment.cleanup()
    assert not experiment.cleanup()
    assert experiment.count() == 0


def _log_many(experiment: Experiment) -> None:
    for step in range(1000):
        experiment.log_metric("loss", 1.0, step)


def msg(recorded: Recorded) -> list[Any]:
    """Return all events without their place in the store."""
    return [repr(event) for event in recorded.query()]


def test_data_may_outlive_the_experiment(store: Store) -> None:
    """`keep_data` leaves what was recorded, to be read by its id; one that goes on is not removed."""
    experiment = Experiment.start("x", store=store)
    experiment.log_metric("loss", 1.0)
    with pytest.raises(ContractError, match="stop it, then remove it"):
        experiment.cleanup()
    experiment.stop()
    assert experiment.cleanup(keep_data=True)
    left = Recorded.find(experiment.id, store)
    assert len(left.points("loss")) == 1
    with pytest.raises(StoreError, match="no telemetry experiment"):
        _ = experiment.info
    assert left.cleanup()
    assert left.series() == []
    assert not left.cleanup()


def test_anomalies_and_alerts_are_told_while_it_goes_on(store: Store) -> None:
    """An event of the experiment says so, the handler is called, and a replay finds the same alerts."""
    told: list[Any] = []
    rules = {"rules": [{"name": "high", "metric": "loss", "condition": {"above": 50}}]}
    with Experiment.start(
        "w",
        store=store,
        anomalies={"methods": ["modified_z"], "metrics": ["loss"], "action": "alert"},
        alerts=rules,
        on_alert=[told.append],
    ) as experiment:
        for step in range(200):
            experiment.log_metric("loss", 100.0 if step == 150 else (step * 7) % 5, step)
    names = [event.name for event in experiment.query()]
    assert names.count("crucible_telemetry.alert.raised") == 1
    assert names.count("crucible_telemetry.anomaly.detected") >= 1
    assert [alert.value for alert in told] == [100.0]
    from crucible.telemetry import AlertRules

    assert [alert.value for alert in experiment.alerts(AlertRules.from_dict(rules))] == [100.0]
    assert experiment.anomalies({"metrics": ["loss"]}).total >= 1


def test_an_anomaly_makes_a_sampler_keep_more(store: Store) -> None:
    """What deviates, and what comes soon after it, is kept, though the sampler would leave nearly all of it out."""
    asked = {"sampler": {"type": "uniform", "rate": 0.001, "seed": 1}}
    watch = {"methods": ["modified_z"], "metrics": ["latency_ms"], "action": "sample_more", "hold_s": 3600}
    with Experiment.start("m", store=store, anomalies=watch, **asked) as experiment:
        for number in range(400):
            slow = 10**12 if number == 300 else 10**6 + number % 7
            events.emit("x.stop", {"n": number, "duration_ns": slow})
    kept = [event.measurements["n"] for event in experiment.query()]
    assert kept[-100:] == list(range(300, 400))
    assert len(kept) < 120
    assert experiment.info.dropped["sampled"] == 400 - len(kept)
    with pytest.raises(SpecError, match="a reservoir holds as many"):
        Experiment.start("m", store=store, anomalies=watch, sampler={"type": "reservoir", "size": 3})


def test_the_live_view_takes_no_lock_and_agrees(experiment: Experiment) -> None:
    """What was recorded here a moment ago, without asking the store."""
    for number in range(100):
        events.emit("req_llm.request.stop", {"duration_ns": number * 10**6})
    experiment.flush()
    live = experiment.live
    assert live.events == 100
    assert live.latency_ms is not None
    assert live.latency_ms.mean == pytest.approx(49.5)


def test_durable_within_the_interval(tmp_path: Path) -> None:
    """Without any flush, another connection reads what was logged a moment ago."""
    experiment = Experiment.start("i", store=tmp_path / "s")
    experiment.log_metric("loss", 1.0, 0)
    with open_store(tmp_path / "s") as reader:
        deadline = time.monotonic() + 30
        while not reader.telemetry.series(experiment.id) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert reader.telemetry.points(experiment.id, "loss") == [(0, 1.0)]
    experiment.stop()
