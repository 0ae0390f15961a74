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
from crucible.assembly.options import flags_of
from crucible.errors import ContractError, SpecErrors, StoreError
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, stage
from crucible.store import StoredRun, open_store


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

    monkeypatch.setattr("crucible.trace.collecting.collector.Collector._hear", deaf)
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


def stored(store: Path, run_id: str) -> StoredRun:
    """Return a run as another reader finds it."""
    with open_store(store, create=False) as opened:
        return opened.runs.run(run_id)


def test_an_id_is_used_once(tmp_path: Path) -> None:
    """A second run of an id is refused, and the run that has it stays as it was: status, telemetry, trace."""
    Switch.broken = True
    assembly.run(experiment("work"), store=tmp_path, registry=registry(), run_id="x")
    before = stored(tmp_path, "x")
    with open_store(tmp_path) as store:
        counts, traced = store.telemetry.event_counts("x"), store.traces.load("x")
    with pytest.raises(StoreError, match=r"x exists already \(completed\)"):
        assembly.run(experiment("fragile"), store=tmp_path, registry=registry(), run_id="x")
    assert stored(tmp_path, "x") == before
    with open_store(tmp_path) as store:
        assert store.telemetry.event_counts("x") == counts
        assert store.traces.load("x") == traced


def test_an_id_in_use_in_another_thread_is_refused(tmp_path: Path) -> None:
    """The run that still goes on in this process is not ended by the one that wanted its id."""
    begun, go_on = threading.Event(), threading.Event()

    @stage("hold")
    def hold(context: Context, options: NoOptions) -> Context:
        begun.set()
        assert go_on.wait(30)
        return context.put_metric("held", True)

    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(
            assembly.run(experiment("hold"), store=tmp_path, registry=Registry(hold), run_id="y")
        )
    )
    thread.start()
    assert begun.wait(30)
    with pytest.raises(StoreError, match=r"y exists already \(running\)"):
        assembly.run(experiment("work"), store=tmp_path, registry=registry(), run_id="y")
    assert stored(tmp_path, "y").status == "running"
    go_on.set()
    thread.join()
    assert results[0].status == "completed"
    assert stored(tmp_path, "y").status == "completed"


@pytest.mark.parametrize(
    "options", [{"middleware": [object()]}, {"validate_options": "strict"}], ids=["middleware", "mode"]
)
def test_a_resume_that_is_refused_leaves_the_run_as_it_was(tmp_path: Path, options: dict[str, Any]) -> None:
    """It is checked whole before the run is claimed, so that the next attempt is free to go on."""
    Switch.broken = True
    run_id = assembly.run(experiment("fragile"), store=tmp_path, registry=registry()).run_id
    before = stored(tmp_path, run_id)
    with pytest.raises(ContractError):
        assembly.resume(run_id, store=tmp_path, registry=registry(), **options)
    assert stored(tmp_path, run_id) == before
    Switch.broken = False
    assert assembly.resume(run_id, store=tmp_path, registry=registry()).status == "completed"


