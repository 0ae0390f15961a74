"""The losses that train a policy on its samples: closed forms, finite differences, edges of clipping, both ends."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from crucible.backends import losses
from crucible.backends.loss_terms import POLICY_INPUTS, POLICY_SETTINGS, policy_settings
from crucible.errors import BackendError, DataError

NAMES = tuple(POLICY_SETTINGS)


def inputs(q: list[float], advantages: list[float], weights: list[float] | None = None) -> dict[str, torch.Tensor]:
    """Tensors in float64 as a session hands them over."""
    columns = {"logprobs": q, "advantages": advantages, "weights": weights or [1.0] * len(q)}
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in columns.items()}


def slopes(name: str, logprobs: list[float], given: dict[str, torch.Tensor], **config: float) -> list[float]:
    """The derivative of a loss by each log-probability."""
    leaf = torch.tensor(logprobs, dtype=torch.float64, requires_grad=True)
    loss: Any = losses.resolve(name, config)
    (found,) = torch.autograd.grad(loss(leaf, given), leaf)
    return found.tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # lp = log .3 and log .9, q = log .2 and log .6, A = 2 and -1, weights 1 and .5: both ratios are 1.5
        ("importance_sampling", -(1.5 * 2 - 0.5 * 1.5)),
        ("ppo", -(1.2 * 2 - 0.5 * 1.5)),
        ("cispo", -(1.2 * 2 * math.log(0.3) - 0.5 * 1.2 * math.log(0.9))),
        ("dro", -(2 * math.log(0.3) - 0.025 * math.log(1.5) ** 2 - 0.5 * (math.log(0.9) + 0.025 * math.log(1.5) ** 2))),
    ],
)
def test_closed_forms(name: str, expected: float) -> None:
    """Worked out by hand; a sum, weighted, by the defaults of the settings."""
    given = inputs([math.log(0.2), math.log(0.6)], [2.0, -1.0], [1.0, 0.5])
    logprobs = torch.tensor([math.log(0.3), math.log(0.9)], dtype=torch.float64)
    assert losses.get(name)(logprobs, given).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "dro"])
def test_gradients_by_finite_differences(name: str) -> None:
    """torch.autograd.gradcheck in float64, between the edges of clipping, with advantages and weights of both signs."""
    given = inputs([-0.3, -1.1, -2.0, -0.2], [1.5, -2.0, 0.7, -0.1], [1.0, 0.5, -2.0, 3.0])
    leaf = torch.tensor([-0.35, -1.0, -0.5, -3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda lp: losses.get(name)(lp, given), (leaf,))


def test_cispos_gradient_is_that_of_its_factors_held_still() -> None:
    """By finite differences of -sum(w c lp A) with the clipped ratios c as numbers."""
    given = inputs([-0.3, -1.1, -2.0], [1.5, -2.0, 0.7], [1.0, 0.5, 2.0])
    logprobs = [-0.35, -0.2, -2.9]
    factors = [min(1.2, max(0.8, math.exp(lp - q))) for lp, q in zip(logprobs, given["logprobs"].tolist(), strict=True)]
    expected = [
        -weight * factor * gain
        for weight, factor, gain in zip(given["weights"].tolist(), factors, given["advantages"].tolist(), strict=True)
    ]
    assert slopes("cispo", logprobs, given) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["importance_sampling", "ppo", "cispo", "dro"])
@pytest.mark.parametrize("gain", [2.0, -2.0])
def test_at_ratio_1_the_gradient_is_the_policy_gradient(name: str, gain: float) -> None:
    """Minus the advantage, whatever the loss."""
    assert slopes(name, [-1.3], inputs([-1.3], [gain])) == pytest.approx([-gain], rel=1e-12)


@pytest.mark.parametrize("gain", [1.0, -1.0])
def test_ppo_clips_on_the_side_of_the_advantage_only(gain: float) -> None:
    """Beyond the edge that the advantage drives towards, the gradient is 0; on the other side it is not."""
    logs = [math.log(0.1) + math.log(ratio) for ratio in (0.5, 0.7999, 0.8001, 1.0, 1.1999, 1.2001, 3.0)]
    found = slopes("ppo", logs, inputs([math.log(0.1)] * 7, [gain] * 7))
    free = [True] * 5 + [False] * 2 if gain > 0 else [False] * 2 + [True] * 5
    expected = [-gain * math.exp(lp) / 0.1 if is_free else 0.0 for lp, is_free in zip(logs, free, strict=True)]
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("ratio", "gain"), [(0.5, -1.0), (1.5, 1.0)])
def test_on_the_edge_itself_the_gradient_is_whole(ratio: float, gain: float) -> None:
    """Half of it, as the minimum of two equal numbers would give, would be neither side's."""
    low, high = min(ratio, 1.0), max(ratio, 1.0)
    given = inputs([0.0], [gain])
    lp = math.log(ratio)
    exact = torch.tensor(lp, dtype=torch.float64).exp().item()  # the very number that the loss compares
    config = {"clip_low_threshold": exact if ratio < 1 else low, "clip_high_threshold": exact if ratio > 1 else high}
    assert slopes("ppo", [lp], given, **config) == pytest.approx([-gain * exact], rel=1e-12)


