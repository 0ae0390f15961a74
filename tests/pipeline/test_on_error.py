"""`on_error`: what a failure does to the run, and how it is told."""

import asyncio
from typing import Any

import pytest

from crucible import events
from crucible.pipeline import Resume, StageRecord, stage

WHERE = pytest.mark.parametrize("needs", [None, []])


def shown(result: Any) -> list[tuple[str, str, str | None]]:
    """Return what became of each stage, in short."""
    return [(record.name, record.status, record.reason) for record in result.stages]


@WHERE
@pytest.mark.parametrize(("mode", "status"), [("skip", "skipped"), ("continue", "failed")])
def test_the_run_goes_on_without_it(lab: Any, mode: str, status: str, needs: Any) -> None:
    """Skip and continue: the run completes as if the stage had added nothing; the error stays on its record."""
    result = lab.run("count", {"name": "boom", "on_error": mode, "needs": needs}, "count")
    assert result.status == "completed"
    assert result.failure is None
    assert result.failed is None
    assert shown(result)[1] == ("boom", status, f"on_error: {mode}")
    assert result.stages[1].error.message == "broken glass"
    assert result.passed_over == (result.stages[1],)
    assert result.context.metrics == {"n": 2}
    assert result.context.completed_stages == ["count", "count"]
    assert result.raise_for_status() is result


def test_halt_is_the_default(lab: Any) -> None:
    """Without `on_error` a failure ends the run."""
    assert lab.run("boom", "count").status == "failed"
    assert lab.run({"name": "boom", "on_error": "halt"}, "count").status == "failed"


def test_a_stage_that_needs_a_skipped_one_is_skipped(lab: Any) -> None:
    """Skipping spreads along explicit `needs`, with the reason; what needs nothing of it runs."""
    result = lab.run(
        {"name": "boom", "id": "data", "on_error": "skip", "needs": []},
        {"name": "count", "id": "train", "needs": ["data"]},
        {"name": "count", "id": "test", "needs": ["train"]},
        {"name": "later", "needs": []},
        "count",
    )
    assert result.status == "completed"
    assert shown(result) == [
        ("boom", "skipped", "on_error: skip"),
        ("count", "skipped", "needs data, which was skipped"),
        ("count", "skipped", "needs train, which was skipped"),
        ("later", "ok", None),
        ("count", "ok", None),
    ]
    assert result.context.metrics == {"later": True, "n": 1}
    assert result.passed_over == (result.stages[0],)


def test_a_stage_that_needs_one_passed_over_with_continue_runs(lab: Any) -> None:
    """continue: those that need it run on what there is."""
    result = lab.run({"name": "boom", "on_error": "continue"}, {"name": "count", "needs": ["boom"]})
    assert [record.status for record in result.stages] == ["failed", "ok"]


def test_a_stage_that_needs_a_disabled_one_runs(lab: Any) -> None:
    """enabled: false takes an entry out; it does not take out what comes after."""
    result = lab.run({"name": "boom", "enabled": False}, {"name": "count", "needs": ["boom"]})
    assert [record.status for record in result.stages] == ["skipped", "ok"]


@WHERE
@pytest.mark.parametrize("first", ["boom", "aboom"])
@pytest.mark.parametrize("second", ["count", "later"])
def test_a_fallback_runs_instead(lab: Any, first: str, second: str, needs: Any) -> None:
    """The fallback has the next attempt under its own name; its work counts, and the failure is kept as a record."""

    @lab.stage
    async def aboom(context: Any, options: Any) -> Any:
        raise ValueError("broken glass")

    entry = {"name": first, "on_error": "fallback", "fallback": {"name": second}, "needs": needs}
    result = lab.run(entry, "count")
    assert result.status == "completed"
    assert [(r.name, r.status, r.attempt, r.index) for r, _ in lab.memory.finished] == [
        (first, "failed", 1, 0),
        (second, "ok", 2, 0),
        ("count", "ok", 1, 1),
    ]
    assert lab.memory.finished[0][0].reason == f"{second} runs instead"
    assert shown(result)[0] == (second, "ok", "pipeline[0].fallback ran instead")
    assert result.context.completed_stages == [second, "count"]
    assert result.passed_over == ()


def test_a_fallback_comes_after_the_last_retry(lab: Any) -> None:
    """`retry` goes first, and the fallback has a policy of its own."""
    calls: list[str] = []

    @lab.stage
    def first(context: Any, options: Any) -> Any:
        calls.append("first")
        raise OSError("no")

    @lab.stage
    def second(context: Any, options: Any) -> Any:
        calls.append("second")
        if calls.count("second") < 3:
            raise OSError("not yet")
        return context

    now = {"wait_initial_s": 0.0, "wait_max_s": 0.0}
    entry = {"name": "first", "retry": {"attempts": 2, **now}, "on_error": "fallback"}
    result = lab.run({**entry, "fallback": {"name": "second", "retry": {"attempts": 3, **now}}})
    assert result.status == "completed"
    assert calls == ["first", "first", "second", "second", "second"]
    assert result.stages[0].attempt == 5