@pytest.mark.parametrize("step", ["workspace", "runs.resume_state", "runs.mark_orphans", "runs.run_started"])
def test_a_resume_that_does_not_begin_gives_the_run_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever goes wrong between claim and start, the run stands as before and can be resumed."""
    Switch.broken = True
    run_id = assembly.run(experiment("fragile"), store=tmp_path, registry=registry()).run_id
    before = stored(tmp_path, run_id)

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    owner = {"workspace": "crucible.store.Store"}.get(step, "crucible.store.RunRepository")
    with monkeypatch.context() as patch:
        patch.setattr(f"{owner}.{step.removeprefix('runs.')}", refuse)
        with pytest.raises(StoreError, match="disk is full"):
            assembly.resume(run_id, store=tmp_path, registry=registry())
    after = stored(tmp_path, run_id)
    assert (after.status, after.finished_at, after.failure) == (before.status, before.finished_at, before.failure)
    Switch.broken = False
    assert assembly.resume(run_id, store=tmp_path, registry=registry()).status == "completed"


def test_a_claim_that_cannot_be_given_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first error is the one that is raised; what follows from it is a note on it."""
    Switch.broken = True
    run_id = assembly.run(experiment("fragile"), store=tmp_path, registry=registry()).run_id

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("crucible.store.Store.workspace", refuse)
    monkeypatch.setattr("crucible.store.RunRepository.give_back", refuse)
    with pytest.raises(StoreError, match="disk is full") as raised:
        assembly.resume(run_id, store=tmp_path, registry=registry())
    assert raised.value.__notes__ == ["the run counts as running until this process ends: the disk is full"]


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_only_options_of_stages_are_let_pass(mode: Any) -> None:
    """validate_options concerns stages and their fallbacks; what else a document asks for in vain is still refused."""
    work_ = {"name": "work", "options": {"nonsense": 1}}
    deep = {"name": "work", "on_error": "fallback", "fallback": {**work_, "on_error": "fallback", "fallback": work_}}
    document = {"id": "e", "backend": {"id": "local"}, "pipeline": [work_, deep]}
    with pytest.raises(SpecErrors):
        assembly.run(Experiment.read(document), registry=registry(), persist=False)
    assert assembly.run(Experiment.read(document), registry=registry(), persist=False, validate_options=mode)
    document["backend"] = {"id": "local", "options": {"nonsense": 1}}
    with pytest.raises(SpecErrors) as refused:
        assembly.run(Experiment.read(document), registry=registry(), persist=False, validate_options=mode)
    assert [problem.path for problem in refused.value.exceptions] == ["backend.options"]


@pytest.mark.parametrize("run_id", ["", "..", "a/b", "a b", "x" * 200, 7])
@pytest.mark.parametrize("persist", [True, False])
def test_an_id_has_one_rule(tmp_path: Path, run_id: Any, persist: bool) -> None:
    """Kept or not, what cannot name a folder is no run id; nothing is made for it."""
    with pytest.raises(StoreError, match="cannot be a run id: use letters"):
        assembly.run(experiment("work"), store=tmp_path / "none", registry=registry(), run_id=run_id, persist=persist)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("assigns", "words"),
    [([1], "must be a mapping of names to values, got list: "), ({1: 2}, "must have strings for names, got int: 1")],
)
def test_values_for_stages_have_names(assigns: Any, words: str) -> None:
    """What is no mapping of names is refused with what came, before anything is run."""
    with pytest.raises(TypeError, match=words):
        assembly.run(experiment("work"), registry=registry(), persist=False, assigns=assigns)


def test_the_command_that_repeats_a_run_is_whole(tmp_path: Path) -> None:
    """It names what code was allowed, that no trace was kept, and the store; never a password."""
    result = assembly.run(
        experiment("work"),
        store=tmp_path / "my store",
        registry=registry(),
        source="e.yaml",
        allow_imports=["mine"],
        trace=False,
    )
    command = stored(tmp_path / "my store", result.run_id).provenance["command"]
    assert command == f"crucible run e.yaml --allow-import mine --no-trace --store '{tmp_path}/my store'"
    assert flags_of({"store": "postgresql://me:secret@host/db"}) == ["--store", "postgresql://me:***@host/db"]
    assert flags_of({"store": "postgresql://me:sec ret@host:port/db"}) == ["--store", "postgresql://…"]


def test_how_many_branches_run_at_once_is_the_callers(tmp_path: Path) -> None:
    """The option reaches the runner, in a run and in a resumption; less than one is refused."""
    with pytest.raises(ContractError, match="max_parallel must be at least 1, got 0"):
        assembly.run(experiment("work"), registry=registry(), persist=False, max_parallel=0)
    Switch.broken = True
    run_id = assembly.run(experiment("fragile"), store=tmp_path, registry=registry(), max_parallel=1).run_id
    with pytest.raises(ContractError, match="max_parallel"):
        assembly.resume(run_id, store=tmp_path, registry=registry(), max_parallel=0)
    assert stored(tmp_path, run_id).status == "failed"
