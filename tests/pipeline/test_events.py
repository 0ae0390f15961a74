"""What a run says on the bus: each start has one end, in its scope, whatever happens."""

from collections import Counter
from typing import Any

import pytest

from crucible import events
from crucible.errors import Cancelled
from crucible.events import registry


def told(found: list[events.Event]) -> list[str]:
    """Return the names, without the part that all have."""
    return [event.name.removeprefix("crucible_framework.") for event in found]


def test_events_are_emitted_once_each(lab: Any) -> None:
    """Pipeline and stages start and end once, in their scope, also when a stage fails."""
    with events.collect("crucible_framework.*", run_id="r") as found:
        lab.run("count", "later", "boom", run_id="r")
    assert told(found) == [
        "pipeline.start",
        *["stage.start", "stage.stop"] * 2,
        *["stage.start", "stage.exception"],
        "pipeline.exception",
    ]
    assert found[0].metadata == {"stages": 3}
    assert (found[1].scope.stage, found[1].scope.stage_index, found[1].scope.experiment_id) == ("count", 0, "e")
    assert {event.scope.run_id for event in found} == {"r"}
    assert found[1].parent_span_id == found[0].span_id
    assert found[1].metadata == {"stage": "count", "stage_index": 0}
    assert found[6].metadata["error"] == "broken glass"
    for event in found:
        if not event.name.endswith(".start"):
            assert event.measurements["duration_ns"] > 0
        if event.name.endswith("stage.stop"):
            assert event.measurements["attempts"] == 1


def test_a_stage_with_bad_options_starts_and_fails(lab: Any) -> None:
    """A stage that cannot be carried out has its span, too, so that a reader of events sees where the run ended."""
    with events.collect("crucible_framework.*") as found:
        lab.run({"name": "count", "options": {"by": 0}})
    assert told(found) == ["pipeline.start", "stage.start", "stage.exception", "pipeline.exception"]
    assert found[2].metadata["error_type"] == "SpecErrors"


def test_what_does_not_run_says_nothing(lab: Any) -> None:
    """A disabled stage has no span."""
    with events.collect("crucible_framework.stage.*") as found:
        lab.run({"name": "boom", "enabled": False})
    assert found == []


def test_branches_have_their_own_scope(lab: Any) -> None:
    """Spans of parallel branches overlap, and each event carries the stage that it belongs to."""
    import threading

    together = threading.Barrier(3, timeout=30)

    @lab.stage
    def speak(context: Any, options: Any) -> Any:
        together.wait()
        events.emit("said", {}, {"place": events.current_scope().stage_index})
        together.wait()
        return context

    with events.collect() as found:
        lab.run(*({"name": "speak", "id": str(i), "needs": []} for i in range(3)))
    said = [event for event in found if event.name == "said"]
    assert sorted(event.scope.stage_index for event in said) == [0, 1, 2]
    starts = {event.span_id: event.scope.stage_index for event in found if event.name.endswith("stage.start")}
    assert all(starts[event.scope.span_id] == event.metadata["place"] for event in said)
    counts = Counter(event.span_id for event in found if event.span_id)
    assert set(counts.values()) == {2}


def test_a_run_inside_a_stage_is_not_in_its_scope(lab: Any) -> None:
    """Events of an inner run are of that run and of its stages, below the outer stage's span."""

    @lab.stage
    def outer(context: Any, options: Any) -> Any:
        lab.run("count", run_id="inner")
        return context

    with events.collect("crucible_framework.*", run_id="inner") as found:
        lab.run("outer", run_id="outer")
    assert told(found) == ["pipeline.start", "stage.start", "stage.stop", "pipeline.stop"]
    assert (found[0].scope.stage, found[0].scope.stage_index) == (None, None)
    assert found[0].parent_span_id is not None


@pytest.mark.parametrize("needs", [None, []])
def test_a_cancelled_run_closes_its_spans(lab: Any, needs: Any) -> None:
    """A stop ends stage and pipeline as exceptions, once."""

    @lab.stage
    def stop(context: Any, options: Any) -> Any:
        raise Cancelled("enough")

    with events.collect("crucible_framework.*") as found, pytest.raises(Cancelled):
        lab.run({"name": "stop", "needs": needs})
    assert told(found) == ["pipeline.start", "stage.start", "stage.exception", "pipeline.exception"]
    assert found[2].metadata["error_type"] == "Cancelled"


def test_every_event_is_registered(lab: Any) -> None:
    """What the runner emits is in the registry, with the measurements that it really has."""
    with events.collect("crucible_framework.*") as found:
        lab.run("count", {"name": "boom", "retry": {"attempts": 2, "wait_initial_s": 0.0}})
    assert "stage.retry" in told(found)
    for event in found:
        info = registry.event_info(event.name)
        assert info is not None
        assert set(event.measurements) <= set(info.measurements)


def test_a_listener_that_fails_changes_nothing(lab: Any) -> None:
    """A broken subscriber neither fails the run nor loses an event for others."""

    def broken(event: events.Event) -> None:
        raise ValueError("no")

    events.attach("broken", "*", broken)
    with events.collect("crucible_framework.*") as found:
        assert lab.run("count").status == "completed"
    assert len(found) == 4
    assert events.handler_errors()["broken"] == 4
