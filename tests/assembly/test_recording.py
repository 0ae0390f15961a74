"""One recording of a run: whole transactions, a lease, and failures that are told at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible import events
from crucible.assembly import stored_chain
from crucible.assembly.recording import RunRecording
from crucible.assembly.run_trace import PASSWORD, TraceTerms
from crucible.errors import SpecError, StoreError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import Store, open_store
from crucible.trace import Chain, Event, Signer, TraceStore, verify

RUN = RunInfo("r", "e", {"id": "e"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store whose leases are short."""
    with open_store(tmp_path / "store", lease_s=0.2) as opened:
        yield opened


@pytest.fixture
def record(store: Store) -> Iterator[Callable[..., RunRecording]]:
    """Makes recordings of run `r`, closed at the end."""
    made: list[RunRecording] = []

    def make(**options: Any) -> RunRecording:
        made.append(RunRecording(store, "r", "e", store.workspace("r"), **options))
        return made[-1]

    yield make
    for recording in made:
        recording.close()


def stage(recording: RunRecording, index: int, delta: ContextDelta | None = None) -> None:
    """Do what the runner does for a stage that emits two steps and decides something."""
    begun = StageRecord(index, "train", "running", started_at="2026-01-01T00:00:00+00:00")
    with events.scope(run_id="r", experiment_id="e", stage="train", stage_index=index):
        recording.stage_started("r", begun)
        with events.span("crucible_framework.stage", {"stage": "train", "stage_index": index}):
            for step in (1, 2):
                events.emit("crucible_train.batch.stop", {"step": 10 * index + step, "loss": 1.0})
            events.decision(f"kept {index}", "because")
        done = msgspec.structs.replace(begun, status="ok", duration_ns=5)
        recording.stage_finished("r", done, delta or ContextDelta({"n": index}))


def told(store: Store) -> list[str]:
    """Return the decisions that the store's trace has."""
    chain = stored_chain(store, "r")
    return [event.decision for event in chain or () if event.decision.startswith("kept")]


def test_a_stage_is_kept_with_all_that_happened_in_it(store: Store, record: Callable[..., RunRecording]) -> None:
    """As soon as its end is kept, another reader finds its telemetry and its trace."""
    recording = record()
    recording.run_started(RUN)
    for index in range(2):
        stage(recording, index)
        assert [entry.status for entry in store.runs.stages("r")] == ["ok"] * (index + 1)
        assert len(store.telemetry.points("r", "crucible_train.batch.stop:loss")) == 2 * (index + 1)
        assert told(store) == [f"kept {number}" for number in range(index + 1)]
    recording.run_finished("r", "completed", None)
    chain = Chain.load(store.artifacts_dir / "r" / "trace.json")
    kept = stored_chain(store, "r")
    assert kept is not None
    assert chain.events == kept.events


def test_without_a_trace_the_rest_is_kept(store: Store, record: Callable[..., RunRecording]) -> None:
    """Nothing listens for it, and no file is left."""
    recording = record(trace=TraceTerms(is_kept=False))
    recording.run_started(RUN)
    stage(recording, 0)
    recording.run_finished("r", "completed", None)
    assert store.telemetry.event_counts("r")["crucible_train.batch.stop"] == 2
    assert store.traces.load("r") == []
    assert not (store.artifacts_dir / "r" / "trace.json").exists()


def test_a_stage_that_cannot_be_kept_takes_nothing_with_it(store: Store, record: Callable[..., RunRecording]) -> None:
    """Its record, telemetry and trace are one: none is kept, and the next call keeps what happened."""
    recording = record()
    recording.run_started(RUN)
    stage(recording, 0)
    before = store.telemetry.event_counts("r")
    with pytest.raises(StoreError, match="the artifact a has no path"):
        stage(recording, 1, ContextDelta(artifacts={"a": {}}))
    assert [entry.status for entry in store.runs.stages("r")] == ["ok", "running"]
    assert told(store) == ["kept 0"]
    recording.run_finished("r", "failed", None)
    assert told(store) == ["kept 0", "kept 1"]
    assert store.telemetry.event_counts("r")["crucible_train.batch.stop"] == 4
    assert before["crucible_train.batch.stop"] == 2
    assert store.runs.stages("r")[1].status == "cancelled"


