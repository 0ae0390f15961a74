"""Random pipelines with random failures: what the runner writes down is what really happened."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible import events
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, Registry, Resume, Runner, RunResult, StageBase, StageOptions, StageRecord, stage


class ActOptions(StageOptions):
    """What an attempt does, and who it is."""

    me: str
    fails: int = 0


class Log:
    """What really happened: (entry, whether the attempt succeeded), in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []
        self._lock = threading.Lock()

    def act(self, context: Context, options: ActOptions) -> Context:
        """Fail as often as told, then succeed; either way change the context first."""
        with self._lock:
            before = sum(me == options.me for me, _ in self.calls)
            works = before >= options.fails
            self.calls.append((options.me, works))
        after = context.put_metric(options.me, before + 1).add_output({"by": options.me}).assign(options.me, "done")
        if not works:
            raise OSError(f"{options.me} does not work yet")
        return after


class Told:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._busy = threading.Lock()

    def _keep(self, what: str, value: Any) -> None:
        assert self._busy.acquire(blocking=False), "two calls at a time"
        self.calls.append((what, value))
        self._busy.release()

    def run_started(self, run: Any) -> None:
        """Keep."""
        self._keep("run_started", run)

    def stage_started(self, run_id: str, record: Any) -> None:
        """Keep."""
        self._keep("stage_started", record)

    def stage_finished(self, run_id: str, record: Any, delta: Any) -> None:
        """Keep."""
        self._keep("stage_finished", (record, delta))

    def run_finished(self, run_id: str, status: Any, failure: Any) -> None:
        """Keep."""
        self._keep("run_finished", (status, failure))

    @property
    def finished(self) -> list[tuple[StageRecord, Any]]:
        """Every attempt that ended, with what it changed."""
        return [value for what, value in self.calls if what == "stage_finished"]


@st.composite
def entries(draw: st.DrawFn, *, graph: bool, halting: bool) -> list[dict[str, Any]]:
    """Draw a pipeline: sync and async stages, limits, retries, failures, answers to them, disabled and unknown ones."""
    made: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 7))):
        answers = ["skip", "continue", "fallback", *(["halt"] if halting else [])]
        on_error = draw(st.sampled_from(answers))
        entry: dict[str, Any] = {
            "name": draw(st.sampled_from(["act", "aact"])),
            "id": f"e{index}",
            "options": {"me": f"e{index}", "fails": draw(st.sampled_from([0, 0, 0, 1, 2, 9]))},
            "enabled": draw(st.integers(0, 5)) > 0,
            "on_error": on_error,
        }
        if draw(st.booleans()):
            entry["retry"] = {"attempts": draw(st.integers(1, 3)), "wait_initial_s": 0.0, "wait_max_s": 0.0}
        if draw(st.integers(0, 3)) == 0:
            entry["timeout_s"] = 600.0
        if on_error == "fallback":
            rest = st.sampled_from(["skip", "continue", *(["halt"] if halting else [])])
            fails = draw(st.sampled_from([0, 9]))
            entry["fallback"] = {"name": "aact", "options": {"me": f"f{index}", "fails": fails}, "on_error": draw(rest)}
        if halting and draw(st.integers(0, 9)) == 0:
            entry["name"] = "nobody"
        if graph and draw(st.integers(0, 3)):
            earlier = [f"e{i}" for i in range(index)]
            entry["needs"] = draw(st.lists(st.sampled_from(earlier), max_size=3)) if earlier else []
        made.append(entry)
    return made


def carry_out(pipeline: list[dict[str, Any]], folder: Path, resume: Resume | None = None) -> tuple[Any, ...]:
    """Run a pipeline; returns the result, what happened, what was told and what was emitted."""
    log, told = Log(), Told()

    async def aact(context: Any, options: Any) -> Any:
        await asyncio.sleep(0)
        return log.act(context, options)

    stages = [stage("act", options=ActOptions)(log.act), stage("aact", options=ActOptions)(aact)]
    experiment = Experiment(
        id="e", backend=BackendRef(id="local"), pipeline=tuple(StageDef.read(entry) for entry in pipeline)
    )
    with events.collect("crucible_framework.*") as found:
        runner = Runner(Registry(*stages, installed=False), told)
        result = runner.run(experiment, workspace=folder, run_id="r", resume=resume)
    return result, log, told, found


