"""What a run emits becomes a chain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest

from crucible import events
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, Runner, StageBase
from crucible.trace import Chain, Collector, Event, narration
from crucible.trace.collecting.sums import SUMMED

RUN = "run-1"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens to the run; no handler error goes unseen."""
    with Collector(RUN, "quickstart") as started:
        yield started
        assert events.handler_errors() == {}


@pytest.fixture(autouse=True)
def _in_run() -> Iterator[None]:
    with events.scope(run_id=RUN, experiment_id="tickets"):
        yield


def told(chain: Chain) -> list[tuple[str, str]]:
    """Return types and decisions."""
    return [(event.type, event.decision) for event in chain]


def tree(chain: Chain) -> list[tuple[int, str]]:
    """Return each event's depth and decision."""
    depth: dict[str | None, int] = {None: -1}
    for event in chain:
        depth[event.id] = depth[event.parent_id] + 1
    return [(depth[event.id], event.decision) for event in chain]


def stage(name: str = "train", index: int = 1) -> object:
    """Open a stage as the runner does."""
    return events.span("crucible_framework.stage", {"stage": name, "stage_index": index})


def test_a_run_becomes_a_tree(collector: Collector) -> None:
    """Stages, training, epochs, checkpoints, evaluation and decisions hang on what encloses them."""
    with events.span("crucible_framework.pipeline", {"stages": 2}):
        with events.scope(stage="train", stage_index=0), stage("train", 0):
            events.decision("tune all linear layers", "target_modules is not given", alternatives=["attention only"])
            with events.span("crucible_train.training", {"model": "tuned", "base_model": "b", "rank": 2}) as training:
                with events.span("crucible_train.epoch", {"epoch": 1}) as epoch:
                    events.emit("crucible_train.checkpoint.saved", {"step": 3}, {"model": "tuned", "path": Path("p")})
                    epoch.measure(loss=1.23456, steps=3)
                training.measure(initial_loss=2.0, final_loss=0.5, steps=3)
        evaluating = events.span("crucible_data.evaluation", {"model": "tuned"})
        with events.scope(stage="evaluate", stage_index=1), stage("evaluate", 1), evaluating as evaluation:
            evaluation.measure(items=60)
    assert tree(collector.chain) == [
        (0, "Pipeline started"),
        (1, "Stage train started"),
        (2, "tune all linear layers"),
        (2, "Training of tuned started"),
        (3, "Checkpoint of tuned saved at step 3"),
        (3, "Epoch 1 completed"),
        (3, "Training of tuned completed"),
        (2, "Stage train completed"),
        (1, "Stage evaluate started"),
        (2, "Evaluated tuned"),
        (2, "Stage evaluate completed"),
        (1, "Pipeline completed"),
    ]
    reasons = {event.decision: event.reasoning for event in collector.chain}
    assert reasons["Pipeline started"] == "2 stages to run"
    assert reasons["Stage train started"] == "1 of 2 in the pipeline"
    assert reasons["Training of tuned started"] == "base model b, rank 2"
    assert reasons["Epoch 1 completed"] == "Loss 1.235, 3 steps"
    assert reasons["Training of tuned completed"] == "Loss 2.000 to 0.5000 in 3 steps"
    assert reasons["Evaluated tuned"] == "60 items attempted"
    assert [event.stage_id for event in collector.chain] == [None, *["train"] * 7, *["evaluate"] * 3, None]
    assert {event.experiment_id for event in collector.chain} == {"tickets"}
    assert collector.chain.validate_relationships() == []
    assert all(event.validate() == [] for event in collector.chain)
    assert collector.chain.by_type("checkpoint_saved")[0].metadata == {"model": "tuned", "path": "p", "step": 3}
    assert all("duration_ns" in event.metadata for event in collector.chain.by_type("stage_completed"))


def test_decisions_are_kept_whole(collector: Collector) -> None:
    """Type, alternatives and confidence of a decision are kept; what else it says is its metadata."""
    with events.scope(stage="train"), stage():
        events.decision(
            "kept the checkpoint at step 80",
            "lowest validation loss (0.41)",
            alternatives=["step 60", "step 100"],
            confidence=1,
            type="early_stopped",
            metadata={"step": 80, "code_section": "loop.py", "spec_reference": "S 1"},
        )
    event = collector.chain.by_type("early_stopped")[0]
    assert (event.decision, event.reasoning) == ("kept the checkpoint at step 80", "lowest validation loss (0.41)")
    assert (event.alternatives, event.confidence) == (("step 60", "step 100"), 1.0)
    assert (event.code_section, event.spec_reference, event.metadata) == ("loop.py", "S 1", {"step": 80})
    assert event.stage_id == "train"
    assert collector.chain.parent(event.id) == collector.chain[0]