def test_a_write_lost_in_the_middle_of_a_stage_is_told_at_once(
    store: Store, record: Callable[..., RunRecording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, on another thread, while the stage goes on; the stage's end then raises."""
    heard, told_of = threading.Event(), list[StoreError]()

    def on_failure(error: StoreError) -> None:
        told_of.append(error)
        heard.set()

    def refuse(*_: object, **_how: object) -> None:
        raise StoreError("crucible.db: cannot save telemetry: the disk is full")

    recording = record(on_failure=on_failure)
    recording.run_started(RUN)
    assert recording.failure is None
    monkeypatch.setattr(store.telemetry, "write_events", refuse)
    with events.scope(run_id="r"):
        events.emit("x")
        assert heard.wait(30)
        events.emit("x")
    with pytest.raises(StoreError, match=r"2 events of run r could not be recorded: .* disk is full"):
        recording.stage_finished("r", StageRecord(0, "s", "ok"), ContextDelta())
    assert told_of == [recording.failure]
    with pytest.raises(StoreError, match="2 events of run r"):
        recording.run_finished("r", "failed", None)
    assert store.runs.run("r").status == "failed"


def test_a_run_that_was_taken_over_is_told_at_once(
    store: Store, record: Callable[..., RunRecording], tmp_path: Path
) -> None:
    """The heartbeat notices; what the old attempt writes is refused, and the new one's run is left as it is."""
    heard = threading.Event()
    recording = record(on_failure=lambda _: heard.set())
    recording.run_started(RUN)
    with open_store(tmp_path / "store") as other:
        other.runs.claim_for_resume("r", force=True)
        assert heard.wait(30)
        assert "taken over by another process" in str(recording.failure)
        for write in (
            lambda: recording.stage_started("r", StageRecord(0, "s", "running")),
            lambda: recording.run_finished("r", "failed", None),
        ):
            with pytest.raises(StoreError, match="taken over"):
                write()
        assert other.runs.run("r").status == "running"
        assert other.runs.stages("r") == []


def test_the_lease_is_renewed_until_the_run_ends(store: Store, record: Callable[..., RunRecording]) -> None:
    """However long a stage takes; no thread is left behind."""
    before = threading.active_count()
    recording = record()
    recording.run_started(RUN)
    first = store.runs.run("r").lease_expires_at or ""
    waited = threading.Event()
    for _ in range(200):
        if (store.runs.run("r").lease_expires_at or "") > first:
            break
        waited.wait(0.05)
    assert (store.runs.run("r").lease_expires_at or "") > first
    recording.run_finished("r", "completed", None)
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat-r"]
    recording.close()
    assert threading.active_count() == before


def test_a_run_that_starts_marks_those_that_died(store: Store, record: Callable[..., RunRecording]) -> None:
    """Nobody has to list runs for an orphan to be found."""
    script = (
        "import os, sys\n"
        "from crucible.pipeline import RunInfo\n"
        "from crucible.store import open_store\n"
        "open_store(sys.argv[1]).runs.run_started(RunInfo('dead', 'e', {}))\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", script, store.location], check=False)
    record().run_started(RUN)
    with store.database.reading("look") as connection:
        status = connection.exec_driver_sql("SELECT status FROM runs WHERE run_id = 'dead'").scalar()
    assert status == "interrupted"


STAGES = """
import sys
import alembic.command
from crucible import events
from crucible.assembly.recording import RunRecording
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import open_store
store = open_store(sys.argv[1])
recording = RunRecording(store, sys.argv[2], "e", store.workspace(sys.argv[2]))
recording.run_started(RunInfo(sys.argv[2], "e", {}))
file = {"path": "a", "sha256": "0" * 64, "size_bytes": 1, "media_type": "x", "made_from": ["a"]}
with events.scope(run_id=sys.argv[2]):
    for index in range(100_000):
        with events.scope(stage="s", stage_index=index):
            recording.stage_started(sys.argv[2], StageRecord(index, "s", "running"))
            with events.span("crucible_framework.stage", {"stage": "s", "stage_index": index}):
                events.emit("x", {"step": index, "loss": 0.5})
            done = StageRecord(index, "s", "ok", duration_ns=1)
            recording.stage_finished(sys.argv[2], done, ContextDelta({"n": index}, [], {f"a{index}": file}))
        print(index, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_kill_9_at_any_point_leaves_whole_stages(tmp_path: Path) -> None:
    """What was said to be kept is there, each stage with all of its telemetry, trace, context and files, or not."""
    folder = str(tmp_path / "store")
    open_store(folder).close()
    for number, lines in enumerate((1, 2, 5, 20, 41)):
        run_id = f"r{number}"
        child = subprocess.Popen([sys.executable, "-c", STAGES, folder, run_id], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        with open_store(folder) as store:
            assert store.runs.mark_orphans() == [run_id]
            stages = store.runs.stages(run_id)
            done = [entry.index for entry in stages if entry.status == "ok"]
            assert len(done) >= len([line for line in said if line.endswith("\n")])
            assert done == list(range(len(done)))
            assert [entry.status for entry in stages[len(done) :]] in ([], ["cancelled"])
            state = store.runs.resume_state(run_id)
            assert [delta.metrics for delta in state.deltas.values()] == [{"n": index} for index in done]
            assert [entry.name for entry in store.runs.artifacts(run_id)] == [f"a{index}" for index in done]
            chain = stored_chain(store, run_id)
            ended = [event for event in chain or () if event.type == "stage_completed"]
            assert len(ended) == len(done)
            counts = store.telemetry.event_counts(run_id)
            assert counts["x"] >= len(done)
            assert counts["crucible_framework.stage.stop"] >= len(done)
            assert len(store.telemetry.points(run_id, "x:loss")) == counts["x"]
            assert store.runs.claim_for_resume(run_id).attempt == 2


FULL = """
import os, resource, sys
import alembic.command
from crucible import events
from crucible.assembly.recording import RunRecording
from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import open_store
store = open_store(sys.argv[1])
recording = RunRecording(store, "r", "e", store.workspace("r"))
recording.run_started(RunInfo("r", "e", {}))
done = 0
with events.scope(run_id="r"):
    for index in range(10_000):
        if index == 3:
            size = os.path.getsize(os.path.join(sys.argv[1], "crucible.db-wal")) + 300_000
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            recording.stage_started("r", StageRecord(index, "s", "running"))
            events.emit("x", {"step": index, "loss": 0.5}, {"text": "t" * 1000})
            recording.stage_finished("r", StageRecord(index, "s", "ok"), ContextDelta({"n": index}))
        except StoreError as error:
            print(done, error)
            break
        done += 1
try:
    recording.run_finished("r", "failed", None)
except StoreError:
    pass
recording._collector.stop()
"""


@pytest.mark.skipif(os.name != "posix", reason="resource limits of POSIX")
def test_a_full_disk_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    """The stage that did not fit is named; all before it is there."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "store")]
    # Where coverage is measured, the process could not write that file either.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    count, _, said = done.stdout.partition(" ")
    assert "crucible.db: cannot save" in said, done.stderr
    assert "the disk is full" in said
    with open_store(tmp_path / "store") as store:
        kept = [entry for entry in store.runs.stages("r") if entry.status == "ok"]
        assert len(kept) == int(count) >= 3


def test_a_recording_that_did_not_start_writes_nothing(store: Store, record: Callable[..., RunRecording]) -> None:
    """The run whose id it wanted, which still goes on, keeps its status, its trace and its telemetry."""
    first, second = record(), record()
    first.run_started(RUN)
    stage(first, 0)
    with pytest.raises(StoreError, match=r"r exists already \(running\)"):
        second.run_started(RUN)
    assert not second.has_started
    assert "exists already" in str(second.start_error)
    second.run_finished("r", "failed", None)
    second.close()
    assert store.runs.run("r").status == "running"
    stage(first, 1)
    first.run_finished("r", "completed", None)
    assert first.has_started
    assert first.start_error is None
    assert store.runs.run("r").status == "completed"
    assert told(store) == ["kept 0", "kept 1"]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("no thread"), "failed"), (KeyboardInterrupt(), "cancelled")]
)
def test_a_run_that_cannot_be_listened_to_ends_at_once(
    store: Store,
    record: Callable[..., RunRecording],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: str,
) -> None:
    """Its row is written already, so its end is, too: nobody is left with a run that seems to go on."""

    def refuse(*_: object, **_how: object) -> None:
        raise error

    monkeypatch.setattr("crucible.store.Heartbeat.start", refuse)
    recording = record()
    with pytest.raises(type(error)):
        recording.run_started(RUN)
    recording.run_finished("r", "completed", None)
    assert recording.start_error is error
    assert store.runs.run("r").status == status