def test_cispo_keeps_the_gradient_of_every_token() -> None:
    """Also of those whose ratio was clipped: that is what it is for."""
    found = slopes("cispo", [0.0, -9.0], inputs([-9.0, 0.0], [1.0, 1.0]))
    assert found == pytest.approx([-1.2, -0.8])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain", [1e6, -1e6, 0.0])
@pytest.mark.parametrize("q", [0.0, -30.0, -1e4])
def test_far_apart_everything_is_finite(name: str, gain: float, q: float) -> None:
    """In float32, from a certain token to one beyond underflow, whatever the sampler's probability was."""
    ends = torch.tensor([0.0, -1e-7, -1.0, -40.0, -120.0, -1e4], requires_grad=True)
    given = {name: tensor.float() for name, tensor in inputs([q] * 6, [gain] * 6).items()}
    loss = losses.get(name)(ends, given)
    loss.backward()
    assert loss.isfinite()
    assert ends.grad is not None
    assert ends.grad.isfinite().all()


def test_a_ratio_beyond_exp_20_goes_on_as_its_tangent() -> None:
    """So that a token which the sampler held for impossible still has a gradient of the right sign."""
    found = slopes("importance_sampling", [-1.0, -1.0], inputs([-22.0, -500.0], [1.0, 1.0]))
    assert found == pytest.approx([-math.exp(20)] * 2)
    value = losses.get("importance_sampling")(torch.zeros(1, dtype=torch.float64), inputs([-25.0], [1.0]))
    assert value.item() == pytest.approx(-6 * math.exp(20))


@pytest.mark.parametrize("name", NAMES)
def test_a_token_of_weight_0_has_no_share(name: str) -> None:
    """Whatever its advantage and its log-probabilities are."""
    given = inputs([-1.0, -50.0], [2.0, 1e3], [1.0, 0.0])
    alone = inputs([-1.0], [2.0])
    both = torch.tensor([-0.9, -0.1], dtype=torch.float64)
    assert losses.get(name)(both, given).item() == losses.get(name)(both[:1], alone).item()
    assert slopes(name, both.tolist(), given)[1] == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("missing", POLICY_INPUTS)
def test_a_missing_input_is_named(name: str, missing: str) -> None:
    """With what there was."""
    given = {key: value for key, value in inputs([-1.0], [1.0]).items() if key != missing}
    with pytest.raises(DataError, match=rf"{name}' needs loss_inputs\['{missing}'\]"):
        losses.get(name)(torch.zeros(1), given)


def test_settings_change_the_edges_and_the_pull() -> None:
    """By the names of Tinker's loss_fn_config."""
    assert slopes("ppo", [0.0], inputs([-0.5], [1.0])) == [0]
    assert slopes("ppo", [0.0], inputs([-0.5], [1.0]), clip_high_threshold=2.0) == pytest.approx([-math.exp(0.5)])
    assert slopes("dro", [-0.5], inputs([-1.5], [1.0]), beta=0.4) == pytest.approx([-(1 - 0.4)])
    assert slopes("dro", [-0.5], inputs([-1.5], [1.0]), beta=0.0) == [-1]


@pytest.mark.parametrize(
    ("name", "config", "says"),
    [
        ("ppo", {"clip_low_threshold": 1.1}, "needs 0 <= clip_low_threshold <= 1"),
        ("ppo", {"clip_low_threshold": -0.1}, "got -0.1 and 1.2"),
        ("cispo", {"clip_high_threshold": 0.2}, "0.8 and 1.2 are an epsilon of 0.2"),
        ("cispo", {"clip_high_threshold": float("nan")}, "clip_high_threshold"),
        ("ppo", {"clip_high_threshold": float("inf")}, "clip_high_threshold"),
        ("dro", {"beta": -1.0}, "beta of dro must be 0 or more"),
        ("dro", {"beta": float("nan")}, "beta of dro"),
        ("ppo", {"epsilon": 0.2}, "no setting 'epsilon'"),
        ("ppo", {"clip_low_threshold": "0.8"}, "clip_low_threshold of ppo must be a number, got '0.8'"),
        ("cispo", {"clip_high_threshold": None}, "clip_high_threshold of cispo must be a number, got None"),
        ("dro", {"beta": True}, "beta of dro must be a number, got True"),
        ("importance_sampling", {"beta": 0.2}, "it has: none"),
    ],
)
def test_settings_that_mean_nothing_are_refused(name: str, config: dict[str, Any], says: str) -> None:
    """The same here and where a service computes the loss, which is sent them."""
    with pytest.raises(BackendError, match=says):
        losses.resolve(name, config)(torch.zeros(1), inputs([0.0], [1.0]))
    with pytest.raises(BackendError, match=says):
        policy_settings(name, config)


def test_the_registry_has_the_settings_that_a_service_is_sent() -> None:
    """One table of defaults."""
    assert {name: losses.get(name).config for name in NAMES} == POLICY_SETTINGS
    assert policy_settings("ppo", {"clip_low_threshold": 0.5}) == {
        "clip_low_threshold": 0.5,
        "clip_high_threshold": 1.2,
    }