def test_what_nobody_said_is_not_made_up(collector: Collector) -> None:
    """A decision without a confidence has none."""
    events.decision("a", "b")
    (event,) = collector.chain
    assert (event.confidence, event.alternatives, event.parent_id, event.metadata) == (None, (), None, {})


def test_malformed_decisions_are_kept(collector: Collector) -> None:
    """A decision that somebody emits by hand, and badly, is kept as far as it goes."""
    events.emit("crucible_trace.decision.made", {}, {"decision": 5, "alternatives": 7, "confidence": "85%"})
    events.emit("causal_trace.decision.made")
    first, second = collector.chain
    assert (first.decision, first.alternatives, first.confidence) == ("5", ("7",), 0.85)
    assert (second.type, second.decision, second.reasoning) == ("decision_made", "(not said)", "(no reason given)")


def test_failures_are_followed_to_their_cause(collector: Collector) -> None:
    """A failing training fails its stage and that the pipeline; each names what it rests on."""
    with (
        pytest.raises(ValueError, match="boom"),
        events.span("crucible_framework.pipeline", {"stages": 1}),
        events.scope(stage="train"),
        stage(),
        events.span("crucible_x.session"),
        events.span("crucible_train.training"),
    ):
        raise ValueError("boom \x1b[31m")
    training, train, pipeline = collector.chain.since(3)
    assert [event.type for event in (training, train, pipeline)] == ["training_failed", "stage_failed", "stage_failed"]
    assert training.reasoning == train.reasoning == "ValueError: boom \x1b[31m"
    assert pipeline.reasoning == "Stage train failed"
    assert train.depends_on == (training.id,)
    assert pipeline.depends_on == (train.id,)
    assert pipeline.metadata["error_type"] == "ValueError"
    assert training.confidence is None


def test_a_failure_that_was_caught_is_not_a_cause(collector: Collector) -> None:
    """A stage that survives a failed training completes, and rests on nothing."""
    training = events.span("crucible_train.training")
    with events.scope(stage="train"), stage(), pytest.raises(ValueError, match="boom"), training:
        raise ValueError("boom")
    last = collector.chain[-1]
    assert (last.type, last.depends_on) == ("stage_completed", ())


def test_cancelling_is_told_as_such(collector: Collector) -> None:
    """A run that somebody stopped did not fail by itself."""
    with pytest.raises(KeyboardInterrupt), events.scope(stage="train"), stage():
        raise KeyboardInterrupt
    last = collector.chain[-1]
    assert (last.type, last.decision) == ("stage_failed", "Stage train cancelled")
    assert last.reasoning == "Somebody asked the run to stop"


def test_steps_are_summed_up(collector: Collector) -> None:
    """Optimiser steps and validations are not events, but numbers on the event that closes their training."""
    events.emit("crucible_train.batch.stop", {"step": 1, "loss": 9.0})  # outside of any training
    events.emit("crucible_train.validation.stop", {"step": 1, "loss": 9.0})
    with events.span("crucible_train.training"):
        for step, loss in enumerate((2.0, 1.5, float("nan"), 0.5), start=1):
            with events.span("crucible_train.epoch"):
                events.emit("crucible_train.batch.stop", {"step": step, "loss": loss, "tokens": 10})
            with events.span("crucible_train.validation") as validation:
                validation.measure(step=step, loss=abs(loss - 1.4))
    last = collector.chain[-1]
    assert last.reasoning == "Loss 2.000 to 0.5000 in 4 steps"
    assert last.metadata["batches"] == {
        "count": 4,
        "first_step": 1,
        "first_loss": 2.0,
        "last_step": 4,
        "last_loss": 0.5,
        "tokens": 40,
    }
    assert last.metadata["validation"] == {"count": 4, "best_loss": pytest.approx(0.1), "best_step": 2}
    events.emit("crucible_data.dataset.loaded", {"items": 3})  # a record of telemetry, no decision
    assert collector.chain.by_type("batch_processed") == []
    assert len(collector.chain) == 2 + 4


def test_a_loss_that_is_no_number_is_kept_as_a_word(collector: Collector) -> None:
    """A training that ends at NaN says so, in a form that JSON can carry."""
    with events.span("crucible_train.training") as training:
        events.emit("crucible_train.batch.stop", {"step": 1, "loss": float("nan"), "tokens": None})
        training.measure(initial_loss=1.0, final_loss=float("nan"))
    last = collector.chain[-1]
    assert last.reasoning == "Loss 1.000 to nan in 1 steps"
    assert last.validate() == []


