"""Losses of a local session: by name, composite, one's own, custom; each with the gradient that it should have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch

from crucible.backends import AdamParams, losses
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.local_session import LocalSession
from crucible.backends.losses import registry
from crucible.errors import BackendError, DataError, NonFiniteLoss, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum

Custom = Callable[[Any, list[torch.Tensor]], tuple[torch.Tensor, dict[str, float]]]


@pytest.fixture
def config(base_folder: Any) -> LoraConfig:
    """With dropout."""
    return LoraConfig(base_model=str(base_folder), rank=4, dropout=0.2, seed=7)


@pytest.fixture
def adapter(config: LoraConfig, base: LoadedBase) -> LocalAdapter:
    """A fresh adapter whose B matrices are no longer zero."""
    return fresh(config, base)


@pytest.fixture
def full(data: list[Datum]) -> list[Datum]:
    """Data with weights of both signs at every position, and what the losses compare with."""
    return [
        Datum(
            datum.model_input,
            datum.target_tokens,
            tuple(0.5 - (place % 3) for place in range(len(datum))),
            {
                "targets": tuple((place % 4) / 4 for place in range(len(datum))),
                "reference_logprobs": tuple(-0.5 * (place % 5) for place in range(len(datum))),
                "logprobs": tuple(-6.0 - place % 3 for place in range(len(datum))),
                "advantages": tuple(1.0 - place % 4 for place in range(len(datum))),
            },
        )
        for datum in data
    ]


def fresh(config: LoraConfig, base: LoadedBase) -> LocalAdapter:
    """An adapter with weights that are all drawn."""
    adapter = LocalAdapter(config, base)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for view in adapter.weights._weights.values():
            view.copy_(torch.randn(view.shape, generator=generator) * 0.1)
    return adapter


def gradient(adapter: LocalAdapter) -> torch.Tensor:
    """The accumulated gradient."""
    return adapter.weights._gradient.clone()


def as_custom(name: str) -> Custom:
    """A registered loss as a custom one, of whole sequences."""

    def fn(data: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        total = torch.zeros(())
        for datum, each in zip(data, logprobs, strict=True):
            inputs = {"weights": torch.tensor(datum.weights)}
            inputs |= {key: torch.tensor(values) for key, values in datum.loss_inputs.items()}
            total = total + losses.get(name)(each, inputs)
        return total, {"data:sum": len(data)}

    return fn


NAMES = [name for name in losses.names() if name != "entropy"]  # which is of the whole distribution


@pytest.mark.parametrize("name", NAMES)
def test_a_custom_loss_has_the_gradient_of_the_registered_one(
    config: LoraConfig, base: LoadedBase, full: list[Datum], name: str
) -> None:
    """One forward pass with the very dropout: loss, log-probabilities and gradient are equal."""
    named, custom = fresh(config, base), fresh(config, base)
    expected = named.forward_backward(full, name, None)
    found = custom.forward_backward_custom(full, as_custom(name))
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert found.logprobs == expected.logprobs
    assert found.metrics["data:sum"] == len(full)
    assert found.metrics["loss:sum"] == found.loss
    assert found.metrics["weighted_tokens:sum"] == expected.metrics["weighted_tokens:sum"]
    scale = gradient(named).abs().max()
    assert torch.allclose(gradient(custom), gradient(named), atol=1e-6 * scale)


@pytest.mark.parametrize("name", [name for name in losses.names() if name != "cispo"])  # whose factors stand still
def test_gradients_of_the_adapter_by_finite_differences(
    config: LoraConfig, base: LoadedBase, full: list[Datum], name: str
) -> None:
    """Along the gradient, the loss changes by the step times its square norm."""
    adapter = fresh(config.model_copy(update={"dropout": 0.0}), base)
    adapter.forward_backward(full, name, None)
    slope = gradient(adapter)
    flat = adapter.weights._flat
    step = 1e-3 / float(slope.norm())
    values = []
    for direction in (1.0, -1.0):
        with torch.no_grad():
            flat.add_(slope, alpha=direction * step)
        values.append(adapter.forward(full, name, None).loss)
        with torch.no_grad():
            flat.add_(slope, alpha=-direction * step)
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(float(slope.square().sum()), rel=0.02)


def test_a_custom_loss_in_pieces_keeps_its_dropout(
    config: LoraConfig, base: LoadedBase, full: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the data take several passes, each is repeated with the dropout that it had: the gradients are those of
    `forward_backward` in the same pieces, and what comes after goes on equally.
    """
    monkeypatch.setattr("crucible.backends.data_scoring.tokens_per_group", lambda *_, **__: 20)
    named, custom = fresh(config, base), fresh(config, base)
    assert len(custom._scoring.groups(full)) > 2
    expected = named.forward_backward(full, "cross_entropy", None)
    found = custom.forward_backward_custom(full, as_custom("cross_entropy"))
    assert found.logprobs == expected.logprobs
    scale = gradient(named).abs().max()
    assert torch.allclose(gradient(custom), gradient(named), atol=1e-6 * scale)
    assert custom.forward_backward(full, "mse", None).loss == named.forward_backward(full, "mse", None).loss