def _killed(store: Store, terms: TraceTerms) -> None:
    """Leave a run as a process does that dies after two stages."""
    recording = RunRecording(store, "r", "e", store.workspace("r"), trace=terms)
    recording.run_started(RUN)
    stage(recording, 0)
    stage(recording, 1)
    recording.close()  # nothing is written here
    store.runs.run_finished("r", "failed", None)  # what whoever finds it notes


def test_a_sealed_run_that_died_verifies(store: Store) -> None:
    """What was sealed until the last stage ended holds, and the run goes on sealed by itself."""
    _killed(store, TraceTerms(is_sealed=True))
    found = stored_chain(store, "r")
    assert found is not None
    assert len(found) == 6
    assert verify(found).ok
    store.runs.claim_for_resume("r")
    recording = RunRecording(store, "r", "e", store.workspace("r"))
    recording.run_started(RUN)
    stage(recording, 2)
    recording.run_finished("r", "completed", None)
    recording.close()
    whole = stored_chain(store, "r")
    assert whole is not None
    assert len(whole) == 9
    assert verify(whole).ok
    assert verify(Chain.load(store.workspace("r") / "trace.json")).ok


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("DELETE FROM trace_events WHERE decision = 'kept 1'", "dropped"),
        ("DELETE FROM trace_events", "the last 6 events were dropped"),
        ("UPDATE trace_events SET decision = 'kept 7' WHERE decision = 'kept 0'", "altered"),
        ("UPDATE trace_events SET hash = '6:' || substr(hash, 3) WHERE decision = 'kept 1'", "event 5"),
    ],
)
@pytest.mark.parametrize("is_signed", [True, False])
def test_what_was_tampered_with_is_not_gone_on_with(store: Store, tampering: str, words: str, is_signed: bool) -> None:
    """A run whose sealed trace was changed after it died is not resumed with it, let alone signed again."""
    terms = TraceTerms(is_sealed=True, signer=Signer.generate() if is_signed else None)
    _killed(store, terms)
    with store.database.writing("tamper") as connection:
        connection.exec_driver_sql(tampering)
    with pytest.raises(SpecError, match=words) as caught:
        RunRecording(store, "r", "e", store.workspace("r"), trace=terms)
    assert "--no-trace" in str(caught.value)


