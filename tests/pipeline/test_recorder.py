"""What the recorder is told, and what a record that is lost does."""

import threading
from typing import Any

import pytest

from crucible.errors import StoreError
from crucible.ir import to_dict

PLACES = ["stage_started", "stage_finished", "run_finished"]


def test_it_is_told_the_whole_run(lab: Any) -> None:
    """The run's start holds the document, its source and the caller's provenance."""
    lab.run("count", run_id="r1", source="e.yaml", assigns={"provenance": {"seed": 1}})
    info = lab.memory.calls[0][1]
    assert (info.run_id, info.experiment_id, info.source) == ("r1", "e", "e.yaml")
    assert info.experiment == to_dict(lab.experiment("count"))
    assert info.workspace == str(lab.workspace)
    assert info.provenance == {"seed": 1}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["thread", "loop", "branch"])
def test_a_lost_record_fails_the_run(lab: Any, place: str, kind: str) -> None:
    """A record that cannot be kept ends the run as a failure, wherever it is lost; no further stage runs."""
    lab.memory.fail_at = place
    name = "later" if kind == "loop" else "count"
    result = lab.run({"name": name, "needs": [] if kind == "branch" else None, "on_error": "skip"}, "count")
    assert result.status == "failed"
    assert isinstance(result.error, StoreError)
    assert (result.failure.type, result.failure.message) == ("StoreError", "disk full")
    assert result.failed is None
    started = lab.memory.names.count("stage_started")
    assert started == {"stage_started": 0, "stage_finished": 1, "run_finished": 2}[place]


def test_a_run_that_could_not_start_has_no_end(lab: Any) -> None:
    """Where the recorder refuses a run, as for an id that is taken, its error is raised and it is told no more."""
    lab.memory.fail_at = "run_started"
    with pytest.raises(StoreError, match="disk full"):
        lab.run("count")
    assert lab.memory.calls == []


def test_the_first_failure_is_the_runs(lab: Any) -> None:
    """A stage that failed is what is told, though its end cannot be kept either."""
    lab.memory.fail_at = "run_finished"
    assert lab.run("boom").failure.message == "broken glass"


def test_a_failure_that_cannot_be_kept(lab: Any) -> None:
    """Where a failed attempt's record is lost, the run fails for the lost record; the stage's error is its context."""
    lab.memory.fail_at = "stage_finished"
    result = lab.run({"name": "boom", "on_error": "skip"}, "count")
    assert isinstance(result.error, StoreError)
    assert "broken glass" in result.failure.traceback
    assert lab.memory.names == ["run_started", "stage_started", "run_finished"]


def test_nothing_is_kept_without_a_recorder(lab: Any) -> None:
    """The runner needs no recorder, and then does not even write the document out."""
    from crucible.pipeline import Runner

    result = Runner(lab.registry).run(lab.experiment("count", "boom"), workspace=lab.workspace)
    assert [record.status for record in result.stages] == ["ok", "failed"]


def test_calls_never_overlap(lab: Any) -> None:
    """Thirty branches on as many threads, and the recorder hears one call at a time."""
    together = threading.Barrier(30, timeout=30)

    @lab.stage
    def meet(context: Any, options: Any) -> Any:
        together.wait()
        return context

    entries = [{"name": "meet", "id": f"b{i}", "needs": []} for i in range(30)]
    runner = lab.runner(max_parallel=30)
    assert runner.run(lab.experiment(*entries, "count"), workspace=lab.workspace).status == "completed"
    assert lab.memory.overlaps == 0
    assert lab.memory.names.count("stage_finished") == 31


@pytest.mark.parametrize("needs", [None, []])
def test_started_comes_before_finished(lab: Any, needs: Any) -> None:
    """Every attempt's end has its start before it, with the same number."""
    entries = [{"name": name, "id": f"{i}", "needs": needs} for i, name in enumerate(["later", "count"])]
    lab.run(*entries, {"name": "boom", "retry": {"attempts": 3, "wait_initial_s": 0.0}, "on_error": "continue"})
    open_attempts: set[tuple[int, int]] = set()
    for what, value in lab.memory.calls[1:-1]:
        record = value if what == "stage_started" else value[0]
        if what == "stage_started":
            assert (record.status, record.duration_ns) == ("running", 0)
            open_attempts.add((record.index, record.attempt))
        else:
            open_attempts.remove((record.index, record.attempt))
    assert open_attempts == set()
