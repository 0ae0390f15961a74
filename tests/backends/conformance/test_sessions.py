"""How every backend's sessions behave: order, failure, closing, statuses, what is kept, samplers, events, errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible import events
from crucible.backends import AdamParams, Backend, Sampler, SamplingParams, Session, SessionFuture
from crucible.errors import BackendError, BackendTimeout, DataError, TrainError
from crucible.text import Datum, ModelInput

STEP = AdamParams(learning_rate=0.02)


def train(session: Session, batch: list[Datum], steps: int = 3) -> None:
    """Some steps, waited for."""
    for _ in range(steps):
        session.forward_backward(batch)
        last = session.optim_step(STEP)
    last.result()


def loss(session: Session, batch: list[Datum]) -> float:
    """The loss of the present weights."""
    return session.forward(batch).result().loss


def test_backend_and_session_are_of_the_protocols(under_test: Any, session: Session) -> None:
    """With everything that the rooms above ask of a session."""
    assert isinstance(under_test.backend, Backend)
    assert isinstance(session, Session)
    assert session.window >= 32
    assert session.device
    assert session.tokenizer.encode("a")
    assert session.trainable_parameters != 0
    assert session.base_digest is None or len(session.base_digest) == 64


# --- order ---


def test_requests_may_be_submitted_before_the_last_has_answered(under_test: Any, batch: list[Datum]) -> None:
    """Pipelined or one at a time: the same numbers."""
    found: list[list[float]] = []
    for pipelined in (True, False):
        with under_test.session() as session:
            futures: list[SessionFuture[Any]] = []
            for number in range(4):
                futures.append(session.forward_backward([batch[number]]))
                if not pipelined:
                    futures[-1].result()
                step = session.optim_step(STEP)
                if not pipelined:
                    step.result()
            found.append([future.result().loss for future in futures])
    assert found[0] == under_test.near(found[1])


def test_eight_threads_submit_in_one_order(session: Session, batch: list[Datum]) -> None:
    """Steps are numbered in the order in which they were submitted, whoever submitted them."""
    lock, steps = threading.Lock(), []

    def submit(number: int) -> None:
        for _ in range(3):
            with lock:  # a gradient and its step belong together
                session.forward_backward([batch[number % 4]])
                steps.append(session.optim_step(STEP))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.result().step for step in steps] == list(range(1, 25))


def test_eight_tasks_submit_in_one_order_though_some_are_cancelled(session: Session, batch: list[Datum]) -> None:
    """A task that is cancelled while it waits leaves its requests where they are."""
    steps: list[SessionFuture[Any]] = []

    async def task(number: int) -> int:
        await session.forward([batch[0]])
        await session.forward_backward([batch[number % 4]]) if number == 7 else session.forward_backward(batch[:1])
        steps.append(session.optim_step(STEP))
        return (await steps[-1]).step

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(task(number)) for number in range(8)]
        while len(steps) < 4:
            await asyncio.sleep(0)
        for each in tasks[::2]:
            each.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())
    assert sum(isinstance(answer, int) for answer in answers) >= 4
    assert [step.result().step for step in steps] == list(range(1, len(steps) + 1))


def test_waiting_may_end_before_the_request(session: Session, batch: list[Datum]) -> None:
    """result(timeout) raises BackendTimeout, and the request is carried out all the same."""
    gate = threading.Event()

    def slow(_: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        gate.wait(10)
        return logprobs[0].sum(), {}

    future = session.forward_backward_custom(batch, slow)
    with pytest.raises(BackendTimeout):
        future.result(timeout=0.01)
    assert not future.done()
    gate.set()
    assert future.result(30).loss


# --- failure ---


def test_a_failure_fails_what_comes_after_with_the_cause(session: Session, batch: list[Datum]) -> None:
    """Nothing is built on what did not happen: not even a sampler."""
    bad, step = session.forward_backward([]), session.optim_step(STEP)
    with pytest.raises(DataError, match="at least one datum"):
        bad.result()
    with pytest.raises(BackendError, match="forward_backward failed before it") as caught:
        step.result()
    assert isinstance(caught.value.__cause__, DataError)
    with pytest.raises(BackendError, match="failed before it"):
        session.forward(batch).result()
    with pytest.raises(BackendError, match="failed before it"):
        session.create_sampler()
    assert session.status == "failed"


@pytest.mark.parametrize("asks", ["forward", "optim_step", "create_sampler", "close", "by another form"])
def test_a_loss_that_asks_its_own_session(under_test: Any, batch: list[Datum], asks: str) -> None:
    """It would wait for itself; that is an error at once, not when somebody's patience ends."""
    with under_test.session() as session:
        calls: dict[str, Callable[[], Any]] = {
            "optim_step": lambda: session.optim_step(STEP),
            "create_sampler": session.create_sampler,
            "close": session.close,
        }
        ask = calls.get(asks, lambda: session.forward(batch).result())

        def fn(_: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
            ask()
            return logprobs[0].sum(), {}

        def loss_of(logprobs: Any, _: Any) -> Any:
            ask()
            return logprobs.sum()

        is_form = asks == "by another form"
        asked = session.forward_backward(batch, loss_of) if is_form else session.forward_backward_custom(batch, fn)
        with pytest.raises(BackendError, match="from inside a loss of the same session"):
            asked.result(20)


def test_a_loss_may_ask_another_session(under_test: Any, batch: list[Datum]) -> None:
    """Such as a frozen one for reference, whose answer it waits for."""
    with under_test.session() as reference, under_test.session() as session:
        expected = loss(reference, batch)
        seen: list[float] = []

        def fn(_: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
            seen.append(loss(reference, batch))
            return logprobs[0].sum(), {}

        session.forward_backward_custom(batch, fn).result(20)
        assert seen == [under_test.near(expected)]


def test_a_failed_session_harms_no_other(under_test: Any, batch: list[Datum]) -> None:
    """A new one begins where any begins."""
    with under_test.session() as fresh:
        expected = loss(fresh, batch)
    with under_test.session() as bad, under_test.session() as good:
        with pytest.raises(DataError):
            bad.forward([]).result()
        assert loss(good, batch) == under_test.near(expected)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": (0.0,) * 4}, "datum 1 has only weights of 0"),
        ({"weights": (1.0, float("nan"), 1.0, 1.0)}, "datum 1 has a weight that is not finite"),
        ({"weights": (1.0, float("inf"), 1.0, 1.0)}, "datum 1 has a weight that is not finite"),
        ({"target_tokens": (5, 6, 7, 10**6)}, r"datum 1 holds a token outside the vocabulary of \d+: 1000000"),
        ({"model_input": ModelInput((5, -1, 7, 8))}, r"datum 1 holds a token outside the vocabulary of \d+: -1"),
    ],
)
def test_data_that_cannot_be_used(
    session: Session, make_datum: Callable[..., Datum], change: dict[str, Any], says: str
) -> None:
    """Is refused by the number of the datum."""
    data = [make_datum(4, 0), msgspec.structs.replace(make_datum(4, 3), **change)]
    with pytest.raises(DataError, match=says):
        session.forward_backward(data).result()


