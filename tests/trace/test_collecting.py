"""Collecting what happens in a block, in runs or outside of them."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crucible import events
from crucible.ir import BackendRef, Experiment, StageDef
from crucible.pipeline import Context, Registry, Runner, StageOptions, check_cancelled
from crucible.pipeline import stage as as_stage
from crucible.trace import Chain, Collector, narration
from crucible.trace.collecting import collect
from crucible.trace.collecting.scribe import is_heard


@pytest.fixture(autouse=True)
def _no_errors() -> Iterator[None]:
    """No handler error goes unseen."""
    yield
    assert events.handler_errors() == {}


def told(chain: Chain) -> list[tuple[str, str]]:
    """Return types and decisions."""
    return [(event.type, event.decision) for event in chain]


def test_a_block_becomes_a_chain() -> None:
    """What happens inside is in the chain, with no run at all; what happens before and after is not."""
    events.decision("before", "b")
    with collect("night run") as chain:
        with events.span("crucible_framework.stage", {"stage": "tune"}), events.span("crucible_train.training"):
            events.emit("crucible_train.batch.stop", {"step": 1, "loss": 2.0, "tokens": 5})
        assert len(chain) == 4
    events.decision("after", "b")
    assert chain.name == "night run"
    assert told(chain)[1:3] == [("training_started", "Training started"), ("training_completed", "Training completed")]
    assert chain[2].metadata["batches"]["count"] == 1
    assert chain.validate_relationships() == []
    assert all(event.validate() == [] for event in chain)


def test_one_run_or_all() -> None:
    """A block hears one run, or all of them, each event then saying of which run it is."""
    with collect(run_id="a") as one, collect() as both:
        for run in ("a", "b"):
            with events.scope(run_id=run, stage="s"), events.span("crucible_framework.pipeline", {"stages": 1}):
                events.decision(f"of {run}", "b")
    assert len(one) == 3
    assert one.metadata == {"run_id": "a"}
    assert "run_id" not in one[0].metadata
    assert [event.metadata["run_id"] for event in both] == [*"aaabbb"]
    assert {event.decision for event in both.children(both[3].id)} == {"of b", "Pipeline completed"}


def test_runs_side_by_side_do_not_mix() -> None:
    """Of two runs at a time each keeps to its own pipeline, also for what no span encloses."""
    pipeline = events.span("crucible_framework.pipeline", {"stages": 1})
    with collect() as chain, events.scope(run_id="a"), pipeline:
        with events.scope(run_id="b", span_id=None), events.span("crucible_framework.pipeline", {"stages": 2}):
            events.decision("of b", "b")
        with events.scope(run_id="a", span_id=None, stage="other"):
            events.decision("of a", "b")
    a, b = chain[0], chain[1]
    assert {event.decision for event in chain.children(b.id)} == {"of b", "Pipeline completed"}
    assert {event.decision for event in chain.children(a.id)} == {"of a", "Pipeline completed"}
    assert b.parent_id is None


def test_nested_blocks_and_shared_chains() -> None:
    """Each block has its own chain; blocks and collectors on one chain take each event once."""
    with collect("outer") as outer:
        with collect("inner") as inner, collect(chain=outer) as same, collect(chain=outer, run_id="r"):
            assert same is outer
            with events.scope(run_id="r"):
                events.decision("one", "b")
            events.decision("two", "b")
        events.decision("three", "b")
    assert [event.decision for event in outer] == ["one", "two", "three"]
    assert [event.decision for event in inner] == ["one", "two"]


def test_collectors_of_one_chain_take_turns() -> None:
    """When the collector that took the events stops, the other goes on, and knows what is open."""
    chain = Chain("c")
    first, second = Collector("r", chain=chain), Collector(None, chain=chain)
    with events.scope(run_id="r"):
        first.start().start()
        second.start()
        with events.span("crucible_framework.stage", {"stage": "s"}):
            first.stop()
            events.decision("inside", "b")
        second.stop()
    assert [event.decision for event in chain.children(chain[0].id)] == ["inside", "Stage s completed"]
    assert (first.missed, second.missed) == (0, 0)


def test_a_chain_with_other_events_is_not_a_resumed_run() -> None:
    """Only a pipeline that is in the chain makes the next one of the run a resumed one."""
    chain = Chain("mine")
    with collect(chain=chain, run_id="r"), events.scope(run_id="r"):
        events.decision("a", "b")
    for expected in ("started", "resumed"):
        pipeline = events.span("crucible_framework.pipeline", {"stages": 1})
        with collect(chain=chain, run_id="r"), events.scope(run_id="r"), pipeline:
            pass
        assert chain[-2].decision == f"Pipeline {expected}"


def test_votes_and_predictions() -> None:
    """A vote is a decision over the other answers; the answer of the ensemble rests on it."""
    with collect() as chain, events.span("ensemble.prediction", {"strategy": "majority"}) as prediction:
        for model in ("m1", "m2", "m1"):
            with events.span("req_llm.request", {"model": model}) as request:
                request.measure(prompts=1, prompt_tokens=10, completion_tokens=2)
        about = {"answer": "yes", "strategy": "majority", "votes_by_answer": {"yes": 2, "no": 1}}
        events.emit("ensemble.vote.completed", {"votes": 3, "agreement": 2 / 3, "confidence": 0.8}, about)
        prediction.measure(models=3, succeeded=3)
    vote, answer = chain
    assert (vote.type, vote.decision, vote.alternatives) == ("vote_completed", "Voted for yes", ("no",))
    assert (vote.reasoning, vote.confidence) == ("majority, 3 votes, agreement 0.6667", 0.8)
    assert (answer.type, answer.decision) == ("inference_completed", "Ensemble of 3 models answered")
    assert answer.depends_on == (vote.id,)
    assert answer.reasoning.startswith("3 answered in ")
    requests = answer.metadata["requests"]
    assert (requests["count"], requests["failed"], requests["prompt_tokens"]) == (3, 0, 30)
    assert requests["models"] == {"m1": 2, "m2": 1}
    assert requests["duration_ns"] > 0


def test_an_ensemble_that_fails() -> None:
    """An ensemble without an answer is a failed request, with the error and the calls that failed."""

    def ask() -> None:
        with pytest.raises(OSError, match="down"), events.span("req_llm.request", {"model": "m"}):
            raise OSError("down")
        raise ValueError("nobody")

    with collect() as chain, pytest.raises(ValueError, match="nobody"), events.span("ensemble.prediction"):
        ask()
    (failed,) = chain
    assert (failed.type, failed.decision) == ("request_failed", "Ensemble did not answer")
    assert failed.reasoning.startswith("ValueError: nobody after ")
    assert failed.metadata["requests"]["failed"] == 1
    assert failed.metadata["requests"]["last_error"] == "OSError: down"


def test_hedged_requests() -> None:
    """A hedge is told when it is sent, and the answer rests on it; a request that fails is told as such."""
    with collect() as chain:
        with events.span("hedging.request", {"model": "m"}) as request:
            events.emit("hedging.request.duplicated", {"attempt": 2, "duration_ns": 1_500_000_000}, {"model": "n"})
            request.measure(requests=2, duplicates=1)
            request.annotate(winner="n")
        with pytest.raises(TimeoutError), events.span("hedging.request"):
            raise TimeoutError("late")
    hedge, answer, failed = chain
    assert (hedge.type, hedge.decision, hedge.reasoning) == (
        "request_hedged",
        "Sent the request to n once more",
        "No answer in 1.50 s",
    )
    assert (answer.type, answer.decision, answer.depends_on) == (
        "request_completed",
        "Request answered by n",
        (hedge.id,),
    )
    assert (failed.type, failed.depends_on) == ("request_failed", ())
    assert failed.reasoning.startswith("TimeoutError: late after ")


def test_hedges_inside_a_prediction_inside_a_stage() -> None:
    """All hang on the stage, and the prediction rests on the requests and the vote."""
    stage = events.span("crucible_framework.stage", {"stage": "s"})
    with collect() as chain, stage, events.span("ensemble.prediction"):
        with events.span("hedging.request"):
            events.emit("hedging.request.duplicated")
        events.emit("ensemble.vote.completed")
    opened, hedge, request, vote, answer, _ = chain
    assert {event.parent_id for event in chain.since(1)} == {opened.id}
    assert request.depends_on == (hedge.id,)
    assert answer.depends_on == (request.id, vote.id)
    assert told(chain)[1:5] == [
        ("request_hedged", "Sent the request once more"),
        ("request_completed", "Request answered"),
        ("vote_completed", "Vote completed"),
        ("inference_completed", "Ensemble answered"),
    ]


def test_by_hand() -> None:
    """Plain events with the names of a span's ends are told, too."""
    with collect() as chain:
        events.emit("hedging.request.start")
        events.emit("hedging.request.stop", {"duration_ns": 2_000_000})
        events.emit("crucible_framework.stage.start", {}, {"stage": "s"})
        events.emit("crucible_framework.stage.stop", {}, {"stage": "s"})
    assert [event.decision for event in chain] == ["Request answered", "Stage s started", "Stage s completed"]
    assert chain[0].reasoning == "Answered in 2.00 ms"