def test_a_signed_run_needs_its_key(store: Store) -> None:
    """A run whose trace is signed goes on with the same key, with no other and not without."""
    signer = Signer.generate()
    _killed(store, TraceTerms(is_sealed=True, signer=signer))
    other = TraceTerms(is_sealed=True, signer=Signer.generate())
    for terms, words in ((TraceTerms(), "give the key again"), (other, "the ledger is signed with")):
        with pytest.raises(SpecError, match=words):
            RunRecording(store, "r", "e", store.workspace("r"), trace=terms)
    chain = stored_chain(store, "r")
    assert chain is not None
    assert verify(chain, public_key=signer.public_key).ok
    RunRecording(store, "r", "e", store.workspace("r"), trace=TraceTerms(is_sealed=True, signer=signer)).close()


def test_the_chain_of_a_run_is_its_own(store: Store) -> None:
    """A chain that somebody saved for a run before its own began is not taken for the run's."""
    mine = Chain("my analysis")
    mine.add(Event.new("decision_made", "mine", "because"))
    store.runs.run_started(RUN)
    TraceStore(store).save(mine, run_id="r")
    assert stored_chain(store, "r") is None
    store.runs.run_finished("r", "failed", None)
    store.runs.claim_for_resume("r")
    recording = RunRecording(store, "r", "e", store.workspace("r"))
    recording.run_started(RUN)
    stage(recording, 0)
    recording.run_finished("r", "completed", None)
    recording.close()
    own = stored_chain(store, "r")
    assert own is not None
    assert "kept 0" in [event.decision for event in own]
    assert TraceStore(store).load(mine.id) == mine


def test_a_trace_that_is_not_kept_is_not_sealed(tmp_path: Path) -> None:
    """Asking for both is a contradiction; a key with a password takes it from the environment."""
    with pytest.raises(SpecError, match="leave out either --no-trace or --seal"):
        TraceTerms.of({"trace": False, "seal": True})
    key = Signer.generate().save(tmp_path / "key.pem", password="secret")
    with pytest.raises(SpecError, match="password"):
        TraceTerms.of({"sign_with": key})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, "secret")
        assert TraceTerms.of({"sign_with": key}).is_sealed


def test_a_run_that_was_cancelled_for_want_of_a_record_failed(
    store: Store, record: Callable[..., RunRecording]
) -> None:
    """Nobody asked it to stop: it stands as failed, with what could not be written."""
    recording = record()
    recording.run_started(RUN)
    recording._fail(StoreError("the disk is full"))
    recording.run_finished("r", "cancelled", None)
    run = store.runs.run("r")
    assert run.status == "failed"
    assert run.failure is not None
    assert "the disk is full" in run.failure.message


def test_a_sealed_run_that_dies_at_its_very_end_verifies(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last events and what vouches for them are kept together, before the chain is written whole."""
    recording = RunRecording(store, "r", "e", store.workspace("r"), trace=TraceTerms(is_sealed=True))
    recording.run_started(RUN)
    stage(recording, 0)
    with events.scope(run_id="r"):
        events.decision("the last word", "because")

    def dies(*_args: Any, **_fields: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(TraceStore, "save", dies)
    with pytest.raises(StoreError, match="full"):
        recording.run_finished("r", "completed", None)
    recording.close()
    monkeypatch.undo()
    found = stored_chain(store, "r")
    assert found is not None
    assert found[-1].decision == "the last word"
    assert verify(found).ok
