"""A session on a fake service that speaks the real bytes: what goes over the wire, and what goes wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import tinker
import torch
from tests.backends.tinker.fake import FakeTinkerService, Fault
from tinker.proto import tinker_public_pb2 as pb

from crucible.backends import AdamParams, LocalBackend, RmspropParams, SgdParams, TinkerBackend, losses
from crucible.backends.losses import registry
from crucible.backends.protocols import Session
from crucible.backends.tinker import TinkerSession
from crucible.errors import (
    BackendError,
    BackendTimeout,
    BadResponse,
    DataError,
    NonFiniteLoss,
    RateLimited,
    TrainError,
)
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, SoftTargets

STEP = AdamParams(learning_rate=1e-2)


def weigh(datum: Datum, factor: float) -> Datum:
    """Return the datum with its weights multiplied."""
    weights = tuple(weight * factor for weight in datum.weights)
    return Datum(datum.model_input, datum.target_tokens, weights, datum.loss_inputs)


def model_of(service: FakeTinkerService) -> Any:
    """Return the service's only model."""
    [model] = service.engine.models.values()
    return model


def gradient_of(service: FakeTinkerService) -> torch.Tensor:
    """Return the gradient that the service has accumulated."""
    state = model_of(service).adapter.weights.optimizer_state()
    return torch.cat([state[name].flatten() for name in sorted(state) if name.startswith("gradient:")])


# --- what it is ---


def test_it_is_a_session(session: TinkerSession, base_folder: Path) -> None:
    """It has all that the protocol asks for; the window comes from config.json where the service reports none."""
    assert isinstance(session, Session)
    assert (session.window, session.device, session.status) == (64, "tinker", "ready")
    assert session.base_digest is None
    session.close()
    assert session.status == "completed"


def test_the_services_window_wins(tmp_path: Path, base_folder: Path, config: LoraConfig) -> None:
    """It is what the service accepts."""
    with (
        FakeTinkerService(tmp_path / "s", {config.base_model: base_folder}, window=48) as fake,
        TinkerBackend("tml-fake", base_url=fake.base_url, tokenizer=str(base_folder)) as backend,
        backend.start_session(config) as session,
    ):
        assert session.window == 48


def test_numbers_are_those_of_a_local_session(
    session: TinkerSession, base_folder: Path, config: LoraConfig, data: list[Datum]
) -> None:
    """Loss, log-probabilities, gradient norm and step are what the same adapter gives in this process."""
    local_config = config.model_copy(update={"base_model": str(base_folder)})
    layers = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    with LocalBackend().start_session(local_config.model_copy(update={"target_modules": layers})) as local:
        for _ in range(3):
            mine, theirs = session.forward_backward(data).result(), local.forward_backward(data).result()
            assert mine.loss == pytest.approx(theirs.loss, rel=1e-6)
            assert mine.metrics == pytest.approx(theirs.metrics, rel=1e-6)
            for one, other in zip(mine.logprobs, theirs.logprobs, strict=True):
                assert one == [None if value is None else pytest.approx(value, abs=1e-5) for value in other]
            step, other_step = session.optim_step(STEP).result(), local.optim_step(STEP).result()
            assert step.step == other_step.step
            assert step.gradient_norm == pytest.approx(other_step.gradient_norm, rel=1e-5)
        assert session.forward(data).result().loss == pytest.approx(local.forward(data).result().loss, rel=1e-6)
        one, other = session.logprobs(["ticket", ModelInput((9,))]).result(), local.logprobs(["ticket", "t"]).result()
        assert one[0][1:] == pytest.approx(other[0][1:], abs=1e-5)
        assert one[1] == [None]


# --- the bytes ---


