"""Going on with a run: completed stages are not run again, but what they provided is made again."""

import asyncio
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from crucible import events
from crucible.errors import Cancelled, ContractError
from crucible.pipeline import ContextDelta, NoOptions, Resume, StageBase, StageRecord

DONE = StageRecord(0, "count", "ok", started_at="2026-01-01T00:00:00+00:00", metrics={"n": 7})


def test_completed_stages_are_rebuilt_not_run(lab: Any) -> None:
    """What they added is restored, resources come from `rebuild`, and attempts are counted on."""
    state = Resume({0: ContextDelta(metrics={"n": 7})}, {0: DONE}, {0: 1, 1: 2})
    result = lab.run("count", "later", resume=state)
    assert result.context.metrics == {"n": 7, "later": True}
    assert result.context.resource("live") == "rebuilt by 1"
    assert result.stages[0] == DONE
    assert result.stages[1].attempt == 3
    assert result.context.completed_stages == ["count", "later"]
    assert lab.memory.names == ["run_started", "stage_started", "stage_finished", "run_finished"]


def test_a_rebuilt_stage_emits_no_span(lab: Any) -> None:
    """Only what is carried out now starts and stops on the bus."""
    with events.collect("crucible_framework.stage.*") as found:
        lab.run("count", "count", resume=Resume({}, {0: DONE}, {0: 1}))
    assert [(event.name.rpartition(".")[2], event.scope.stage_index) for event in found] == [("start", 1), ("stop", 1)]


def test_a_stage_without_rebuild_is_simply_restored(lab: Any) -> None:
    """Nothing to bring back: the context goes on as it was stored."""

    @lab.stage
    def bare(context: Any, options: Any) -> Any:
        raise AssertionError

    state = Resume({0: ContextDelta(assigns={"a": 1})}, {0: StageRecord(0, "bare", "ok")}, {0: 1})
    result = lab.run("bare", resume=state)
    assert result.status == "completed"
    assert result.context.assigns == {"a": 1}


class Rebuilding(StageBase):
    """A stage whose `rebuild` does what the test says."""

    name: ClassVar[str] = "rebuilding"
    Options: ClassVar[type[BaseModel]] = NoOptions
    error: ClassVar[BaseException] = OSError("adapter gone")

    def run(self, context: Any, options: Any) -> Any:
        """Never runs here."""
        raise AssertionError

    def rebuild(self, context: Any, options: Any) -> Any:
        """Fail."""
        raise self.error


@pytest.mark.parametrize("needs", [None, []])
def test_a_failing_rebuild_fails_the_resumed_run(lab: Any, needs: Any) -> None:
    """A resource that cannot be brought back is a failure of its stage, recorded as a further attempt."""
    state = Resume({}, {0: StageRecord(0, "rebuilding", "ok")}, {0: 1})
    result = lab.knows(Rebuilding()).run({"name": "rebuilding", "needs": needs}, "count", resume=state)
    assert result.failure.message == "adapter gone"
    assert (result.failed.name, result.failed.attempt, result.failed.status) == ("rebuilding", 2, "failed")
    assert result.stages == (result.failed,)
    assert lab.memory.names == ["run_started", "stage_finished", "run_finished"]


def test_a_rebuild_that_is_stopped_is_recorded_as_cancelled(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to stop during `rebuild` is a cancellation."""
    monkeypatch.setattr(Rebuilding, "error", Cancelled("enough"))
    with pytest.raises(Cancelled):
        lab.knows(Rebuilding()).run("rebuilding", resume=Resume({}, {0: StageRecord(0, "rebuilding", "ok")}, {}))
    assert lab.memory.finished[0][0].status == "cancelled"
    assert lab.memory.ended == ("cancelled", None)


def test_a_rebuild_may_be_async_where_run_is_not(lab: Any) -> None:
    """Each of the two is called as it is declared."""

    class Mixed(Rebuilding):
        """Rebuild in the loop."""

        name: ClassVar[str] = "mixed"

        async def rebuild(self, context: Any, options: Any) -> Any:
            """Come back."""
            await asyncio.sleep(0)
            return context.put_resource("back", True)

    result = lab.knows(Mixed()).run("mixed", resume=Resume({}, {0: StageRecord(0, "mixed", "ok")}, {0: 1}))
    assert result.context.resource("back") is True


def test_a_rebuild_has_the_contract_of_run(lab: Any) -> None:
    """A `rebuild` that returns something else is told so."""

    class Forgetful(Rebuilding):
        """Forget to return."""

        name: ClassVar[str] = "forgetful"

        def rebuild(self, context: Any, options: Any) -> Any:
            """Return nothing."""

    result = lab.knows(Forgetful()).run("forgetful", resume=Resume({}, {0: StageRecord(0, "forgetful", "ok")}, {0: 1}))
    assert isinstance(result.error, ContractError)


def test_a_completed_stage_that_is_gone_fails(lab: Any) -> None:
    """What can no longer be resolved fails when its turn comes, though it was completed once."""
    result = lab.run("nobody", resume=Resume({}, {0: StageRecord(0, "nobody", "ok")}, {0: 1}))
    assert 'unknown stage "nobody"' in result.failure.message
    assert result.failed.attempt == 2


def test_a_failed_stage_is_tried_anew(lab: Any) -> None:
    """Attempts of this process have their own allowance of retries, and numbers that go on."""
    entry = {"name": "boom", "retry": {"attempts": 2, "wait_initial_s": 0.0}}
    lab.run("count", entry, resume=Resume({0: ContextDelta(metrics={"n": 7})}, {0: DONE}, {0: 1, 1: 5}))
    assert [record.attempt for record, _ in lab.memory.finished] == [6, 7]
