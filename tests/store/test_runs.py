"""Runs are kept, read, compared, resumed and owned, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crucible.errors import StoreError
from crucible.ir import Difference
from crucible.pipeline import ContextDelta, Failure, RunInfo, RunRecorder, StageRecord
from crucible.store import Store, open_store

REF = {"path": "a.txt", "sha256": "0" * 64, "size_bytes": 3, "media_type": "text/plain", "made_from": []}
START = "2026-01-01T00:00:00+00:00"


def info(run_id: str, **changes: object) -> RunInfo:
    """Return a run of a small document."""
    document = {"id": "triage", "pipeline": [{"name": "train", "options": {"rank": 2}}], **changes}
    return RunInfo(run_id, "triage", document, "triage.yaml", f"/runs/{run_id}", {"seed": 7, "note": "ü\u0000\ud7ff"})


def record(index: int, status: str, attempt: int = 1, **fields: object) -> StageRecord:
    """Return an attempt at a stage."""
    return StageRecord(index, f"stage{index}", status, attempt=attempt, started_at=START, **fields)  # type: ignore[arg-type]


def die_while_running(url: str, run_id: str) -> int:
    """Start a run and a stage in a process that is then killed; return its id."""
    script = (
        "import os, signal, sys\n"
        "from crucible.pipeline import RunInfo, StageRecord\n"
        "from crucible.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "store.runs.run_started(RunInfo(sys.argv[2], 'triage', {'id': 'triage'}))\n"
        "store.runs.stage_started(sys.argv[2], StageRecord(0, 'stage0', 'running', started_at='x'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, url, run_id])
    child.wait()
    return child.pid


def test_the_repository_is_a_run_recorder(store: Store) -> None:
    """The runner may write to it."""
    recorder: RunRecorder = store.runs
    recorder.run_started(info("r"))
    assert store.runs.run("r").status == "running"


def test_a_run_comes_back_as_it_was(store: Store, opened: Callable[[], Store]) -> None:
    """Everything about a run is read back by another connection."""
    store.runs.run_started(info("r1"))
    failure = Failure("ValueError", "no\nway", "Traceback …")
    store.runs.run_finished("r1", "failed", failure)
    run = opened().runs.run("r1")
    assert (run.run_id, run.experiment_id, run.status, run.attempt) == ("r1", "triage", "failed", 1)
    assert (run.source, run.workspace, run.failure) == ("triage.yaml", "/runs/r1", failure)
    assert run.provenance == {"seed": 7, "note": "ü\u0000\ud7ff"}
    assert run.experiment == info("r1").experiment
    assert run.owner.pid == os.getpid()
    assert run.finished_at is not None
    assert run.started_at <= run.finished_at


def test_times_come_from_the_clock(url: str) -> None:
    """The clock that is given to the store stamps its rows, in UTC."""
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with open_store(url, clock=lambda: moment) as store:
        store.runs.run_started(info("r"))
        assert store.runs.run("r").started_at == "2026-03-01T12:00:00.000000+00:00"


def test_the_latest_run_is_listed_first(url: str) -> None:
    """Runs are listed by their start, at most as many as asked for."""
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(100))
    with open_store(url, clock=lambda: next(times)) as store:
        for name in ("b", "c", "a"):
            store.runs.run_started(info(name))
        store.runs.run_started(RunInfo("other", "else", {"id": "else"}))
        assert [run.run_id for run in store.runs.list()] == ["other", "a", "c", "b"]
        assert [run.run_id for run in store.runs.list(limit=2)] == ["other", "a"]


def test_an_id_is_not_used_twice(store: Store) -> None:
    """A second run of the same id is refused, also while the first one still runs."""
    store.runs.run_started(info("r1"))
    with pytest.raises(StoreError, match=r"r1 exists already \(running\)"):
        store.runs.run_started(info("r1"))
    store.runs.run_finished("r1", "completed", None)
    with pytest.raises(StoreError, match=r"r1 exists already \(completed\)"):
        store.runs.run_started(info("r1"))


def test_the_unique_beginning_of_an_id_will_do(store: Store) -> None:
    """A run is found by its id or by a beginning that fits it alone; an id that begins another is still itself."""
    for name in ("2026-aa", "2026-ab", "2026-ab-2", "x_1", "x%1"):
        store.runs.run_started(info(name))
    assert store.runs.run("2026-aa").run_id == "2026-aa"
    assert store.runs.run("2026-ab").run_id == "2026-ab"
    assert store.runs.run("2026-ab-").run_id == "2026-ab-2"
    assert store.runs.run("x%").run_id == "x%1"
    with pytest.raises(StoreError, match='"2026" fits 3 runs: 2026-aa, 2026-ab, 2026-ab-2; give more'):
        store.runs.run("2026")


def test_an_unknown_id_is_answered_with_known_ones(store: Store) -> None:
    """The message names the latest runs, or the one that was probably meant, or that there is none."""
    with pytest.raises(StoreError, match=r'no run "a" in .*holds no run yet'):
        store.runs.run("a")
    for name in ("20260101-aaaa", "20260102-bbbb", "20260103-cccc", "20260104-dddd"):
        store.runs.run_started(info(name))
    with pytest.raises(StoreError, match=r"latest runs are 20260104-dddd, 20260103-cccc, 20260102-bbbb$"):
        store.runs.run("zzz")
    with pytest.raises(StoreError, match=r'did you mean "20260102-bbbb"\?'):
        store.runs.run("20260102-bbxb")
    with pytest.raises(StoreError, match="latest runs are"):
        store.runs.run("")


@pytest.mark.parametrize("call", ["stage_started", "stage_finished", "run_finished"])
def test_nothing_is_kept_of_a_run_that_never_started(store: Store, call: str) -> None:
    """A record of an unknown run is an error, not a row without a run."""
    arguments = {
        "stage_started": (record(0, "running"),),
        "stage_finished": (record(0, "ok"), ContextDelta()),
        "run_finished": ("completed", None),
    }
    with pytest.raises(StoreError, match='no run "ghost"'):
        getattr(store.runs, call)("ghost", *arguments[call])


def test_stages_keep_one_row_an_attempt(store: Store) -> None:
    """The end of an attempt replaces its start; an earlier attempt stays; the last one is shown."""
    store.runs.run_started(info("r"))
    failure = Failure("OSError", "full", "")
    store.runs.stage_started("r", record(0, "running"))
    assert [entry.status for entry in store.runs.stages("r")] == ["running"]
    store.runs.stage_finished("r", record(0, "failed", duration_ns=5, error=failure), ContextDelta())
    store.runs.stage_finished("r", record(1, "skipped", reason="enabled: false"), ContextDelta())
    store.runs.stage_started("r", record(0, "running", attempt=2))
    store.runs.stage_finished("r", record(0, "ok", attempt=2, duration_ns=2**40), ContextDelta())
    last = store.runs.stages("r")
    assert [(entry.index, entry.attempt, entry.status) for entry in last] == [(0, 2, "ok"), (1, 1, "skipped")]
    assert (last[0].duration_ns, last[0].started_at, last[1].reason) == (2**40, START, "enabled: false")
    every = store.runs.stages("r", all_attempts=True)
    assert [(entry.index, entry.attempt) for entry in every] == [(0, 1), (0, 2), (1, 1)]
    assert every[0].error == failure


def test_a_record_says_what_its_stage_measured(store: Store) -> None:
    """Metrics come back with the attempt that added them, and with no other."""
    store.runs.run_started(info("r"))
    store.runs.stage_finished("r", record(0, "failed"), ContextDelta(metrics={"lost": 1}))
    store.runs.stage_finished("r", record(0, "ok", attempt=2, metrics={"loss": 0.5}), ContextDelta({"loss": 0.5}))
    assert [entry.metrics for entry in store.runs.stages("r", all_attempts=True)] == [{}, {"loss": 0.5}]


def test_a_fallback_is_a_further_attempt_under_its_own_name(store: Store) -> None:
    """The last attempt at the place counts, whatever its name, and the failed one keeps its error."""
    store.runs.run_started(info("r"))
    failure = Failure("OSError", "full", "")
    store.runs.stage_finished("r", record(0, "failed", error=failure), ContextDelta())
    fallback = StageRecord(0, "plan_b", "ok", attempt=2, started_at=START)
    store.runs.stage_finished("r", fallback, ContextDelta({"n": 2}))
    store.runs.stage_finished("r", record(1, "ok"), ContextDelta({"m": 3}))
    assert [(entry.name, entry.status) for entry in store.runs.stages("r")] == [("plan_b", "ok"), ("stage1", "ok")]
    assert store.runs.stages("r", all_attempts=True)[0].error == failure
    assert list(store.runs.snapshot("r").metrics.items()) == [("n", 2), ("m", 3)]
    assert store.runs.resume_state("r").completed[0].name == "plan_b"


def test_a_stage_that_was_skipped_for_its_error_keeps_it(store: Store) -> None:
    """`on_error: skip` leaves a skipped stage that says what was wrong, and adds nothing."""
    store.runs.run_started(info("r"))
    failure = Failure("ValueError", "no labels", "Traceback …")
    skipped = record(0, "skipped", error=failure, reason="on_error: skip", duration_ns=9)
    store.runs.stage_finished("r", skipped, ContextDelta(metrics={"n": 1}))
    assert store.runs.stages("r") == [skipped]
    assert store.runs.snapshot("r").metrics == {}


def test_a_run_that_ended_has_no_running_stage(store: Store) -> None:
    """Where the end of a stage could not be kept, the run's end says so."""
    store.runs.run_started(info("r"))
    store.runs.stage_started("r", record(0, "running"))
    store.runs.run_finished("r", "failed", None)
    [stage] = store.runs.stages("r")
    assert (stage.status, stage.reason) == (
        "cancelled",
        "the run ended (failed) before the end of this stage was recorded",
    )