def test_retries_and_cancelling() -> None:
    """Another attempt at a stage, and a request to stop, are events of their own."""
    with collect() as chain, events.scope(stage="train"):
        about = {"stage": "train", "error_type": "ValueError", "error": "boom"}
        events.emit("crucible_framework.stage.retry", {"attempt": 1, "wait_s": 0.5}, about)
        events.emit("crucible_framework.stage.retry")
        events.emit("crucible_framework.run.cancelling")
    retry, bare, stop = chain
    assert (retry.type, retry.decision) == ("stage_retried", "Stage train is tried again")
    assert retry.reasoning == "Attempt 1 failed (ValueError: boom); the next starts after 0.5 s"
    assert bare.reasoning == "An attempt failed"
    assert (stop.type, stop.reasoning) == ("decision_made", "Somebody asked the run to stop")
    assert all(event.validate() == [] for event in chain)


def test_nothing_that_is_summed_up_is_lost() -> None:
    """What no event closed when the block ends is told as one event, under what is still open."""
    span = events.span("crucible_framework.stage", {"stage": "s"})
    with collect() as chain:
        for _ in range(3):
            with events.span("req_llm.request", {"model": "m"}):
                pass
        events.emit("crucible_train.validation.stop", {"step": 1, "loss": 1.0})
        span.__enter__()
        events.emit("crucible_train.batch.stop", {"step": 1, "loss": 1.0})
    span.__exit__(None, None, None)
    assert told(chain) == [
        ("stage_started", "Stage s started"),
        ("batch_processed", "1 optimiser step"),
        ("validation_run", "1 validation"),
        ("inference_completed", "3 requests"),
    ]
    assert chain[1].parent_id == chain[0].id
    assert chain[3].metadata["requests"]["count"] == 3
    assert len(chain) == 4