def test_a_custom_loss_may_read_across_data(adapter: LocalAdapter, data: list[Datum]) -> None:
    """A preference of one sequence over another pushes the one up and the other down."""

    def preference(_: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        margin = logprobs[0].sum() - logprobs[1].sum()
        return -torch.nn.functional.logsigmoid(margin), {"margin:mean": margin.item()}

    before = adapter.forward(data[:2], "cross_entropy", None).logprobs
    for _ in range(5):
        adapter.forward_backward_custom(data[:2], preference)
        adapter.weights.step(AdamParams(learning_rate=0.02))
    after = adapter.forward(data[:2], "cross_entropy", None).logprobs
    gain = [sum(filter(None, b)) - sum(filter(None, a)) for a, b in zip(before, after, strict=True)]
    assert gain[0] > gain[1]


@pytest.mark.parametrize(
    ("fn", "error"),
    [
        (lambda data, lps: (lps[0], {}), TrainError),
        (lambda data, lps: (torch.zeros(()), {}), TrainError),
        (lambda data, lps: (lps[0].sum() * float("nan"), {}), NonFiniteLoss),
    ],
)
def test_a_custom_loss_that_is_none_adds_nothing(
    config: LoraConfig, base: LoadedBase, data: list[Datum], fn: Any, error: type[Exception]
) -> None:
    """It fails the request and those behind it, and no gradient was touched."""
    with LocalSession(config, base) as session:
        bad = session.forward_backward_custom(data, fn)
        later = session.forward(data)
        with pytest.raises(error):
            bad.result()
        with pytest.raises(BackendError, match="because forward_backward_custom failed"):
            later.result()
        assert not session._adapter.weights.has_gradient
        assert not session._adapter.weights._gradient.any()


def test_a_custom_loss_must_not_wait_for_its_own_session(
    config: LoraConfig, base: LoadedBase, data: list[Datum]
) -> None:
    """What would hang is an error."""
    with LocalSession(config, base) as session:

        def waits(_: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
            return session.forward(data).result().loss * logprobs[0].sum(), {}

        with pytest.raises(BackendError, match="must not call its own session"):
            session.forward_backward_custom(data, waits).result(10)


def test_a_composite_reports_its_parts(adapter: LocalAdapter, full: list[Datum]) -> None:
    """Loss and metrics are sums over all data, the parts before their weights."""
    mixed = losses.composite(["cross_entropy", "kl_divergence"], [1.0, 0.25])
    found = adapter.forward(full, mixed, None)
    parts = {name: adapter.forward(full, name, None).loss for name in mixed.weights}
    assert found.metrics["loss/cross_entropy:sum"] == pytest.approx(parts["cross_entropy"], rel=1e-5)
    assert found.metrics["loss/kl_divergence:sum"] == pytest.approx(parts["kl_divergence"], rel=1e-5)
    assert found.loss == pytest.approx(parts["cross_entropy"] + 0.25 * parts["kl_divergence"], rel=1e-5)


def test_a_loss_of_ones_own(adapter: LocalAdapter, full: list[Datum], monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is a loss; registered under a name it takes settings from the request."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    def scaled(logprobs: torch.Tensor, inputs: Any, scale: float = 1.0) -> torch.Tensor:
        return -scale * (inputs["weights"] * logprobs).sum()

    plain = adapter.forward(full, "cross_entropy", None).loss
    assert adapter.forward(full, scaled, None).loss == pytest.approx(plain)
    losses.register("scaled", scaled, config={"scale": 1.0})
    assert adapter.forward(full, "scaled", {"scale": 3.0}).loss == pytest.approx(3 * plain)


@pytest.mark.parametrize(
    ("change", "loss", "says"),
    [
        ({}, "kl_divergence", r"needs loss_inputs\['reference_logprobs'\]"),
        ({"targets": (float("nan"),)}, "mse", r"datum 1 has a value in loss_inputs\['targets'\] that is not finite"),
        ({"targets": (0.5,)}, "mse", r"loss_inputs\['targets'\] is in some data of the request but not in all"),
        ({"targets": (2.0,)}, "bce", r"probabilities in \[0, 1\]; got 2"),
    ],
)
def test_inputs_of_the_loss_that_cannot_be_used(
    adapter: LocalAdapter, data: list[Datum], change: dict[str, tuple[float, ...]], loss: str, says: str
) -> None:
    """Missing, not finite, not in all data, out of range: each is named."""
    inputs = {name: values * len(data[1]) for name, values in change.items()}
    odd = msgspec.structs.replace(data[1], loss_inputs=inputs)
    others = {} if "some data" in says else {name: (0.5,) * len(data[0]) for name in change}
    first = msgspec.structs.replace(data[0], loss_inputs=others)
    with pytest.raises(DataError, match=says):
        adapter.forward_backward([first, odd], loss, None)


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32(
    config: LoraConfig, base: LoadedBase, full: list[Datum]
) -> None:
    """The configuration's switch reaches the engine: close to float32 and not equal; weights and gradient float32."""
    plain = fresh(config.model_copy(update={"dropout": 0.0}), base)
    mixed = fresh(config.model_copy(update={"dropout": 0.0, "mixed_precision": True}), base)
    one, two = (each.forward(full, "mae", None).loss for each in (plain, mixed))
    assert one != two
    assert two == pytest.approx(one, rel=0.05, abs=0.5)
    mixed.forward_backward(full, "cross_entropy", None)
    assert mixed.weights._gradient.dtype == mixed.weights._flat.dtype == torch.float32


def test_a_loss_that_is_no_number_changes_no_weight(
    config: LoraConfig, base: LoadedBase, data: list[Datum], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its gradient is finite, as that of a constant NaN is, and a good request comes behind it."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    losses.register("spoilt", lambda logprobs, inputs: -(inputs["weights"] * logprobs).sum() + float("nan"))
    with LocalSession(config, base) as session:
        first = session.create_sampler().logprobs(["ticket 1:"])
        assert math.isnan(session.forward_backward(data, "spoilt").result().loss)
        session.forward_backward(data)
        step = session.optim_step(AdamParams(learning_rate=0.1))
        with pytest.raises(NonFiniteLoss, match="the step was not taken"):
            step.result()
        assert LocalSampler(base, model="now", weights=session._adapter.merged()).logprobs(["ticket 1:"]) == first
