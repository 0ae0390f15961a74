"""The flat weights and their optimisers: equal to PyTorch's, restorable, and never poisoned."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from crucible.backends import AdamParams, OptimizerParams, RmspropParams, SgdParams
from crucible.backends.weights import FlatWeights
from crucible.errors import CheckpointError, NonFiniteLoss, TrainError

PARAMS = AdamParams(learning_rate=0.01, beta1=0.8, beta2=0.95, eps=1e-9, weight_decay=0.1, grad_clip_norm=0.0)


def matrices() -> dict[str, nn.Parameter]:
    """Two small parameters with fixed values."""
    generator = torch.Generator().manual_seed(0)
    return {
        "a": nn.Parameter(torch.randn(3, 4, generator=generator)),
        "b": nn.Parameter(torch.randn(5, generator=generator)),
    }


def backward(flat: FlatWeights, named: dict[str, nn.Parameter], scale: float = 1.0) -> None:
    """Accumulate the gradient of a small nonlinear function."""
    (scale * (named["a"].sin().sum() + (named["b"] ** 3).sum())).backward()
    flat.has_gradient = True


def test_steps_equal_torch_adamw_with_clipping() -> None:
    """Five steps over the flat vector equal five of torch.optim.AdamW over the separate parameters."""
    named, theirs = matrices(), matrices()
    flat = FlatWeights(named)
    adamw = torch.optim.AdamW(theirs.values(), lr=0.01, betas=(0.8, 0.95), eps=1e-9, weight_decay=0.1, foreach=False)
    clipped = AdamParams(learning_rate=0.01, beta1=0.8, beta2=0.95, eps=1e-9, weight_decay=0.1, grad_clip_norm=1.5)
    for step in range(5):
        backward(flat, named)
        output = flat.step(clipped)
        (theirs["a"].sin().sum() + (theirs["b"] ** 3).sum()).backward()
        norm = nn.utils.clip_grad_norm_(theirs.values(), 1.5)
        adamw.step()
        adamw.zero_grad()
        assert output.gradient_norm == pytest.approx(norm.item(), rel=1e-6)
        assert output.gradient_norm > 1.5
        assert output.step == flat.step_count == step + 1
    for name, parameter in named.items():
        assert torch.allclose(parameter, theirs[name], atol=1e-6)


RULES: dict[str, tuple[OptimizerParams, Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "adamw": (PARAMS, torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-9, "weight_decay": 0.1}),
    "adam": (
        AdamParams(learning_rate=0.01, beta1=0.8, beta2=0.95, eps=1e-9, weight_decay=0.1, decoupled=False),
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-9, "weight_decay": 0.1},
    ),
    "sgd": (SgdParams(learning_rate=0.02, weight_decay=0.1), torch.optim.SGD, {"lr": 0.02, "weight_decay": 0.1}),
    "sgd with momentum": (
        SgdParams(learning_rate=0.02, momentum=0.9),
        torch.optim.SGD,
        {"lr": 0.02, "momentum": 0.9},
    ),
    "rmsprop": (
        RmspropParams(learning_rate=0.01, alpha=0.9, eps=1e-6, weight_decay=0.05),
        torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.05},
    ),
    "rmsprop with momentum": (
        RmspropParams(learning_rate=0.01, momentum=0.5),
        torch.optim.RMSprop,
        {"lr": 0.01, "momentum": 0.5},
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_that_of_torch_optim(rule: str) -> None:
    """Eight steps over the flat vector equal eight of PyTorch's optimiser over the separate parameters, to 1e-6."""
    params, kind, options = RULES[rule]
    named, theirs = matrices(), matrices()
    flat, optimizer = FlatWeights(named), kind(theirs.values(), foreach=False, **options)
    for _ in range(8):
        backward(flat, named)
        flat.step(params)
        (theirs["a"].sin().sum() + (theirs["b"] ** 3).sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    for name, parameter in named.items():
        assert torch.allclose(parameter, theirs[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("first", "then"), [*itertools.product(RULES, repeat=2)])
def test_every_rule_is_restored_and_changed_to_the_bit(first: str, then: str) -> None:
    """Saved after three steps of one rule, loaded, and gone on with this or another: equal to not stopping."""
    named, other_named = matrices(), matrices()
    flat, other = FlatWeights(named), FlatWeights(other_named)
    for _ in range(3):
        backward(flat, named)
        flat.step(RULES[first][0])
    other.restore(flat.weights(), flat.optimizer_state())
    for one, its in ((flat, named), (other, other_named)):
        for rule in (first, then, then):
            backward(one, its)
            one.step(RULES[rule][0])
    assert other.step_count == flat.step_count == 6
    assert all(torch.equal(flat.weights()[name], tensor) for name, tensor in other.weights().items())
    assert flat.optimizer_state().keys() == other.optimizer_state().keys()
    assert all(torch.equal(flat.optimizer_state()[name], tensor) for name, tensor in other.optimizer_state().items())


def test_a_changed_optimizer_begins_anew() -> None:
    """After steps of gradient descent AdamW's first step is that of a fresh AdamW; steps go on being counted."""
    named, fresh_named = matrices(), matrices()
    flat, fresh = FlatWeights(named), FlatWeights(fresh_named)
    backward(flat, named)
    flat.step(SgdParams(learning_rate=0.0, momentum=0.9))
    outputs = []
    for one, its in ((flat, named), (fresh, fresh_named)):
        backward(one, its)
        outputs.append(one.step(PARAMS))
    assert [output.step for output in outputs] == [2, 1]
    assert all(torch.equal(flat.weights()[name], tensor) for name, tensor in fresh.weights().items())


def test_what_is_no_optimizer_is_refused() -> None:
    """With the three that there are."""
    named = matrices()
    flat = FlatWeights(named)
    backward(flat, named)
    with pytest.raises(TrainError, match="needs AdamParams, SgdParams or RmspropParams, got dict"):
        flat.step({"lr": 0.1, "grad_clip_norm": 1.0})  # type: ignore[arg-type]


def test_gradients_add_up_until_the_step() -> None:
    """Two backward passes give twice the norm; a step clears."""
    named = matrices()
    flat = FlatWeights(named)
    backward(flat, named)
    backward(flat, named)
    doubled = flat.step(AdamParams(learning_rate=0.0)).gradient_norm
    backward(flat, named)
    assert doubled == pytest.approx(2 * flat.step(AdamParams(learning_rate=0.0)).gradient_norm)


def test_a_step_without_a_gradient_is_an_error() -> None:
    """It would move the weights by old moments alone."""
    with pytest.raises(TrainError, match="needs a forward_backward before it"):
        FlatWeights(matrices()).step(PARAMS)


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_never_reaches_the_weights(scale: float) -> None:
    """The step is refused with its number, and the weights stay as they were."""
    named = matrices()
    flat = FlatWeights(named)
    before = flat.weights()
    backward(flat, named, scale)
    with pytest.raises(NonFiniteLoss, match="the step was not taken") as caught:
        flat.step(PARAMS)
    assert caught.value.step == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in flat.weights().items())


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("steps", [0, 3])
def test_restoring_goes_on_exactly(steps: int, pending: bool) -> None:
    """Weights, moments, step count and a gradient not yet applied: later steps are equal to the bit."""
    named = matrices()
    flat = FlatWeights(named)
    for _ in range(steps):
        backward(flat, named)
        flat.step(PARAMS)
    if pending:
        backward(flat, named, 0.3)
    weights, state = flat.weights(), flat.optimizer_state()

    other_named = matrices()
    other = FlatWeights(other_named)
    backward(other, other_named, 7.0)
    other.step(PARAMS)
    backward(other, other_named, 7.0)
    other.restore(weights, state)
    assert other.step_count == steps
    assert other.has_gradient is pending
    for one, its in ((flat, named), (other, other_named)):
        for _ in range(2):
            backward(one, its)
            one.step(PARAMS)
    assert all(torch.equal(flat.weights()[name], tensor) for name, tensor in other.weights().items())


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    """Other names, other shapes, an unknown kind of state: a CheckpointError that names the tensor."""
    named = matrices()
    flat = FlatWeights(named)
    backward(flat, named)
    flat.step(PARAMS)
    weights, state = flat.weights(), flat.optimizer_state()
    with pytest.raises(CheckpointError, match="b is only on one side"):
        flat.restore({"a": weights["a"]}, state)
    with pytest.raises(CheckpointError, match=r"another rank or model: a is \(2, 2\), this session's is \(3, 4\)"):
        flat.restore({**weights, "a": torch.zeros(2, 2)}, state)
    with pytest.raises(CheckpointError, match=r"unknown form: .*variance"):
        flat.restore(weights, {**state, "variance:a": torch.zeros(3, 4)})
    with pytest.raises(CheckpointError, match="unknown form"):
        flat.restore(weights, {"step": torch.tensor(1.0)})
    with pytest.raises(CheckpointError, match=r"unknown form: .* exp_avg"):
        flat.restore(weights, {name: tensor for name, tensor in state.items() if "_sq" not in name})
    assert all(torch.equal(flat.weights()[name], tensor) for name, tensor in weights.items())