def test_calls_of_a_failed_epoch_are_handed_on() -> None:
    """Calls that were summed up in a span whose failure is not told are on what encloses it."""
    with collect() as chain, events.span("crucible_train.training"):
        with pytest.raises(ValueError), events.span("crucible_train.epoch"), events.span("req_llm.request"):
            raise ValueError
        with events.span("req_llm.request", {"model": "m"}):
            pass
    assert chain[-1].metadata["requests"]["count"] == 2
    assert chain[-1].metadata["requests"]["models"] == {"(unnamed)": 1, "m": 1}


def test_models_are_counted_within_bounds() -> None:
    """A million names of models do not make a million keys."""
    with collect() as chain:
        for number in range(100):
            with events.span("req_llm.request", {"model": f"m{number}"}):
                pass
    models = chain[0].metadata["requests"]["models"]
    assert len(models) == 33
    assert models["(others)"] == 68


def test_hostile_facts() -> None:
    """Values that JSON cannot carry become words, and the chain can be saved."""
    odd: dict[Any, Any] = {"stage": "\ud800\x00", 5: object(), "big": 2**70, "nan": float("nan"), "path": {1, 2}}
    with collect() as chain, events.span("crucible_framework.stage", odd):
        events.emit("ensemble.vote.completed", {"votes": float("inf")}, {"answer": {"a": 1}, "alternatives": "b"})
        events.emit("hedging.request.stop", {"duration_ns": "long"})
    assert all(event.validate() == [] for event in chain)