@pytest.mark.parametrize(("on_error", "status"), [("halt", "failed"), ("skip", "completed")])
def test_a_fallback_that_fails_has_an_on_error_of_its_own(lab: Any, on_error: str, status: str) -> None:
    """A failing fallback ends the run, unless it says itself what happens then."""
    entry = {"name": "boom", "on_error": "fallback", "fallback": {"name": "boom", "on_error": on_error}}
    result = lab.run(entry, "count")
    assert result.status == status
    assert [record.attempt for record, _ in lab.memory.finished][:2] == [1, 2]
    assert result.stages[0].error.message == "broken glass"


def test_a_fallback_of_a_fallback(lab: Any) -> None:
    """Fallbacks nest: each is tried when the one before it failed."""
    inner = {"name": "boom", "on_error": "fallback", "fallback": {"name": "count", "options": {"by": 7}}}
    result = lab.run({"name": "boom", "on_error": "fallback", "fallback": inner})
    assert result.context.metrics == {"n": 7}
    assert shown(result) == [("count", "ok", "pipeline[0].fallback.fallback ran instead")]
    assert result.stages[0].attempt == 3


def test_a_fallback_with_a_limit_keeps_it(lab: Any) -> None:
    """A fallback has its own `timeout_s`, also behind a sync stage without one."""

    @lab.stage
    async def slow(context: Any, options: Any) -> Any:
        await asyncio.sleep(60)

    result = lab.run({"name": "boom", "on_error": "fallback", "fallback": {"name": "slow", "timeout_s": 0.03}})
    assert result.failure.message == "pipeline[0].fallback slow took longer than timeout_s = 0.03"


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        (None, "on_error is fallback, and there is no fallback"),
        ({"name": "count", "enabled": False}, "on_error is fallback, and there is no fallback"),
        ({"name": "nobody"}, 'unknown stage "nobody"'),
        ({"name": "count", "options": {"by": 0}}, r"pipeline[0].fallback.options.by"),
    ],
)
def test_a_fallback_that_could_not_run_is_told_before_it_is_needed(lab: Any, fallback: Any, message: str) -> None:
    """A mistake in the fallback fails the stage before its work, not after hours of it."""
    result = lab.run({"name": "count", "on_error": "fallback", "fallback": fallback})
    assert result.status == "failed"
    assert message in result.failure.message
    assert result.context.metrics == {}


@pytest.mark.parametrize("same_name", [True, False])
def test_resume_brings_back_what_the_fallback_made(lab: Any, same_name: bool) -> None:
    """On resume the fallback's own `rebuild` is called, with its options, even where both have one name."""
    primary = stage("flaky")(_explode) if not same_name else None
    lab.knows(*([primary] if primary else []))
    broken = {"name": "count", "options": {"by": 2}} if same_name else {"name": "flaky"}
    entry = {**broken, "on_error": "fallback", "fallback": {"name": "count", "options": {"by": 5}}}
    done = StageRecord(0, "count", "ok", "pipeline[0].fallback ran instead", attempt=2)
    result = lab.run(entry, resume=Resume({}, {0: done}, {0: 2}))
    assert result.context.resource("live") == "rebuilt by 5"
    assert result.context.completed_stages == ["count"]
    assert result.stages == (done,)


def test_resume_after_the_stage_itself_worked(lab: Any) -> None:
    """Where the stage needed no fallback, its own `rebuild` is called."""
    entry = {"name": "count", "options": {"by": 2}, "on_error": "fallback"}
    done = StageRecord(0, "count", "ok")
    result = lab.run({**entry, "fallback": {"name": "count"}}, resume=Resume({}, {0: done}, {0: 1}))
    assert result.context.resource("live") == "rebuilt by 2"


def test_a_record_that_fits_no_fallback_is_the_stages_own(lab: Any) -> None:
    """A record of another name, from an older document, is taken as the entry's own."""
    done = StageRecord(0, "renamed", "ok")
    entry = {"name": "count", "on_error": "fallback", "fallback": {"name": "later"}}
    assert lab.run(entry, resume=Resume({}, {0: done}, {0: 1})).context.resource("live") == "rebuilt by 1"


def _explode(context: Any, options: Any) -> Any:
    raise OSError("no")


def test_what_is_passed_over_is_told_on_the_bus(lab: Any) -> None:
    """The stage's span ends as an exception, the pipeline's as a stop, and a decision says why the run went on."""
    with events.collect() as found:
        lab.run({"name": "boom", "on_error": "skip"}, "count")
    names = [event.name.rpartition("crucible_framework.")[2] for event in found]
    assert names == [
        "pipeline.start",
        "stage.start",
        "crucible_trace.decision.made",
        "stage.exception",
        "stage.start",
        "stage.stop",
        "pipeline.stop",
    ]
    assert found[2].metadata["decision"] == "pipeline[0] boom: on_error: skip"
    assert found[2].metadata["alternatives"] == ["halt the run"]