def expected_of(pipeline: list[dict[str, Any]]) -> tuple[list[tuple[str, str]], list[tuple[str, bool]]]:
    """Return name and status of each entry that is reached, and every call, worked out the simple way."""
    statuses: list[tuple[str, str]] = []
    calls: list[tuple[str, bool]] = []
    skipped: set[str] = set()
    for entry in pipeline:
        if not entry["enabled"] or not skipped.isdisjoint(entry.get("needs", ())):
            statuses.append((entry["name"], "skipped"))
            if entry["enabled"]:
                skipped.add(entry["id"])
            continue
        if entry["name"] == "nobody":
            return [*statuses, ("nobody", "failed")], calls
        name, status, answer = entry["name"], "failed", entry["on_error"]
        attempts, fails = entry.get("retry", {"attempts": 1})["attempts"], entry["options"]["fails"]
        calls += [(entry["id"], False)] * min(attempts, fails)
        if attempts > fails:
            calls.append((entry["id"], True))
            status = "ok"
        elif answer == "fallback":
            name, answer = "aact", entry["fallback"]["on_error"]
            works = not entry["fallback"]["options"]["fails"]
            calls.append((entry["fallback"]["options"]["me"], works))
            status = "ok" if works else "failed"
        if status == "failed" and answer == "skip":
            status = "skipped"
            skipped.add(entry["id"])
        statuses.append((name, status))
        if status == "failed" and answer == "halt":
            break
    return statuses, calls