def test_the_bytes_of_a_forward_backward(service: FakeTinkerService, session: TinkerSession) -> None:
    """One protobuf message: tokens int32, targets int64 and weights float32, little-endian, unshifted and unscaled."""
    datum = Datum(ModelInput((5, 6, 7)), (6, 7, 8), (1.0, -2.5, 0.0))
    session.forward_backward([datum]).result()
    [request] = service.seen("/forward_backward")
    assert request.headers["content-type"] == "application/x-protobuf"
    assert np.asarray([5, 6, 7], "<i4").tobytes() in request.body
    assert np.asarray([6, 7, 8], "<i8").tobytes() in request.body
    assert np.asarray([1.0, -2.5, 0.0], "<f4").tobytes() in request.body
    message = pb.ForwardBackwardRequest()
    message.ParseFromString(request.body)
    assert (message.seq_id, message.loss_fn, message.forward_only) == (1, "cross_entropy", False)
    assert message.model_id == "session-1:train:0"
    assert sorted(message.data[0].loss_fn_inputs) == ["target_tokens", "weights"]


def test_the_bytes_of_a_service_loss(service: FakeTinkerService, session: TinkerSession) -> None:
    """Its inputs go along by name, all its settings as its configuration, and the weights in the advantages."""
    inputs = {"logprobs": (-1.0, -2.0), "advantages": (0.5, -0.5)}
    datum = Datum(ModelInput((5, 6)), (6, 7), (1.0, 1.0), inputs)
    found = session.forward_backward([datum], "ppo", loss_config={"clip_low_threshold": 0.7}).result()
    message = pb.ForwardBackwardRequest()
    message.ParseFromString(service.seen("/forward_backward")[0].body)
    assert sorted(message.data[0].loss_fn_inputs) == ["advantages", "logprobs", "target_tokens"]
    assert dict(message.loss_fn_config) == {"clip_low_threshold": 0.7, "clip_high_threshold": 1.2}
    assert found.loss == found.metrics["loss:sum"]
    masked = msgspec.structs.replace(datum, weights=(0.0, 2.0))
    session.forward_backward([masked], "ppo").result()
    message.ParseFromString(service.seen("/forward_backward")[1].body)
    assert message.loss_fn == "ppo"
    assert np.frombuffer(message.data[0].loss_fn_inputs["advantages"].dense, "<f4").tolist() == [0, -1]


def test_what_a_service_s_loss_cannot_say_is_computed_here(service: FakeTinkerService, session: TinkerSession) -> None:
    """Negative weights of ppo; a mask of dro, which pulls at every token: between a forward and a backward there."""
    datum = Datum(ModelInput((5, 6)), (6, 7), (0.0, 1.0), {"logprobs": (-1.0, -2.0), "advantages": (0.5, -0.5)})
    session.forward_backward([datum], "dro").result()
    session.forward_backward([weigh(datum, -1.0)], "ppo").result()
    sent = []
    for request in service.seen("/forward_backward"):
        message = pb.ForwardBackwardRequest()
        message.ParseFromString(request.body)
        sent.append((message.loss_fn, message.forward_only))
    assert sent == [("cross_entropy", True), ("cross_entropy", False)] * 2
    session.forward_backward([msgspec.structs.replace(datum, weights=(1.0, 1.0))], "dro").result()
    message.ParseFromString(service.seen("/forward_backward")[-1].body)
    assert (message.loss_fn, dict(message.loss_fn_config)) == ("dro", {"beta": pytest.approx(0.05)})


