"""Sessions and samplers of one base: shared in memory, apart in what they compute, freed when nobody holds them."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends import AdamParams, LocalBackend, SamplingParams
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_session import LocalSession
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput

STEP = AdamParams(learning_rate=0.02)
PREFIX = "crucible_backends.session."


@pytest.fixture
def config(base_folder: Path) -> LoraConfig:
    """A small configuration with dropout."""
    return LoraConfig(base_model=str(base_folder), rank=4, dropout=0.2, seed=7)


def pointers(model: Any) -> dict[str, int]:
    """Where in memory the frozen weights of a model lie."""
    return {
        name.replace(".base_layer", ""): tensor.data_ptr()
        for name, tensor in model.named_parameters()
        if ".lora_" not in name
    }


def test_sessions_and_samplers_share_every_frozen_tensor(config: LoraConfig, base: LoadedBase) -> None:
    """Eight sessions of different ranks hold the very tensors of the base, which is in memory once."""
    backend = LocalBackend()
    sessions = [backend.start_session(config.model_copy(update={"rank": rank})) for rank in range(1, 9)]
    own = pointers(base.model)
    for session in sessions:
        assert pointers(session._adapter.model.model) == own
        assert session.trainable_parameters < base.model.num_parameters()
    plain = backend.create_sampler(config.base_model)
    assert pointers(plain._weights) == own
    for session in sessions:
        session.close()


def test_a_sampler_keeps_its_weights_while_training_goes_on(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """Asked from two threads during sixty steps it gives the answers and the log-probabilities that it gave before."""
    with LocalSession(config, base) as session:
        session.forward_backward(data)
        session.optim_step(STEP)
        sampler = session.create_sampler()
        prompts, params = ["ticket 3:", "ticket"], SamplingParams(max_tokens=6)
        expected = sampler.sample(prompts, params), sampler.logprobs(["ticket 3: the printer"])
        found: list[Any] = []
        training = threading.Event()

        def ask() -> None:
            while not training.is_set():
                found.append((sampler.sample(prompts, params), sampler.logprobs(["ticket 3: the printer"])))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            session.forward_backward(data)
            step = session.optim_step(STEP)
        step.result()
        training.set()
        for thread in threads:
            thread.join()
        assert found
        assert all(answer == expected for answer in found)
        assert session.create_sampler().logprobs(["ticket 3: the printer"]) != expected[1]


def test_the_sessions_logprobs_are_its_samplers(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """In the order of the requests, without dropout, and of the present weights."""
    with LocalSession(config, base) as session:
        before = session.logprobs(["ticket 1: help", "a"])
        session.forward_backward(data)
        session.optim_step(STEP)
        after = session.logprobs(["ticket 1: help", "a"])
        merged = session.create_sampler().logprobs(["ticket 1: help", "a"])
        assert before.result() != after.result()
        for found, expected in zip(after.result(), merged, strict=True):
            assert found[0] is None
            assert found[1:] == pytest.approx(expected[1:], abs=1e-4)
        assert session.logprobs([ModelInput((5,))]).result() == [[None]]


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        (["a b", ""], "prompt 1 is empty"),
        ([ModelInput(())], "prompt 0 is empty"),
        ([ModelInput((5,) * 65)], "prompt 0 has 65 tokens and the window holds 64"),
        ([ModelInput((5, 320))], "holds the token 320, outside of the vocabulary of 320"),
    ],
)
def test_prompts_that_cannot_be_scored(
    config: LoraConfig, base: LoadedBase, prompts: list[str | ModelInput], says: str
) -> None:
    """Are refused by number."""
    with LocalSession(config, base) as session, pytest.raises(DataError, match=says):
        session.logprobs(prompts).result()


def test_a_session_that_nobody_closed_is_freed(config: LoraConfig, base: LoadedBase, data: list[Datum]) -> None:
    """With its thread and its weights, once what was submitted is done."""
    session = LocalSession(config, base)
    name = "crucible-session"
    threads = {thread for thread in threading.enumerate() if thread.name.startswith(name)}
    session.forward_backward(data)
    weights = weakref.ref(session._adapter.weights)
    own = {thread for thread in threading.enumerate() if thread.name.startswith(name)} - threads
    assert len(own) == 1
    del session
    for _ in range(200):
        gc.collect()
        if weights() is None and not any(thread.is_alive() for thread in own):
            return
        time.sleep(0.02)
    raise AssertionError("the session is still there")


# --- events ---


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    """What sessions tell."""
    found: list[events.Event] = []
    events.attach("sessions", "crucible_backends.session*", found.append)
    yield found
    events.detach("sessions")


def test_everything_a_session_does_is_told_once(
    config: LoraConfig, base: LoadedBase, data: list[Datum], tmp_path: Path, heard: list[events.Event]
) -> None:
    """In order, with what was measured, in the scope of whoever asked."""
    with events.scope(run_id="r1"), LocalSession(config, base) as session:
        output = session.forward_backward(data)
        stepped = session.optim_step(STEP)
        session.forward_backward_custom(data[:1], lambda data, lps: (-lps[0].sum(), {}))
        session.load_checkpoint(session.save_checkpoint(tmp_path / "a").result())
        session.create_sampler()
        session.close()
        session.close()
    names = [event.name.removeprefix(PREFIX) for event in heard]
    assert names == [
        "start",
        "forward_backward.stop",
        "optim_step.stop",
        "forward_backward.stop",
        "checkpoint_saved",
        "checkpoint_loaded",
        "sampler_created",
        "stop",
    ]
    assert {event.scope.run_id for event in heard} == {"r1"}
    assert {event.metadata["session"] for event in heard} == {session.session_id}
    told = heard[1].measurements
    assert told["loss_sum"] == output.result().loss
    assert told["tokens"] == sum(map(len, data))
    assert told["data"] == len(data)
    assert heard[2].measurements["gradient_norm"] == stepped.result().gradient_norm
    assert [event.metadata["loss"] for event in (heard[1], heard[3])] == ["cross_entropy", "<lambda>"]
    assert heard[4].metadata["path"] == str(tmp_path / "a")
    assert all(event.measurements["duration_ns"] > 0 for event in heard[1:])
    assert heard[-1].measurements["steps"] == 1
    assert heard[-1].measurements["tokens"] == sum(map(len, data)) + len(data[0])


def test_a_session_that_failed_says_why(
    config: LoraConfig, base: LoadedBase, data: list[Datum], heard: list[events.Event]
) -> None:
    """The request that failed and the session's end; what was not executed tells nothing."""
    with LocalSession(config, base) as session:
        session.forward_backward([])
        session.forward_backward(data)
        session.optim_step(STEP)
    assert [event.name.removeprefix(PREFIX) for event in heard] == ["start", "forward_backward.exception", "exception"]
    assert all(event.metadata["error_type"] == "DataError" for event in heard[1:])
    assert "at least one datum" in heard[1].metadata["error"]
