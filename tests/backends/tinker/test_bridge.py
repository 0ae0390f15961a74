"""The events of a service's requests on Crucible's bus: the names of every backend, each once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backends.tinker.fake import FakeTinkerService, Fault

from crucible import events
from crucible.backends import AdamParams, SamplingParams, TinkerBackend
from crucible.backends.tinker import TinkerSession
from crucible.errors import DataError
from crucible.events import Event
from crucible.ir import LoraConfig
from crucible.text import Datum

STEP = AdamParams(learning_rate=1e-2)


def of_tinker(heard: list[Event]) -> list[Event]:
    """Leave out what the local sessions behind the fake service tell, which live in this process, too."""
    return [event for event in heard if event.metadata.get("backend") == "tinker"]


def test_each_request_of_a_session_is_told_once(
    backend: TinkerBackend, config: LoraConfig, data: list[Datum], tmp_path: Path
) -> None:
    """With the model, the tokens, the loss, the step and how long it took, in the scope of whoever asked."""
    with events.collect() as heard, events.scope(run_id="run-7"), backend.start_session(config) as session:
        session.forward_backward(data)
        session.optim_step(STEP).result()
        path = session.save_checkpoint(tmp_path / "a").result()
        session.load_checkpoint(path).result()
        identity = session.session_id
    found = {event.name.removeprefix("crucible_backends."): event for event in of_tinker(heard)}
    assert sorted(found) == [
        "session.checkpoint_loaded",
        "session.checkpoint_saved",
        "session.forward_backward.stop",
        "session.optim_step.stop",
        "session.start",
        "session.stop",
    ]
    assert len(of_tinker(heard)) == len(found)
    assert {event.metadata["session"] for event in found.values()} == {identity}
    assert {event.metadata["base_model"] for event in found.values()} == {config.base_model}
    assert {event.scope.run_id for event in found.values()} == {"run-7"}
    scored = found["session.forward_backward.stop"]
    assert scored.measurements["tokens"] == sum(map(len, data))
    assert scored.measurements["duration_ns"] > 0
    assert found["session.optim_step.stop"].measurements["step"] == 1
    assert found["session.stop"].measurements["tokens"] == sum(map(len, data))


def test_a_failed_request_is_told_as_one(session: TinkerSession, data: list[Datum], service: FakeTinkerService) -> None:
    """And the session ends with the failure."""
    service.faults.add("/retrieve_future", Fault(status=200, body={"error": "broken", "category": "server"}))
    with events.collect() as heard:
        with pytest.raises(Exception, match="broken"):
            session.forward_backward(data).result()
        session.close()
    names = [event.name for event in of_tinker(heard)]
    assert names == ["crucible_backends.session.forward_backward.exception", "crucible_backends.session.exception"]


def test_what_was_never_sent_is_no_request(session: TinkerSession) -> None:
    """Data that are refused here are an error of the caller, not an event of the service."""
    with events.collect() as heard, pytest.raises(DataError):
        session.forward_backward([]).result()
    assert [event.name for event in of_tinker(heard)] == []


def test_a_samplers_call_is_a_request_like_any_other(
    service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig
) -> None:
    """With its tokens, and how often HTTP requests were sent again."""
    sampler = backend.create_sampler(config.base_model)
    service.faults.add("/asample", Fault(status=503))
    with events.collect("req_llm.request.*") as heard:
        [answer] = sampler.sample(["ticket 1"], SamplingParams(max_tokens=3))
    start, stop = of_tinker(heard)
    assert (start.name, stop.name) == ("req_llm.request.start", "req_llm.request.stop")
    assert stop.metadata["model"] == config.base_model
    assert stop.metadata["http_retries"] == 1
    assert stop.measurements["prompts"] == 1
    assert stop.measurements["prompt_tokens"] == answer.prompt_tokens
    assert stop.measurements["completion_tokens"] == len(answer.tokens)
    assert stop.measurements["duration_ns"] > 0