def test_a_sequence_beyond_the_window(session: Session, make_datum: Callable[..., Datum]) -> None:
    """Is refused with both lengths, not cut."""
    too_long = session.window + 1
    with pytest.raises(DataError, match=f"datum 0 has {too_long} tokens and the model's window holds {too_long - 1}"):
        session.forward_backward([make_datum(too_long, 0)]).result()


def test_an_unknown_loss(session: Session, batch: list[Datum]) -> None:
    """Is refused by name, with the one that was meant."""
    with pytest.raises(BackendError, match=r"unknown loss 'cross_entropi'; did you mean \"cross_entropy\""):
        session.forward_backward(batch, "cross_entropi").result()


# --- status and closing ---


def test_the_status_says_what_is_done(session: Session, batch: list[Datum]) -> None:
    """Ready at first, training inside of a request that trains, ready again, completed when closed."""
    seen: list[str] = []

    def look(_: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        seen.append(session.status)
        return logprobs[0].sum(), {}

    assert session.status == "ready"
    session.forward_backward_custom(batch, look).result()
    assert seen == ["training"]
    assert session.status in ("ready", "training")
    session.close()
    assert session.status == "completed"


def test_closing_finishes_what_was_submitted(under_test: Any, batch: list[Datum]) -> None:
    """Later requests are refused; closing twice is fine."""
    session = under_test.backend.start_session(under_test.config())
    pending = [session.forward_backward(batch), session.optim_step(STEP), session.forward(batch)]
    session.close()
    session.close()
    assert all(future.done() for future in pending)
    assert pending[1].result().step == 1
    with pytest.raises(BackendError, match="closed"):
        session.forward(batch)
    with pytest.raises(BackendError, match="closed"):
        session.create_sampler()


# --- what is kept ---


def test_a_checkpoint_brings_the_weights_back(session: Session, batch: list[Datum], tmp_path: Path) -> None:
    """By value: after other steps, loading gives the log-probabilities of the time of saving."""
    train(session, batch)
    expected = session.forward(batch).result()
    path = session.save_checkpoint(tmp_path / "step-3").result()
    assert path == tmp_path / "step-3"
    train(session, batch)
    assert loss(session, batch) != expected.loss
    session.load_checkpoint(path).result()
    assert session.forward(batch).result().logprobs == expected.logprobs


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    under_test: Any, batch: list[Datum], tmp_path: Path
) -> None:
    """The optimiser's moments come back, too, in another session."""
    with under_test.session() as first:
        train(first, batch)
        path = first.save_checkpoint(tmp_path / "step-3").result()
        train(first, batch)
        expected = loss(first, batch)
    with under_test.session(seed=99) as second:
        second.load_checkpoint(path).result()
        train(second, batch)
        assert loss(second, batch) == under_test.near(expected)