@pytest.mark.parametrize("name", ["ppo", "cross_entropy"])
def test_a_loss_that_took_the_name_of_a_service_loss_is_the_one_that_counts(
    service: FakeTinkerService, session: TinkerSession, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As on every backend: the service would compute its own of that name and nobody would know."""
    mine = losses.get("mse").fn
    monkeypatch.setitem(registry._registry, name, losses.NamedLoss(name=name, fn=mine))
    datum = Datum(ModelInput((5, 6)), (6, 7), (1.0, 1.0), {"logprobs": (-1.0, -2.0), "advantages": (0.5, -0.5)})
    assert session.forward([datum], name).result().loss == pytest.approx(session.forward([datum], "mse").result().loss)
    session.forward_backward([datum], name).result()
    own = gradient_of(service)
    session.optim_step(AdamParams(learning_rate=0.0)).result()
    session.forward_backward([datum], "mse").result()
    torch.testing.assert_close(own, gradient_of(service))


def test_the_bytes_of_soft_targets(service: FakeTinkerService, session: TinkerSession) -> None:
    """Matrices: whole where most entries are other than 0, else by row (CSR), as the SDK itself does with tensors."""
    few = SoftTargets(((6, 7), (8, 9)), ((0.5, 0.25), (1.0, 0.0)))
    many = SoftTargets((tuple(range(20, 30)),) * 2, ((0.0,) * 9 + (0.5,), (0.25,) + (0.0,) * 9))
    data = [Datum(ModelInput((5, 6)), (6, 7), (1.0, 2.0), soft_targets=each) for each in (few, many)]
    found = session.forward_backward(data).result()
    message = pb.ForwardBackwardRequest()
    message.ParseFromString(service.seen("/forward_backward")[0].body)
    dense, sparse = (each.loss_fn_inputs["weights"] for each in message.data)
    assert list(dense.shape) == [2, 2]
    assert np.frombuffer(dense.dense, "<f4").tolist() == [0.5, 0.25, 2.0, 0.0]
    assert np.frombuffer(message.data[0].loss_fn_inputs["target_tokens"].dense, "<i8").tolist() == [6, 7, 8, 9]
    assert list(sparse.shape) == [2, 10]
    assert np.frombuffer(sparse.sparse_csr.values, "<f4").tolist() == [0.5, 0.5]
    assert np.frombuffer(sparse.sparse_csr.crow_indices, "<i8").tolist() == [0, 1, 2]
    assert np.frombuffer(sparse.sparse_csr.col_indices, "<i8").tolist() == [9, 0]
    theirs = tinker.TensorData.from_torch_sparse(torch.tensor(many.weights) * torch.tensor([[1.0], [2.0]]))
    assert (theirs.sparse_crow_indices, theirs.sparse_col_indices) == ([0, 1, 2], [9, 0])
    assert [[len(row) for row in rows] for rows in found.soft_logprobs] == [[2, 2], [10, 10]]


def test_the_six_fields_of_adam(service: FakeTinkerService, session: TinkerSession, data: list[Datum]) -> None:
    """All of them, weight decay and clipping included, as numbers of Crucible and not as the SDK's defaults."""
    params = AdamParams(learning_rate=0.01, beta1=0.8, beta2=0.88, eps=1e-5, weight_decay=0.25, grad_clip_norm=1.5)
    session.forward_backward(data)
    session.optim_step(params).result()
    body = json.loads(service.seen("/optim_step")[0].body)
    assert body["adam_params"] == {
        "learning_rate": 0.01,
        "beta1": 0.8,
        "beta2": 0.88,
        "eps": 1e-5,
        "weight_decay": 0.25,
        "grad_clip_norm": 1.5,
    }
    assert body["seq_id"] == 2


@pytest.mark.parametrize(
    "params",
    [SgdParams(), RmspropParams(), AdamParams(weight_decay=0.1, decoupled=False)],
    ids=["sgd", "rmsprop", "adam"],
)
def test_another_optimiser_is_refused_by_name(session: TinkerSession, data: list[Datum], params: Any) -> None:
    """Tinker steps with AdamW; nothing is sent."""
    session.forward_backward(data).result()
    with pytest.raises(BackendError, match="is not offered by Tinker, which steps with AdamW"):
        session.optim_step(params).result()


def test_the_adapter_that_is_asked_for(service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig) -> None:
    """Rank, seed and groups of layers; all linear layers but the head where none is named, unlike the SDK's default."""
    backend.start_session(config).close()
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    backend.start_session(config.model_copy(update={"target_modules": names, "seed": 11})).close()
    bodies = [json.loads(request.body) for request in service.seen("/create_model")]
    wanted = {"rank": 4, "seed": 7, "train_mlp": True, "train_attn": True, "train_unembed": False}
    assert bodies[0]["lora_config"] == wanted
    assert bodies[1]["lora_config"] == {**wanted, "seed": 11, "train_mlp": False}
    assert "alpha" not in json.dumps(bodies)


# --- semantics ---


def test_losses_are_sums_and_weights_scale_them(session: TinkerSession, data: list[Datum]) -> None:
    """Ten times the weights is ten times the loss, twice the datum twice; minus one turns the sign."""
    one = session.forward([data[1]]).result().loss
    assert session.forward([data[1], data[1]]).result().loss == pytest.approx(2 * one, rel=1e-6)
    assert session.forward([weigh(data[1], 10.0)]).result().loss == pytest.approx(10 * one, rel=1e-6)
    assert session.forward([weigh(data[1], -1.0)]).result().loss == pytest.approx(-one, rel=1e-6)


def test_a_negative_weight_cancels_a_positive_one(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum]
) -> None:
    """Gradients add up over requests: what one adds, its negative takes away."""
    session.forward_backward([data[2]]).result()
    size = float(gradient_of(service).norm())
    session.forward_backward([weigh(data[2], -1.0)]).result()
    assert float(gradient_of(service).norm()) < 1e-4 * size