def check_books(pipeline: list[dict[str, Any]], result: RunResult, log: Log, told: Told, found: list[Any]) -> None:
    """Hold what is true of every run, whatever happened in it."""
    # the recorder hears of the run first and last, and of every attempt twice: as it starts, as it ends
    assert told.calls[0][0] == "run_started"
    assert told.calls[-1][0] == "run_finished"
    under_way: set[tuple[int, int]] = set()
    attempts: Counter[int] = Counter()
    for what, value in told.calls[1:-1]:
        if what == "stage_started":
            attempts[value.index] += 1
            assert value.attempt == attempts[value.index]
            under_way.add((value.index, value.attempt))
        elif value[0].status != "skipped" or value[0].error is not None:
            under_way.remove((value[0].index, value[0].attempt))
    assert under_way == set()
    # the result has the last record of each entry that was reached, in order
    last = {record.index: record for record, _ in told.finished}
    assert result.stages == tuple(last[index] for index in sorted(last))
    # an attempt that the stage began is recorded as what it was
    worked = Counter(me for me, works in log.calls if works)
    for record in result.stages:
        entry = pipeline[record.index]
        names = {f"e{record.index}", f"f{record.index}"}
        if record.status != "cancelled":  # one that was stopped at its very end had done its work
            assert sum(worked[name] for name in names) == (record.status == "ok")
        assert (record.error is None) == (record.status in ("ok", "cancelled") or record.duration_ns == 0)
        assert record.name in (entry["name"], entry.get("fallback", entry)["name"])
    # the context is what the attempts that succeeded have added, in pipeline order
    done = [(record, delta) for record, delta in told.finished if record.status == "ok"]
    done.sort(key=lambda pair: pair[0].index)
    metrics: dict[str, Any] = {}
    for record, delta in done:
        metrics |= delta.metrics
        assert delta.metrics == record.metrics
    assert result.context.metrics == metrics
    assert list(result.context.metrics) == list(metrics)
    assert list(result.context.outputs) == [output for _, delta in done for output in delta.outputs]
    assert set(result.context.assigns) == set(metrics)
    assert result.context.completed_stages == [record.name for record, _ in done]
    # the run's own status is what its stages say
    ended = [r for r in result.stages if r.status == "failed" and r not in result.passed_over]
    assert (result.status == "failed") == bool(ended) == (result.failure is not None)
    assert told.calls[-1][1] == (result.status, result.failure)
    assert (result.failed in ended) if ended else (result.failed is None)
    # every span has one start and one end
    ends = Counter((event.span_id, event.name.rpartition(".")[2] == "start") for event in found if event.span_id)
    assert set(ends.values()) == {1}
    starts = [event.scope.stage_index for event in found if event.name == "crucible_framework.stage.start"]
    assert sorted(starts) == sorted(attempts)
    retries = [event for event in found if event.name == "crucible_framework.stage.retry"]
    assert len(retries) == sum("try again" in (record.reason or "") for record, _ in told.finished)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for all examples: their stages write nothing."""
    return tmp_path_factory.mktemp("runs")


quick = settings(deadline=None)


@quick
@given(entries(graph=False, halting=True))
def test_a_sequence(folder: Path, pipeline: list[dict[str, Any]]) -> None:
    """Stages in a row do exactly what a simple reading of the document says, and the books agree."""
    result, log, told, found = carry_out(pipeline, folder)
    statuses, calls = expected_of(pipeline)
    assert [(record.name, record.status) for record in result.stages] == statuses
    assert log.calls == calls
    check_books(pipeline, result, log, told, found)


@quick
@given(entries(graph=True, halting=False))
def test_a_graph_that_nothing_halts(folder: Path, pipeline: list[dict[str, Any]]) -> None:
    """In a graph, too, it is settled what becomes of each entry, whichever branch is faster."""
    result, log, told, found = carry_out(pipeline, folder)
    statuses, calls = expected_of(pipeline)
    assert [(record.name, record.status) for record in result.stages] == statuses
    assert sorted(log.calls) == sorted(calls)
    assert result.status == "completed"
    check_books(pipeline, result, log, told, found)


@quick
@given(entries(graph=True, halting=True))
def test_a_graph(folder: Path, pipeline: list[dict[str, Any]]) -> None:
    """Where a branch ends the run, the books still agree with what happened."""
    result, log, told, found = carry_out(pipeline, folder)
    check_books(pipeline, result, log, told, found)
    halted, _ = expected_of(pipeline)
    if "needs" not in {key for entry in pipeline for key in entry}:
        assert [(record.name, record.status) for record in result.stages] == halted


@quick
@given(st.data())
def test_going_on_is_as_good_as_going_through(folder: Path, data: st.DataObject) -> None:
    """A run that failed and goes on, once what failed it is mended, ends as one that had not failed."""
    pipeline = data.draw(entries(graph=data.draw(st.booleans()), halting=True))
    first, _, told, _ = carry_out(pipeline, folder)
    mended = [
        {**entry, "name": "act" if entry["name"] == "nobody" else entry["name"], "on_error": "halt", "fallback": None}
        | {"options": {**entry["options"], "fails": 0}}
        for entry in pipeline
    ]
    done = {record.index: record for record, _ in told.finished if record.status == "ok" and record.reason is None}
    state = Resume(
        deltas={record.index: delta for record, delta in told.finished if record.index in done},
        completed=done,
        attempts={record.index: record.attempt for record, _ in told.finished},
    )
    second, log, _, _ = carry_out(mended, folder, state)
    assert second.status == "completed"
    assert [record.status for record in second.stages] == ["ok" if e["enabled"] else "skipped" for e in pipeline]
    run_again = {me for me, _ in log.calls}
    assert run_again == {e["id"] for i, e in enumerate(pipeline) if e["enabled"] and i not in done}
    assert list(second.context.metrics) == [e["id"] for e in pipeline if e["enabled"]]
    assert [output["by"] for output in second.context.outputs] == list(second.context.metrics)
    for index, record in done.items():
        assert second.context.metrics[f"e{index}"] == record.metrics[f"e{index}"]
    assert msgspec.json.decode(msgspec.json.encode(second.stages), type=list[StageRecord]) == list(second.stages)
    assert first.run_id == second.run_id


@quick
@given(entries(graph=True, halting=True), st.integers(0, 40), st.integers(1, 3))
def test_stopping_at_any_moment(folder: Path, pipeline: list[dict[str, Any]], moment: int, times: int) -> None:
    """Whenever a run is asked to stop, and however often, what began has ended and the run is closed as it ended."""
    log, told = Log(), Told()

    async def aact(context: Any, options: Any) -> Any:
        await asyncio.sleep(0.0002)
        return log.act(context, options)

    stages = [stage("act", options=ActOptions)(log.act), stage("aact", options=ActOptions)(aact)]
    experiment = Experiment(
        id="e", backend=BackendRef(id="local"), pipeline=tuple(StageDef.read(entry) for entry in pipeline)
    )

    async def scenario() -> RunResult | None:
        task = asyncio.create_task(Runner(Registry(*stages, installed=False), told).arun(experiment, workspace=folder))
        await asyncio.sleep(moment * 0.0001)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    with events.collect("crucible_framework.*") as found:
        result = asyncio.run(scenario())
    if told.calls:  # else it was stopped before it began
        assert told.calls[0][0] == "run_started"
        assert told.calls[-1] == (
            "run_finished",
            ("cancelled", None) if result is None else (result.status, result.failure),
        )
        begun = [(value.index, value.attempt) for what, value in told.calls if what == "stage_started"]
        ended = [(r.index, r.attempt) for r, _ in told.finished if r.status != "skipped" or r.error is not None]
        assert sorted(begun) == sorted(ended)
    ends = Counter((event.span_id, event.name.rpartition(".")[2] == "start") for event in found if event.span_id)
    assert set(ends.values()) <= {1}
    assert len({span for span, _ in ends}) * 2 == len(ends)
    assert events.current_scope() == events.Scope()


def test_the_stage_of_these_tests_is_one() -> None:
    """What the pipelines above are made of satisfies the protocol of a stage."""
    assert isinstance(stage("act", options=ActOptions)(Log().act), StageBase)
