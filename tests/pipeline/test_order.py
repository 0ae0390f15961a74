"""Stages run in order, each on what the ones before it left; what runs is named and counted exactly."""

import asyncio
import threading
from typing import Any

import pytest

from crucible.errors import ContractError
from crucible.pipeline import Runner, new_run_id, stage


def test_stages_run_in_order_with_options_and_defaults(lab: Any) -> None:
    """Sync and async stages see each other's context in order; options have their defaults."""
    result = lab.run("count", {"name": "count", "options": {"by": 5}}, "later", "count")
    assert result.status == "completed"
    assert result.context.metrics == {"n": 7, "later": True}
    assert [(record.index, record.status) for record in result.stages] == [(i, "ok") for i in range(4)]
    assert result.raise_for_status() is result
    assert result.passed_over == ()
    assert repr(result) == f"RunResult(run_id={result.run_id!r}, status='completed', stages=4)"


def test_the_recorder_hears_each_attempt_start_before_it_ends(lab: Any) -> None:
    """Calls come in order: the run, each stage's start and end, the run's end."""
    lab.run("count", "later", "count")
    assert lab.memory.names == ["run_started", *["stage_started", "stage_finished"] * 3, "run_finished"]
    assert [delta.metrics for _, delta in lab.memory.finished] == [{"n": 1}, {"later": True}, {"n": 2}]


def test_a_record_says_what_the_stage_changed(lab: Any) -> None:
    """A stage's record holds its attempt, start, duration and the metrics that it set, and no others."""
    first, second = lab.run("later", "count").stages
    assert (first.metrics, second.metrics) == ({"later": True}, {"n": 1})
    assert second.attempt == 1
    assert second.duration_ns > 0
    assert second.started_at.endswith("+00:00")
    assert second.error is None
    assert second.reason is None


def test_disabled_stage_is_skipped_and_recorded(lab: Any) -> None:
    """enabled: false runs nothing, and leaves a record that says why; not even its options are read."""
    result = lab.run({"name": "nobody", "enabled": False, "options": {"x": 1}}, "count")
    assert [(record.name, record.status) for record in result.stages] == [("nobody", "skipped"), ("count", "ok")]
    assert result.stages[0].reason == "enabled: false"
    assert lab.memory.names[1] == "stage_finished"
    assert result.context.completed_stages == ["count"]


def test_the_same_stage_twice_is_two_records(lab: Any) -> None:
    """Bookkeeping goes by place in the pipeline, not by name."""
    result = lab.run("count", "count")
    assert [(record.index, record.metrics) for record in result.stages] == [(0, {"n": 1}), (1, {"n": 2})]
    assert result.context.completed_stages == ["count", "count"]
    assert result.context.stage_completed("count")
    assert not result.context.stage_completed("later")


def test_a_stage_sees_what_is_assigned_and_what_is_completed(lab: Any) -> None:
    """`assigns` of the caller are in the context of the first stage; earlier stages are listed."""

    @lab.stage
    def look(context: Any, options: Any) -> Any:
        return context.put_metric("seen", [context.get_assign("seed"), *context.completed_stages])

    assert lab.run("count", "look", assigns={"seed": 7}).context.metrics["seen"] == [7, "count"]
    with pytest.raises(ContractError, match=r"assigns\.seed"):
        lab.run("count", assigns={"seed": object()})


def test_without_workspace_a_temporary_one_is_made(lab: Any) -> None:
    """A runner alone needs no folder, no store, no run id."""
    result = Runner(lab.registry).run(lab.experiment("count"))
    assert result.context.workspace.is_dir()
    assert result.run_id in result.context.workspace.name
    result.context.workspace.rmdir()
    assert new_run_id() != new_run_id()


def test_a_thousand_stages(lab: Any) -> None:
    """A long pipeline neither recurses nor slows down with its length."""
    result = lab.run(*["count"] * 1000)
    assert result.context.metrics["n"] == 1000
    assert len(result.stages) == len(result.context.completed_stages) == 1000


def test_sync_stages_in_a_row_share_a_thread_that_is_not_the_loops(lab: Any) -> None:
    """A stretch of sync stages never blocks the event loop, and hops no threads in between."""
    threads: list[int] = []

    @lab.stage
    def where(context: Any, options: Any) -> Any:
        threads.append(threading.get_ident())
        return context

    async def scenario() -> None:
        await lab.arun("where", "where", "where")

    asyncio.run(scenario())
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_two_runs_at_once_keep_to_themselves(lab: Any) -> None:
    """Runs in one loop, of one runner, do not see each other's context."""
    here, there = asyncio.Event(), asyncio.Event()

    @lab.stage
    async def meet(context: Any, options: Any) -> Any:
        mine, other = (here, there) if context.run_id == "a" else (there, here)
        mine.set()
        await other.wait()
        return context.put_metric("who", context.run_id)

    async def both() -> list[Any]:
        return list(await asyncio.gather(lab.arun("meet", run_id="a"), lab.arun("meet", run_id="b")))

    assert [result.context.metrics for result in asyncio.run(both())] == [{"who": "a"}, {"who": "b"}]


def test_a_run_inside_a_stage_of_another(lab: Any) -> None:
    """A stage may run a pipeline of its own: its records and scope are its own."""
    inner = Runner(lab.registry)

    @stage("outer")
    def outer(context: Any, options: Any) -> Any:
        done = inner.run(lab.experiment("count"), run_id="inner", workspace=context.workspace)
        return context.merge_metrics(done.context.metrics)

    result = lab.knows(outer).run("outer", "count")
    assert result.context.metrics == {"n": 2}
    assert [record.name for record in result.stages] == ["outer", "count"]