@pytest.mark.parametrize("loss", ["mse", "kl_divergence", "composite", "function"])
def test_a_loss_that_the_service_does_not_know(
    session: TinkerSession, base_folder: Path, config: LoraConfig, data: list[Datum], loss: str
) -> None:
    """It is computed here, between a forward and a backward there, and gives what a local session gives."""

    def cubes(logprobs: torch.Tensor, inputs: Any) -> torch.Tensor:
        return (inputs["weights"] * logprobs.abs() ** 3).sum()

    chosen: Any = {"composite": losses.composite(["mse", "mae"], [0.5, 2.0]), "function": cubes}.get(loss, loss)
    batch = [Datum(d.model_input, d.target_tokens, d.weights, {"reference_logprobs": (-2.0,) * len(d)}) for d in data]
    layers = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    local_config = config.model_copy(update={"base_model": str(base_folder), "target_modules": layers})
    with LocalBackend().start_session(local_config) as local:
        for own in (session, local):
            own.forward_backward(batch)
            own.optim_step(STEP)
        mine, theirs = session.forward_backward(batch, chosen).result(), local.forward_backward(batch, chosen).result()
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-4)
        assert mine.metrics == pytest.approx(theirs.metrics, rel=1e-4)
        norms = [own.optim_step(STEP).result().gradient_norm for own in (session, local)]
        assert norms[0] == pytest.approx(norms[1], rel=1e-3)
        assert session.forward(batch, chosen).result().loss == pytest.approx(
            local.forward(batch, chosen).result().loss, rel=1e-4
        )


def test_a_custom_loss_sees_crucibles_data_once(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum]
) -> None:
    """`fn(data, logprobs)` is called once with every position; what it reports and what it is come back."""
    calls: list[Any] = []

    def fn(items: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        calls.append([(datum, tuple(values.shape)) for datum, values in zip(items, logprobs, strict=True)])
        return logprobs[0].sum() * 2, {"mine": 4.5}  # does not read the others

    found = session.forward_backward_custom(data, fn).result()
    assert calls == [[(datum, (len(datum),)) for datum in data]]
    assert found.metrics["mine"] == 4.5
    assert found.loss == found.metrics["loss:sum"] == pytest.approx(2 * sum(found.logprobs[0]), rel=1e-5)  # type: ignore[arg-type]
    assert len(service.seen("/forward_backward")) == 2
    backward = pb.ForwardBackwardRequest()
    backward.ParseFromString(service.seen("/forward_backward")[1].body)
    weights = np.frombuffer(backward.data[0].loss_fn_inputs["weights"].dense, "<f4")
    assert weights.tolist() == [-2.0] * len(data[0])
    assert session.optim_step(STEP).result().gradient_norm > 0


def test_what_a_custom_loss_raises_comes_out(session: TinkerSession, data: list[Datum]) -> None:
    """The very error, not one of the SDK's; later requests say that it came before them."""

    def broken(items: Any, logprobs: Any) -> Any:
        raise ZeroDivisionError("mine")

    failed, step = session.forward_backward_custom(data, broken), session.optim_step(STEP)
    with pytest.raises(ZeroDivisionError, match="mine"):
        failed.result()
    with pytest.raises(BackendError, match="forward_backward_custom failed before it"):
        step.result()


def test_requests_travel_before_the_last_is_answered(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum]
) -> None:
    """Pipelining: six requests are on the service while the first is still being waited for, in their order."""
    service.faults.add("/retrieve_future", Fault(delay_s=1.5))
    futures: list[Any] = []
    for _ in range(3):
        futures += [session.forward_backward(data), session.optim_step(STEP)]
    deadline = time.monotonic() + 5
    while len(service.seen("/optim_step")) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not futures[0].done()
    assert [future.result() and None for future in futures] == [None] * 6
    assert model_of(service).executed == [1, 2, 3, 4, 5, 6]