def test_the_context_is_the_fold_of_what_stages_added(store: Store) -> None:
    """Later stages win, outputs are appended, and a stage that failed adds nothing."""
    store.runs.run_started(info("r"))
    first = ContextDelta({"loss": 1.0, "n": 1}, [{"a": 1}], {"log": REF, "other": REF}, {"provenance": {"seed": 1}})
    later = ContextDelta({"loss": 0.5}, [{"b": 2}], {"log": {**REF, "size_bytes": 4}}, {})
    store.runs.stage_finished("r", record(1, "ok"), later)
    store.runs.stage_finished("r", record(0, "ok"), first)
    store.runs.stage_finished("r", record(2, "failed"), ContextDelta(metrics={"loss": -1.0}))
    snapshot = store.runs.snapshot("r")
    assert snapshot.metrics == {"loss": 0.5, "n": 1}
    assert snapshot.outputs == [{"a": 1}, {"b": 2}]
    assert snapshot.artifacts == {"log": {**REF, "size_bytes": 4}, "other": REF}
    assert snapshot.assigns == {"provenance": {"seed": 1}}


def test_a_stage_that_is_done_again_replaces_what_it_added(store: Store) -> None:
    """Nothing of an earlier attempt is left, artifacts included."""
    store.runs.run_started(info("r"))
    store.runs.stage_finished("r", record(0, "ok"), ContextDelta({"old": 1}, [{}], {"old": REF}, {"old": 1}))
    store.runs.stage_finished("r", record(0, "ok", attempt=2), ContextDelta({"new": 1}, [], {"new": REF}, {}))
    assert store.runs.snapshot("r") == ContextDelta({"new": 1}, [], {"new": REF}, {})


