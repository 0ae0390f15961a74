"""The composition root: runs that are kept whole, go on after a failure, and stand side by side."""

import asyncio
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

import crucible
from crucible import assembly, events
from crucible.errors import SpecErrors, StoreError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, stage
from crucible.store import open_store


@stage("work")
def work(context: Context, options: NoOptions) -> Context:
    """Emit, decide, measure."""
    for step in range(3):
        events.emit("crucible_train.batch.stop", {"step": step + 1, "loss": 1.0 / (step + 1)}, {"model": "m"})
    events.decision("kept step 3 over 1 and 2", "lowest loss", alternatives=("1", "2"))
    path = context.workspace / "note.txt"
    path.write_text("hello")
    return context.put_metric("answer", 42).add_file("note", path)


class Switch:
    """Makes the stage `fragile` fail until it is turned."""

    broken = True


@stage("fragile")
def fragile(context: Context, options: NoOptions) -> Context:
    """Fail while the switch is broken."""
    if Switch.broken:
        raise RuntimeError("not today")
    return context.put_metric("mended", True)


def registry() -> Registry:
    """The stages of this file beside the installed ones."""
    return Registry(work, fragile)


def experiment(*names: str) -> Experiment:
    """An experiment of these stages."""
    return Experiment(id="kept", backend=BackendRef(id="local"), pipeline=tuple(StageDef(name=name) for name in names))


def test_a_run_is_kept_whole(tmp_path: Path) -> None:
    """Record, telemetry, series, trace and files of a run are there for another reader afterwards."""
    result = assembly.run(experiment("work"), store=tmp_path, registry=registry())
    assert result.status == "completed"
    with open_store(tmp_path, create=False) as store:
        run = store.runs.run(result.run_id)
        assert run.status == "completed"
        assert run.provenance["versions"]["crucible"] == crucible.__version__
        assert store.runs.snapshot(run.run_id).metrics == {"answer": 42}
        counts = store.telemetry.event_counts(run.run_id)
        assert counts["crucible_train.batch.stop"] == 3
        assert counts["crucible_framework.pipeline.stop"] == 1
        (series,) = [name for name in store.telemetry.series(run.run_id) if "loss" in name]
        assert store.telemetry.points(run.run_id, series) == [(1, 1.0), (2, 0.5), (3, 1.0 / 3)]
        chain = assembly.stored_chain(store, run.run_id)
    assert chain is not None
    decisions = [event for event in chain if event.decision == "kept step 3 over 1 and 2"]
    assert len(decisions) == 1
    assert list(decisions[0].alternatives) == ["1", "2"]
    written = json.loads((result.context.workspace / "trace.json").read_text())
    assert len(written["events"]) == len(chain)
    assert events.attached() == ()


def test_a_failed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Resuming skips what is complete, keeps its results, and continues the same trace."""
    Switch.broken = True
    failed = assembly.run(experiment("work", "fragile"), store=tmp_path, registry=registry())
    assert failed.status == "failed"
    Switch.broken = False
    resumed = assembly.resume(failed.run_id[:-1], store=tmp_path, registry=registry())
    assert resumed.run_id == failed.run_id
    assert resumed.context.metrics == {"answer": 42, "mended": True}
    assert [(record.name, record.status, record.attempt) for record in resumed.stages] == [
        ("work", "ok", 1),
        ("fragile", "ok", 2),
    ]
    with open_store(tmp_path, create=False) as store:
        chain = assembly.stored_chain(store, failed.run_id)
        assert store.runs.run(failed.run_id).status == "completed"
        assert store.telemetry.event_counts(failed.run_id)["crucible_train.batch.stop"] == 3
    assert chain is not None
    assert len([event for event in chain if event.type == "stage_failed" and event.stage_id == "fragile"]) == 1
    assert len({event.id for event in chain}) == len(chain)
    with pytest.raises(StoreError, match=failed.run_id):
        assembly.resume(failed.run_id, store=tmp_path, registry=registry())


def test_two_runs_at_once_in_one_store_keep_apart(tmp_path: Path) -> None:
    """Two runs in threads of one process lose nothing and do not mix their telemetry."""
    results: list[Any] = []

    def go() -> None:
        results.append(assembly.run(experiment("work"), store=tmp_path, registry=registry()))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.run_id for result in results}) == 2
    with open_store(tmp_path, create=False) as store:
        for result in results:
            assert store.runs.run(result.run_id).status == "completed"
            assert store.telemetry.event_counts(result.run_id)["crucible_train.batch.stop"] == 3


def test_a_record_that_cannot_be_kept_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stops taking writes in the middle of a run ends it as failed, and says so."""

    @stage("sabotage")
    def sabotage(context: Context, options: NoOptions) -> Context:
        database = sqlite3.connect(tmp_path / "crucible.db")
        database.execute("DROP TABLE telemetry_events")
        database.commit()
        database.close()
        events.emit("crucible_train.batch.stop", {"step": 1, "loss": 1.0}, {"model": "m"})
        return context

    result = assembly.run(experiment("sabotage"), store=tmp_path, registry=Registry(sabotage))
    assert result.status == "failed"
    assert isinstance(result.error, StoreError)


def test_a_trace_that_misses_events_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that raises breaks no stage, but a run whose trace is not whole does not pass as complete."""

    def deaf(_collector: object, _event: events.Event) -> None:
        raise RuntimeError("not heard")

    monkeypatch.setattr("crucible.trace.collector.Collector._hear", deaf)
    result = assembly.run(experiment("work"), store=tmp_path, registry=registry())
    assert result.status == "failed"
    assert "misses" in str(result.error)


def test_cancelled_runs_are_recorded_and_can_go_on(tmp_path: Path) -> None:
    """Cancelling the task marks the run cancelled, keeps its telemetry, and leaves it resumable."""

    @stage("wait")
    async def wait(context: Context, options: NoOptions) -> Context:
        events.emit("crucible_train.batch.stop", {"step": 1, "loss": 1.0}, {"model": "m"})
        await asyncio.sleep(30)
        return context

    async def scenario() -> None:
        task = asyncio.create_task(
            assembly.arun(experiment("wait"), store=tmp_path, run_id="r1", registry=Registry(wait))
        )
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    with open_store(tmp_path, create=False) as store:
        assert store.runs.run("r1").status == "cancelled"
        assert store.telemetry.event_counts("r1")["crucible_train.batch.stop"] == 1
    again = stage("wait")(lambda context, options: context.put_metric("done", True))
    assert assembly.resume("r1", store=tmp_path, registry=Registry(again)).context.metrics == {"done": True}


def test_problems_are_refused_before_a_run_is_made(tmp_path: Path) -> None:
    """A document that cannot be carried out as written makes no run and no store."""
    with pytest.raises(SpecErrors):
        assembly.run(experiment("nobody"), store=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(StoreError, match="there is no store"):
        assembly.resume("x", store=tmp_path / "none")
