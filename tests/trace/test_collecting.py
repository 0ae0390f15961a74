"""Collecting what happens in a block, in runs or outside of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crucible import events
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