def test_only_its_own_run(collector: Collector) -> None:
    """Events of other runs, and of no run, are not seen."""
    with events.scope(run_id="other"):
        events.decision("a", "b")
    with events.scope(run_id=None):
        events.decision("a", "b")
    assert len(collector.chain) == 0


def test_start_and_stop_twice() -> None:
    """Starting twice hears nothing twice; stopping twice, and starting again, is fine."""
    collector = Collector(RUN)
    before = len(events.attached())
    assert collector.start().start() is collector
    assert len(events.attached()) == before + 1
    events.decision("first", "b")
    collector.stop()
    collector.stop()
    assert len(events.attached()) == before
    events.decision("unheard", "b")
    with collector:
        events.decision("second", "b")
    assert [event.decision for event in collector.chain] == ["first", "second"]


def test_two_collectors_of_one_run(collector: Collector) -> None:
    """Two collectors of one run both hear everything."""
    with Collector(RUN) as other:
        events.decision("a", "b")
    events.decision("c", "d")
    assert (len(other.chain), len(collector.chain)) == (1, 2)


def test_what_comes_while_stopping_is_dropped(collector: Collector) -> None:
    """After `stop` returned nothing is added, even by a thread that was already on its way."""
    collector.stop()
    collector._hear(events.Event("crucible_trace.decision.made", {}, {}, 0, events.Scope(run_id=RUN)))
    assert len(collector.chain) == 0


def test_drain_hands_over_each_event_once(collector: Collector) -> None:
    """What is drained is not drained again, and stays in the chain."""
    events.decision("a", "b")
    events.decision("c", "d")
    assert [event.decision for event in collector.drain()] == ["a", "c"]
    assert collector.drain() == []
    events.decision("e", "f")
    assert [event.decision for event in collector.drain()] == ["e"]
    assert len(collector.chain) == 3


def test_a_resumed_run_goes_on(collector: Collector) -> None:
    """A resumed run continues the chain of the first attempt; only what is new is drained."""
    with events.span("crucible_framework.pipeline", {"stages": 1}):
        pass
    collector.stop()
    stored = Chain.from_dict(collector.chain.to_dict())
    with Collector(RUN, chain=stored) as second:
        assert second.drain() == []
        with events.span("crucible_framework.pipeline", {"stages": 1}):
            pass
    assert second.chain.id == collector.chain.id
    assert [event.decision for event in second.drain()] == ["Pipeline resumed", "Pipeline completed"]
    assert [event.id for event in second.chain][:2] == [event.id for event in collector.chain]
    assert second.chain.validate_relationships() == []


def test_name_and_run() -> None:
    """A chain carries its run's id, and its name where it has no other."""
    chain = Collector(RUN).chain
    assert (chain.name, chain.metadata) == (RUN, {"run_id": RUN})
    assert Collector(RUN, chain=Chain("c")).chain.metadata == {"run_id": RUN}


def test_times_are_those_of_the_bus(collector: Collector) -> None:
    """An event has the time at which it was emitted, to the microsecond."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    nanoseconds = 1767323045678901999
    collector._hear(events.Event("crucible_trace.decision.made", {}, {}, nanoseconds, events.Scope(run_id=RUN)))
    assert collector.chain[0].timestamp == moment


def test_started_in_the_middle() -> None:
    """A collector that missed the beginning tells the end, without a parent."""
    with events.span("crucible_framework.pipeline", {"stages": 1}), stage() as _:
        collector = Collector(RUN).start()
        events.decision("a", "b")
    collector.stop()
    assert told(collector.chain) == [
        ("decision_made", "a"),
        ("stage_completed", "Stage train completed"),
        ("stage_completed", "Pipeline completed"),
    ]
    assert {event.parent_id for event in collector.chain} == {None}


def test_scope_without_a_span(collector: Collector) -> None:
    """What a worker emits in the run's scope, but outside any span, belongs to its stage, else to the pipeline."""
    pipeline = events.span("crucible_framework.pipeline", {"stages": 1})
    with pipeline, events.scope(stage="train"), stage(), events.scope(span_id=None):
        events.decision("of the stage", "b")
        with events.scope(stage=None):
            events.decision("of the pipeline", "b")
    parents = {event.decision: collector.chain.parent(event.id) for event in collector.chain}
    assert parents["of the stage"] == collector.chain[1]
    assert parents["of the pipeline"] == collector.chain[0]