def test_a_stage_is_kept_whole_or_not_at_all(store: Store) -> None:
    """If the artifacts of a stage cannot be written, neither is its end."""
    store.runs.run_started(info("r"))
    with pytest.raises(StoreError, match="save the end of stage stage0 .* log has no sha256, size_bytes, media_type"):
        store.runs.stage_finished("r", record(0, "ok"), ContextDelta(artifacts={"log": {"path": "a"}}))
    with pytest.raises(StoreError, match="cannot save the end of stage stage0"):
        store.runs.stage_finished("r", record(0, "ok"), ContextDelta(artifacts={"log": {**REF, "size_bytes": [1]}}))
    assert store.runs.stages("r") == []
    store.runs.stage_finished("r", record(0, "ok"), ContextDelta(artifacts={"log": REF}))
    assert store.runs.snapshot("r").artifacts == {"log": REF}


def test_a_run_can_go_on_where_it_stood(store: Store) -> None:
    """The runner gets what each completed stage added, their records, and how often each was tried."""
    store.runs.run_started(info("r"))
    first = ContextDelta({"n": 1}, [{"a": 1}], {"log": REF}, {"seed": 1})
    store.runs.stage_finished("r", record(0, "ok"), first)
    store.runs.stage_finished("r", record(1, "failed"), ContextDelta())
    store.runs.stage_finished("r", record(1, "cancelled", attempt=2), ContextDelta())
    state = store.runs.resume_state("r")
    assert state.deltas == {0: first}
    assert state.completed[0].metrics == {"n": 1}
    assert list(state.completed) == [0]
    assert state.attempts == {0: 1, 1: 2}