def test_a_checkpoint_that_is_not_there(session: Session, tmp_path: Path) -> None:
    """Is an error that names it."""
    with pytest.raises(TrainError, match="nowhere"):
        session.load_checkpoint(tmp_path / "nowhere").result()


# --- samplers ---


def test_a_sampler_keeps_the_weights_that_it_was_made_from(session: Session, batch: list[Datum]) -> None:
    """Its answers and log-probabilities stay while training goes on, and outlive the session."""
    train(session, batch)
    sampler = session.create_sampler()
    assert isinstance(sampler, Sampler)
    params = SamplingParams(max_tokens=4)
    answer, scored = sampler.sample(["a b"], params), sampler.logprobs(["a b c"])
    train(session, batch, 6)
    assert sampler.logprobs(["a b c"]) == scored
    assert sampler.sample(["a b"], params) == answer
    assert session.create_sampler().logprobs(["a b c"]) != scored
    session.close()
    assert sampler.logprobs(["a b c"]) == scored


def test_the_sessions_logprobs_are_those_of_forward(
    session: Session, make_datum: Callable[..., Datum], batch: list[Datum], under_test: Any
) -> None:
    """Of the present weights, in the order of the requests; nothing comes before a first token."""
    datum = make_datum(6, 11)
    tokens = ModelInput((*datum.model_input.tokens, datum.target_tokens[-1]))
    train(session, batch)
    expected = session.forward([datum]).result().logprobs[0]
    found = session.logprobs([tokens])
    session.forward_backward(batch)
    session.optim_step(STEP)
    assert found.result()[0][0] is None
    assert found.result()[0][1:] == under_test.near(expected)


def test_two_sessions_of_one_base_do_not_touch_each_other(under_test: Any, batch: list[Datum]) -> None:
    """One trains, the other stays as it was."""
    with under_test.session() as one, under_test.session() as two:
        before = two.forward(batch).result().logprobs
        train(one, batch)
        assert two.forward(batch).result().logprobs == before
        assert loss(one, batch) != loss(two, batch)


# --- events ---


@pytest.fixture
def heard() -> Iterator[list[events.Event]]:
    """What sessions tell."""
    found: list[events.Event] = []
    events.attach("conformance", "crucible_backends.session*", found.append)
    yield found
    events.detach("conformance")


def test_everything_is_told_once(
    under_test: Any, batch: list[Datum], tmp_path: Path, heard: list[events.Event]
) -> None:
    """Opening, a gradient, a step, a checkpoint saved and loaded, a sampler, closing."""
    with events.scope(run_id="r1"), under_test.session() as session:
        output = session.forward_backward(batch).result()
        session.optim_step(STEP).result()
        session.load_checkpoint(session.save_checkpoint(tmp_path / "a").result()).result()
        session.create_sampler()
    names = [event.name.removeprefix("crucible_backends.session.") for event in heard]
    assert names == [
        "start",
        "forward_backward.stop",
        "optim_step.stop",
        "checkpoint_saved",
        "checkpoint_loaded",
        "sampler_created",
        "stop",
    ]
    assert {event.scope.run_id for event in heard} == {"r1"}
    assert len({event.metadata["session"] for event in heard}) == 1
    assert heard[1].measurements["loss_sum"] == output.loss
    assert heard[1].measurements["tokens"] == sum(map(len, batch))
    assert all(event.measurements["duration_ns"] > 0 for event in heard[1:])