def test_many_threads_may_submit(service: FakeTinkerService, session: TinkerSession, data: list[Datum]) -> None:
    """Each request is carried out once, whatever thread it comes from."""
    results: list[float] = []

    def work(number: int) -> None:
        results.extend(session.forward([data[number]]).result().loss for _ in range(3))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(model_of(service).executed) == 12


def test_a_batch_of_more_than_1024_arrives_in_reverse_and_counts_once(
    service: FakeTinkerService, session: TinkerSession
) -> None:
    """The SDK sends the later parts first; the service holds them, and outputs come back in the data's order."""
    data = [Datum(ModelInput((place % 300 + 2,)), (5,), (1.0,)) for place in range(1030)]
    found = session.forward_backward(data).result()
    assert len(found.logprobs) == 1030
    messages = []
    for request in service.seen("/forward_backward"):
        messages.append(pb.ForwardBackwardRequest())
        messages[-1].ParseFromString(request.body)
    assert [(message.seq_id, len(message.data)) for message in messages] == [(2, 6), (1, 1024)]
    assert model_of(service).executed == [1, 2]
    assert found.loss == pytest.approx(-sum(values[0] for values in found.logprobs), rel=1e-5)  # type: ignore[misc]
    assert found.metrics["input_tokens:sum"] == 1030
    assert session.optim_step(STEP).result().step == 1


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        ([], "at least one datum"),
        ([Datum(ModelInput((5,)), (6,), (0.0,))], "only weights of 0"),
        ([Datum(ModelInput((5,) * 65), (5,) * 65, (1.0,) * 65)], "65 tokens and the model's window holds 64"),
        ([Datum(ModelInput((5,)), (6,), (float("inf"),))], "not finite"),
        ([Datum(ModelInput((5,)), (400,), (1.0,))], "outside the vocabulary of 320: 400"),
    ],
)
def test_unusable_data_is_never_sent(
    service: FakeTinkerService, session: TinkerSession, batch: list[Datum], says: str
) -> None:
    """It is refused here, by the number of the datum; the step behind it is not sent either."""
    failed, step = session.forward_backward(batch), session.optim_step(STEP)
    with pytest.raises(DataError, match=says):
        failed.result()
    with pytest.raises(BackendError, match="forward_backward failed before it"):
        step.result()
    assert not service.seen("/forward_backward") + service.seen("/optim_step")
    assert session.status == "failed"


def test_a_step_needs_a_gradient(session: TinkerSession) -> None:
    """As in every session."""
    with pytest.raises(TrainError, match="there is no gradient to step with"):
        session.optim_step(STEP).result()


def test_an_unknown_loss_or_missing_input_is_refused_before_anything_is_sent(
    service: FakeTinkerService, backend: TinkerBackend, config: LoraConfig, data: list[Datum]
) -> None:
    """By name."""
    for loss, kind, says in (
        ("mean_error", BackendError, "unknown loss 'mean_error'"),
        ("kl_divergence", DataError, "needs loss_inputs"),
        ("ppo", DataError, "needs loss_inputs"),
    ):
        whole = [Datum(d.model_input, d.target_tokens, (1.0,) * len(d)) for d in data]
        with backend.start_session(config) as session, pytest.raises(kind, match=says):
            session.forward_backward(whole, loss).result()
    assert not service.seen("/forward_backward")