def test_unknown_spans_are_seen_through(collector: Collector) -> None:
    """A decision inside spans that the chain does not tell hangs on the nearest one that it does."""
    with events.scope(stage="train"), stage(), events.span("stranger.a"), events.span("stranger.b"):
        events.decision("deep", "b")
    assert [event.decision for event in collector.chain.children(collector.chain[0].id)] == [
        "deep",
        "Stage train completed",
    ]
    assert collector._scribe.open_spans == 0


def test_bare_events(collector: Collector) -> None:
    """Spans and events that carry nothing are told with what is known."""
    with events.scope(stage="train"):
        for name in ("framework.pipeline", "framework.stage", "train.training", "train.epoch", "data.evaluation"):
            with events.span(f"crucible_{name}"):
                pass
    events.emit("crucible_train.checkpoint.saved")
    assert [(event.decision, event.reasoning) for event in collector.chain] == [
        ("Pipeline started", "Stages to run"),
        ("Pipeline completed", "No error was raised"),
        ("Stage train started", "Next in the pipeline"),
        ("Stage train completed", "No error was raised"),
        ("Training started", "Asked for by the stage"),
        ("Training completed", "Ended"),
        ("Epoch completed", "Every item was seen"),
        ("Evaluated the model", "Items attempted"),
        ("Checkpoint saved", "Resumable from here"),
    ]


def test_threads(collector: Collector) -> None:
    """Events of many threads all arrive, once, each under its own stage."""

    def work(number: int) -> None:
        with events.scope(run_id=RUN, stage=f"s{number}"), stage(f"s{number}"):
            for _ in range(100):
                events.decision(f"of s{number}", "b")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    drained: list[Event] = []
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        drained += collector.drain()
    drained += collector.drain()
    assert tuple(drained) == collector.chain.events
    assert len(drained) == 8 * 102
    for event in collector.chain.by_type("decision_made"):
        parent = collector.chain.parent(event.id)
        assert parent is not None
        assert parent.stage_id == event.stage_id


def test_names_are_in_the_registry_of_events() -> None:
    """The collector waits for no event that the bus does not list."""
    listed = set(events.registry.standard_events())
    for span in narration.SPANS:
        assert {f"{span}.start", f"{span}.stop", f"{span}.exception"} <= listed
    assert {events.registry.canonical_name(name) for name in narration.SPEAKERS} <= listed
    assert set(SUMMED) <= listed


def test_a_real_runner(tmp_path: Path, collector: Collector) -> None:
    """What the runner really emits becomes a sound chain, for a run that fails."""

    class Good(StageBase):
        """Decides something."""

        name: ClassVar[str] = "good"

        def run(self, context: Context, options: NoOptions, /) -> Context:
            """Decide."""
            events.decision("went on", "why not", alternatives=["stop"])
            return context

    class Bad(StageBase):
        """Fails."""

        name: ClassVar[str] = "bad"

        def run(self, context: Context, options: NoOptions, /) -> Context:
            """Fail."""
            raise ValueError("no good")

    experiment = Experiment(
        id="tickets", backend=BackendRef(id="local"), pipeline=(StageDef(name="good"), StageDef(name="bad"))
    )
    result = Runner(Registry(Good(), Bad(), installed=False)).run(experiment, run_id=RUN, workspace=tmp_path)
    assert result.status == "failed"
    assert tree(collector.chain) == [
        (0, "Pipeline started"),
        (1, "Stage good started"),
        (2, "went on"),
        (2, "Stage good completed"),
        (1, "Stage bad started"),
        (2, "Stage bad failed"),
        (1, "Pipeline failed"),
    ]
    assert collector.chain[5].reasoning == "ValueError: no good"
    assert collector.chain[6].metadata["error_type"] == "ValueError"


def test_building_the_base_model_is_told_once(collector: Collector) -> None:
    """A base model that was built on this machine is in the chain, with what it took and what it was trained on."""
    about = {"base_model": "crucible/tiny", "synthetic": True}
    with events.span("crucible_train.base_build", about) as span:
        span.measure(loss=0.5, steps=900)
    with events.span("crucible_train.base_build"):
        pass
    first, second = collector.chain
    assert (first.type, first.decision) == ("model_loaded", "Built crucible/tiny and kept it in the cache")
    assert first.reasoning == "900 steps of pre-training on synthetic text, loss 0.5000"
    assert second.reasoning == "A few steps of pre-training"