def test_a_failure_does_not_lose_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be told is counted as missed, over restarts, too; the rest is in the chain."""

    def broken(_event: object) -> None:
        raise RuntimeError("cannot be told")

    monkeypatch.setattr(narration, "SPEAKERS", {**narration.SPEAKERS, "ensemble.vote.completed": broken})
    collector = Collector(None).start()
    events.emit("ensemble.vote.completed")
    assert collector.missed == 1
    collector.stop()
    collector.start()
    events.emit("ensemble.vote.completed")
    events.decision("a", "b")
    collector.stop()
    assert collector.missed == 2
    assert [event.decision for event in collector.chain] == ["a"]
    events.attach(collector._handler_id, "*", lambda _event: None)  # forgets the error that was meant to be


def test_what_says_nothing_is_not_waited_for() -> None:
    """Plain events that are not told do not wait for the collector's lock; ends of spans do, for they enclose."""
    assert not is_heard(events.Event("stranger.thing", {}, {}, 0, events.Scope()))
    assert is_heard(events.Event("stranger.thing.stop", {}, {}, 0, events.Scope(), "1"))
    assert is_heard(events.Event("crucible_train.batch.stop", {}, {}, 0, events.Scope()))


def test_threads_and_several_collectors() -> None:
    """Many threads and two collectors on one chain: every event once, each under its own stage."""

    def work(number: int) -> None:
        stage = events.span("crucible_framework.stage", {"stage": f"s{number}"})
        with events.scope(run_id=f"r{number}", stage=f"s{number}"), stage:
            for _ in range(50):
                events.decision(f"of s{number}", "b")

    with collect() as chain, collect(chain=chain):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(chain) == 6 * 52
    for event in chain.by_type("decision_made"):
        parent = chain.parent(event.id)
        assert parent is not None
        assert parent.stage_id == event.stage_id


def carried(workspace: Path, functions: list[Any], *entries: dict[str, Any]) -> tuple[Chain, Any]:
    """Run a pipeline of functions as stages, and return what was collected and what the runner says."""
    registry = Registry(*(as_stage(function.__name__)(function) for function in functions), installed=False)
    pipeline = tuple(StageDef.read(entry) for entry in entries)
    with collect() as chain:
        result = Runner(registry).run(
            Experiment(id="e", backend=BackendRef(id="local"), pipeline=pipeline), workspace=workspace
        )
    return chain, result


def rests_on(chain: Chain) -> tuple[str, str, list[str]]:
    """Return decision and reasoning of the last event, and the decisions that it rests on."""
    last = chain[-1]
    return last.decision, last.reasoning, [event.decision for event in chain.rests_on(last.id)]


def test_a_branch_that_failed_is_the_cause_not_one_that_was_stopped(tmp_path: Path) -> None:
    """Of parallel branches, the one whose error ended the run is the cause, though others end later because of it."""
    is_running = threading.Event()

    def boom(context: Context, options: StageOptions) -> Context:
        """Fail once the other one runs."""
        assert is_running.wait(10)
        raise ValueError("broken glass")

    def slow(context: Context, options: StageOptions) -> Context:
        """Run until it is stopped."""
        is_running.set()
        while True:
            check_cancelled()
            time.sleep(0.001)

    branches = ({"name": name, "needs": [], "id": name} for name in ("boom", "slow"))
    chain, result = carried(tmp_path, [boom, slow], *branches)
    assert result.failure.type == "ValueError"
    assert chain[-2].decision == "Stage slow cancelled"
    assert rests_on(chain) == ("Pipeline failed", "Stage boom failed", ["Stage boom failed"])
    assert chain[-1].metadata["error_type"] == "ValueError"