def test_a_loss_that_is_not_finite_ends_the_session(session: TinkerSession, data: list[Datum]) -> None:
    """forward_backward reports it; the step behind it, which the service may have taken, is an error."""
    found, step = session.forward_backward([weigh(data[0], 3e38)]), session.optim_step(STEP)
    assert found.result().loss == float("inf")
    with pytest.raises(NonFiniteLoss, match="go on from the last checkpoint") as caught:
        step.result()
    assert caught.value.step == 1


def test_a_failure_on_the_service_fails_what_comes_after(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the cause; the session is over."""

    def fail(request: Any) -> bytes:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model_of(service), "compute", fail)
    failed, step = session.forward_backward(data), session.optim_step(STEP)
    with pytest.raises(BackendError, match="could not carry it out .*out of memory") as caught:
        failed.result()
    assert caught.value.is_retryable  # the service says that it was its own fault
    with pytest.raises(BackendError, match="forward_backward failed before it") as later:
        step.result()
    assert later.value.__cause__ is caught.value
    with pytest.raises(BackendError, match="create_sampler was not executed"):
        session.create_sampler()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, body={"error": "oops"}),
        Fault(status=503),
        Fault(status=429, headers={"Retry-After": "0.05"}),
        Fault(status=408),
        Fault(status=400),
        Fault(is_torn=True),
        Fault(is_torn=True, after=True),
        Fault(status=502, after=True),
    ],
    ids=["500", "503", "429", "408", "empty 400", "torn", "torn after the work", "502 after the work"],
)
def test_a_request_that_is_sent_again_counts_once(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum], fault: Fault
) -> None:
    """The service knows it by its number: gradients are never doubled, even where only the answer was lost."""
    service.faults.add("/forward_backward", fault, times=1)
    session.forward_backward(data).result()
    assert len(service.seen("/forward_backward")) == 2
    assert model_of(service).executed == [1]
    once = float(gradient_of(service).norm())
    session.forward_backward(data).result()
    assert float(gradient_of(service).norm()) == pytest.approx(2 * once, rel=1e-5)


def test_retry_after_is_honoured(service: FakeTinkerService, session: TinkerSession, data: list[Datum]) -> None:
    """The next attempt comes no sooner than the service asked, and not much later."""
    service.faults.add("/forward_backward", Fault(status=429, headers={"Retry-After": "0.6"}))
    session.forward_backward(data).result()
    first, second = service.seen("/forward_backward")
    assert 0.6 <= second.at_s - first.at_s < 2.0


def test_a_rate_limit_that_stays_is_an_error_with_the_seconds(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig, data: list[Datum]
) -> None:
    """After max_retries, with how long the service asks to wait; longer than the time left is not waited for."""
    with connect(max_retries=1).start_session(config) as session:
        service.faults.add("/forward_backward", Fault(status=429, headers={"Retry-After": "0.01"}), times=9)
        with pytest.raises(RateLimited, match="after 2 attempts: HTTP 429") as caught:
            session.forward_backward(data).result()
        assert (caught.value.retry_after_s, caught.value.attempts, caught.value.is_retryable) == (0.01, 2, True)
    with connect(timeout=5.0).start_session(config) as session:
        service.faults.add("/optim_step", Fault(status=429, headers={"Retry-After": "3600"}))
        session.forward_backward(data)
        begun = time.monotonic()
        with pytest.raises(RateLimited, match="asks to wait 3600 s"):
            session.optim_step(STEP).result()
        assert time.monotonic() - begun < 4


@pytest.mark.parametrize("path", ["/forward_backward", "/retrieve_future"])
def test_a_broken_server_does_not_look_like_a_hang(
    service: FakeTinkerService,
    connect: Callable[..., TinkerBackend],
    config: LoraConfig,
    data: list[Datum],
    path: str,
) -> None:
    """500 for ever is an error after max_retries, where the SDK alone goes on for five minutes, or without end."""
    with connect(max_retries=2).start_session(config) as session:
        service.faults.add(path, Fault(status=500, body={"error": "oops"}), times=10**6)
        begun = time.monotonic()
        with pytest.raises(BackendError, match=r"after 3 attempts: HTTP 500 .*oops") as caught:
            session.forward_backward(data).result()
        assert time.monotonic() - begun < 8
        assert (caught.value.attempts, caught.value.is_retryable) == (3, True)
        assert len(service.seen(path)) < 10
        service.faults.clear()


def test_an_unpaid_bill_is_said_at_once(service: FakeTinkerService, session: TinkerSession, data: list[Datum]) -> None:
    """The SDK alone waits an hour for somebody to pay."""
    service.faults.add("/forward_backward", Fault(status=402, body={"error": "no credit"}), times=5)
    with pytest.raises(BackendError, match="no credit.*billing"):
        session.forward_backward(data).result()
    assert len(service.seen("/forward_backward")) == 1


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/forward_backward", Fault(delay_s=3.0)),
        ("/retrieve_future", Fault(delay_s=3.0)),
        ("/retrieve_future", Fault(status=408, body={"type": "try_again", "queue_state": "paused_capacity"})),
    ],
    ids=["no response", "no answer", "queued for ever"],
)
def test_every_wait_has_an_end(
    service: FakeTinkerService,
    connect: Callable[..., TinkerBackend],
    config: LoraConfig,
    data: list[Datum],
    path: str,
    fault: Fault,
) -> None:
    """After `timeout`, with the server's last word."""
    with connect(timeout=1.0).start_session(config) as session:
        service.faults.add(path, fault, times=10**6 if fault.status else 1)
        begun = time.monotonic()
        with pytest.raises(BackendTimeout, match="1 s") as caught:
            session.forward_backward(data).result()
        assert time.monotonic() - begun < 2.5
        assert caught.value.is_retryable
        assert fault.status is None or "paused_capacity" in str(caught.value)
        service.faults.clear()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(status=200, raw=b"\xff\xff\xff"), "Proto deserialization failed"),
        (Fault(status=200, body={"loss": 1.0}), "JSON payload"),
        (Fault(status=200, raw=b""), "8 data were sent and 0 outputs"),
        (Fault(status=410, body={"error": "gone"}), "lost the request"),
        (Fault(status=404, body={"error": "what future"}), "what future"),
    ],
    ids=["no protobuf", "json", "empty", "gone", "unknown"],
)
def test_an_answer_of_another_form_is_an_error(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum], fault: Fault, says: str
) -> None:
    """Typed, and never taken for a result."""
    service.faults.add("/retrieve_future", fault)
    with pytest.raises(BackendError, match=says) as caught:
        session.forward_backward(data).result()
    assert isinstance(caught.value, BadResponse) is (fault.status == 200)


def test_a_service_that_forgot_the_session_does_not_mask_anything(
    service: FakeTinkerService, connect: Callable[..., TinkerBackend], config: LoraConfig
) -> None:
    """404 on finish: the error of the user's own block comes out of the `with`."""
    service.faults.add("/finish", Fault(status=404, body={"error": "no such session"}), times=3)

    def block() -> None:
        with connect() as backend:
            backend.start_session(config).close()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        block()


def test_a_closed_session_refuses(session: TinkerSession, data: list[Datum]) -> None:
    """close() waits for what was submitted."""
    pending = session.forward(data)
    session.close()
    assert pending.done()
    with pytest.raises(BackendError, match="closed"):
        session.forward(data)


def test_closing_while_others_submit_loses_nothing(
    service: FakeTinkerService, session: TinkerSession, data: list[Datum]
) -> None:
    """A request is taken and answered, or refused and never sent."""
    taken: list[Any] = []

    def submit() -> None:
        while True:
            try:
                taken.append(session.forward([data[0]]))
            except BackendError:
                return
            time.sleep(0.001)

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    session.close()
    for thread in threads:
        thread.join()
    assert all(future.done() for future in taken)
    assert len(model_of(service).executed) == len(taken)