def test_runs_are_compared_by_path(store: Store) -> None:
    """The differences of document, metrics and stages are listed, how long they took apart; equal is nothing."""
    for name, rank, loss in (("a1", 2, 1.0), ("b1", 16, 0.5), ("b2", 16, 0.5)):
        store.runs.run_started(info(name, pipeline=[{"name": "train", "options": {"rank": rank}}]))
        delta = ContextDelta(metrics={"train": {"loss": loss}})
        store.runs.stage_finished(name, record(0, "ok", duration_ns=rank), delta)
    found = store.runs.compare("a", "b1")
    assert (found.a, found.b) == ("a1", "b1")
    assert found.experiment == [Difference("pipeline[0].options.rank", "changed", 2, 16)]
    assert found.metrics == [Difference("train.loss", "changed", 1.0, 0.5)]
    assert found.stages == []
    assert found.durations == [Difference("[0].duration_ns", "changed", 2, 16)]
    same = store.runs.compare("b1", "b2")
    assert same.experiment == same.metrics == same.stages == []


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_run_that_ended_badly_can_be_claimed(store: Store, status: str) -> None:
    """It is this process's again, and the runner may start it under its id, in a folder that may have moved."""
    store.runs.run_started(info("r1"))
    store.runs.run_finished("r1", status, Failure("E", "m"))  # type: ignore[arg-type]
    claimed = store.runs.claim_for_resume("r")
    assert (claimed.status, claimed.attempt, claimed.failure, claimed.finished_at) == ("running", 2, None, None)
    store.runs.run_started(RunInfo("r1", "triage", {"id": "triage"}, None, "/moved", {"seed": 0}))
    run = store.runs.run("r1")
    assert (run.attempt, run.workspace, run.provenance["seed"]) == (2, "/moved", 7)


def test_a_completed_run_cannot_be_claimed(store: Store) -> None:
    """There is nothing to resume, and the message says so."""
    store.runs.run_started(info("r"))
    store.runs.run_finished("r", "completed", None)
    with pytest.raises(StoreError, match="r is completed, so there is nothing to resume"):
        store.runs.claim_for_resume("r")


def test_a_living_run_cannot_be_claimed(store: Store) -> None:
    """Two processes never work on the same run, unless the user insists."""
    store.runs.run_started(info("r"))
    with pytest.raises(StoreError, match=rf"r is still running \(process {os.getpid()} on "):
        store.runs.claim_for_resume("r")
    assert store.runs.claim_for_resume("r", force=True).attempt == 2


def test_a_run_whose_process_was_killed_is_interrupted(url: str, opened: Callable[[], Store]) -> None:
    """It is shown as interrupted at once, written down by mark_orphans, and its stage says what happened."""
    pid = die_while_running(url, "dead")
    store = opened()
    store.runs.run_started(info("alive"))
    assert {run.run_id: run.status for run in store.runs.list()} == {"dead": "interrupted", "alive": "running"}
    assert store.runs.mark_orphans() == ["dead"]
    assert store.runs.mark_orphans() == []
    assert store.runs.run("dead").status == "interrupted"
    [stage] = store.runs.stages("dead")
    assert stage.status == "cancelled"
    assert f"its process ({pid} on " in (stage.reason or "")


def test_a_run_whose_process_was_killed_can_be_claimed(url: str, opened: Callable[[], Store]) -> None:
    """Another process takes it over without marking it first."""
    die_while_running(url, "dead")
    store = opened()
    assert store.runs.claim_for_resume("dead").owner.pid == os.getpid()
    assert [stage.status for stage in store.runs.stages("dead")] == ["cancelled"]
    with pytest.raises(StoreError, match="still running"):
        opened().runs.claim_for_resume("dead")


def test_only_one_of_two_claims_succeeds(url: str, opened: Callable[[], Store]) -> None:
    """Processes that resume the same run at the same time do not both get it."""
    store = opened()
    store.runs.run_started(info("r"))
    store.runs.run_finished("r", "failed", None)
    script = (
        "import sys\n"
        "from crucible.errors import StoreError\n"
        "from crucible.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    print('ready', flush=True)\n"
        "    input()\n"
        "    try:\n"
        "        store.runs.claim_for_resume('r')\n"
        "        print('claimed', flush=True)\n"
        "    except StoreError as error:\n"
        "        print('refused' if 'still running' in str(error) else error, flush=True)\n"
        "    input()\n"
    )
    command = [sys.executable, "-c", script, url]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
    answers = [child.stdout.readline().strip() for child in children if child.stdout]
    for child in children:
        child.communicate("end\n")
    assert sorted(answers) == ["claimed", "refused", "refused"]