@pytest.mark.parametrize("message", ["disk full", "gpu lost"])
def test_an_attempt_that_is_over_is_no_cause(tmp_path: Path, message: str) -> None:
    """What failed in the first attempt is not what the second, which failed otherwise or alike, rests on."""
    attempts: list[int] = []

    def tune(context: Context, options: StageOptions) -> Context:
        """Fail in a training, then before it."""
        attempts.append(1)
        if len(attempts) == 1:
            with events.span("crucible_train.training", {"model": "m"}):
                raise OSError("gpu lost")
        raise OSError(message)

    chain, result = carried(tmp_path, [tune], {"name": "tune", "retry": {"attempts": 2, "wait_initial_s": 0.0}})
    assert (len(attempts), result.failure.message) == (2, message)
    (failed,) = [event for event in chain if event.decision == "Stage tune failed"]
    assert failed.depends_on == ()
    assert rests_on(chain) == ("Pipeline failed", "Stage tune failed", ["Stage tune failed"])


@pytest.mark.parametrize("stop", [KeyboardInterrupt, asyncio.CancelledError])
def test_a_stage_that_was_passed_over_does_not_fail_a_pipeline_that_was_stopped(stop: type[BaseException]) -> None:
    """A pipeline stopped after a tolerated failure is told as stopped, and rests on what was stopped inside, if any."""

    def carry(is_inside: bool) -> None:
        with events.span("crucible_framework.pipeline", {"stages": 2}):
            with pytest.raises(ValueError), events.span("crucible_framework.stage", {"stage": "boom"}):
                raise ValueError("broken glass")
            if is_inside:
                with events.span("crucible_framework.stage", {"stage": "last"}):
                    raise stop
            raise stop

    for is_inside in (False, True):
        with collect() as chain, pytest.raises(stop):
            carry(is_inside)
        expected = ["Stage last cancelled"] if is_inside else []
        assert rests_on(chain) == ("Pipeline cancelled", "Somebody asked the run to stop", expected)
        assert chain[-1].metadata["error_type"] == stop.__name__


def test_errors_are_followed_through_what_was_raised_from_them() -> None:
    """A failure rests on what it was raised from, and on a member of its group; on nothing that was only caught."""

    def fails(how: str) -> None:
        with events.span("crucible_framework.stage", {"stage": "s"}):
            try:
                with events.span("crucible_train.training", {"model": "m"}):
                    raise ValueError("deep")
            except ValueError as error:
                if how == "from":
                    raise RuntimeError("outer") from error
                if how == "group":
                    raise ExceptionGroup("several", [KeyError("x"), error]) from None
            raise OSError("disk full")

    for how, expected in {"from": ["Training of m failed"], "group": ["Training of m failed"], "caught": []}.items():
        with collect() as chain, pytest.raises((RuntimeError, ExceptionGroup, OSError)):
            fails(how)
        assert rests_on(chain)[2] == expected


def test_trainings_side_by_side_outside_of_runs_are_roots() -> None:
    """Tasks and threads that have nothing to do with each other do not hang on each other; nor do decisions beside."""

    async def tune(model: str) -> None:
        with events.span("crucible_train.training", {"model": model}):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        await asyncio.gather(tune("A"), tune("B"), tune("C"))

    for run_id in (None, "r"):
        outer = events.span("crucible_train.training", {"model": "outer"})
        with collect() as chain, events.scope(run_id=run_id), outer, events.scope(span_id=None):
            asyncio.run(all_at_once())
            events.decision("unrelated", "no span around it")
        assert [event.decision for event in chain.roots()] == [
            "Training of outer started",
            *(f"Training of {model} started" for model in "ABC"),
            "unrelated",
        ]


def test_a_pipeline_hangs_on_nothing_but_a_span() -> None:
    """A second pipeline of one run, outside the spans of the first, is a root."""
    first, second = (events.span("crucible_framework.pipeline", {"stages": 1}) for _ in range(2))
    with collect() as chain, events.scope(run_id="r"), first, events.scope(span_id=None), second:
        pass
    assert [event.decision for event in chain.roots()] == ["Pipeline started"] * 2


def test_of_stages_with_one_name_the_place_decides() -> None:
    """What a thread tells in the scope of the second of two entries of one name hangs on that."""
    pipeline, first, second = (events.span(f"crucible_framework.{name}") for name in ("pipeline", "stage", "stage"))
    with (
        collect() as chain,
        events.scope(run_id="r"),
        pipeline,
        events.scope(stage="s", stage_index=0),
        first,
        events.scope(stage_index=1),
        second,
        events.scope(span_id=None),
    ):
        events.decision("of the second", "b")
        with events.scope(stage_index=None):
            events.decision("of the first that has the name", "b")
    assert chain.parent(chain[3].id) is chain[2]
    assert chain.parent(chain[4].id) is chain[1]


def test_what_is_inside_is_followed_only_where_it_is_told() -> None:
    """The many decisions inside a span that rests on nothing are not kept for its end; those inside a vote are."""
    with Collector(None) as collector:
        for span in ("crucible_data.evaluation", "ensemble.prediction"):
            with events.span(span):
                events.decision("a", "b")
                frames = [frame for frame in collector._scribe._frames.values() if frame is not None]
                assert [frame.inside for frame in frames] == [
                    None if span.startswith("cruc") else [collector.chain[-1].id]
                ]
    assert [len(event.depends_on) for event in collector.chain] == [0, 0, 0, 1]


def test_tokens_of_any_kind_are_summed_up_and_none_are_made_up() -> None:
    """Numbers of arrays and whole floats count; what nobody gave has no key, and NaN is not added."""
    with collect() as chain:
        with events.span("crucible_train.training"):
            for tokens in (np.int64(128), 128.0, np.float32(2), float("nan"), True, None, "9"):
                events.emit("crucible_train.batch.stop", {"step": 1, "loss": 0.5, "tokens": tokens})
        with events.span("crucible_train.training"):
            events.emit("crucible_train.batch.stop", {"step": 1, "loss": 0.5})
            events.emit("req_llm.request.stop", {"prompts": 2})
    assert chain[1].metadata["batches"]["tokens"] == 258
    assert type(chain[1].metadata["batches"]["tokens"]) is int
    assert "tokens" not in chain[3].metadata["batches"]
    assert chain[3].metadata["requests"] == {"count": 1, "failed": 0, "models": {"(unnamed)": 1}, "prompts": 2}


def test_collectors_that_stop_or_restart_meanwhile_take_nothing_twice() -> None:
    """Of collectors on one chain, one that stops or starts again while an event is told leaves it told once."""
    for restarts in (False, True):
        chain = Chain("c")
        first = Collector(None, chain=chain).start()

        def meddle(_event: events.Event, first: Collector = first, restarts: bool = restarts) -> None:
            first.stop()
            if restarts:
                first.start()

        events.attach("meddle", "*", meddle)
        second = Collector(None, chain=chain).start()
        for number in range(3000 if restarts else 2):
            events.decision(f"{number}", "b")
        events.detach("meddle")
        first.stop()
        second.stop()
        assert [event.decision for event in chain] == [str(number) for number in range(len(chain))]
        assert len(chain) == (3000 if restarts else 2)


def test_runs_that_are_over_leave_nothing_behind() -> None:
    """A collector of all runs keeps nothing of those that have ended."""
    with Collector(None) as collector:
        for number in range(20):
            with events.scope(run_id=f"r{number}"), events.span("crucible_framework.pipeline", {"stages": 1}):
                pass
        scribe = collector._scribe
        assert (scribe._of_stages, scribe._places, scribe.open_spans) == ({}, {}, 0)


def test_an_error_that_cannot_be_changed_passes_through() -> None:
    """A block that is collected lets a frozen error through as it is."""

    @dataclasses.dataclass(frozen=True)
    class Frozen(Exception):
        code: int

    with pytest.raises(Frozen), collect():
        raise Frozen(3)
