"""The losses that train a policy on tokens it sampled: each a sum over tokens, of Tinker's names and meaning.

`inputs["logprobs"]` is the sampler's log-probability of each token, q, and `inputs["advantages"]` its advantage, A;
r = exp(lp - q) is how much likelier the token has become. Weights are the mask: 1 on the policy's own tokens, 0 on
others, any factor in between. All are finite, with finite gradients, however far lp and q are apart: above
lp - q = 20 the ratio goes on as its tangent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from crucible.backends.loss_terms import POLICY_SETTINGS, check_policy_settings

__all__ = ["cispo", "dro", "importance_sampling", "ppo"]

Inputs = Mapping[str, torch.Tensor]

_FURTHEST = 20.0  # largest lp - q whose exponential is taken
_LOW, _HIGH = POLICY_SETTINGS["ppo"]["clip_low_threshold"], POLICY_SETTINGS["ppo"]["clip_high_threshold"]
_BETA = POLICY_SETTINGS["dro"]["beta"]


def importance_sampling(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return -sum(weights * r * A): the policy gradient, corrected for tokens of another policy.

    At r = 1 its gradient is that of REINFORCE.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights`, `logprobs` and `advantages`, (M,) each.
    """
    return -(inputs["weights"] * _ratio(logprobs, inputs) * inputs["advantages"]).sum()


def ppo(
    logprobs: torch.Tensor, inputs: Inputs, *, clip_low_threshold: float = _LOW, clip_high_threshold: float = _HIGH
) -> torch.Tensor:
    """Return -sum(weights * min(r * A, clip(r) * A)).

    The gradient vanishes where a ratio has left [low, high] in the direction that its advantage asks for, and there
    only; on the edges themselves it is still that of `importance_sampling`.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights`, `logprobs` and `advantages`, (M,) each.
        clip_low_threshold: Least ratio, in [0, 1].
        clip_high_threshold: Largest ratio, at least 1.

    Raises:
        BackendError: A threshold is outside of its range.

    Source:
        Schulman et al. (2017), arXiv:1707.06347, equation 7, with 1 - epsilon and 1 + epsilon apart.
    """
    _check("ppo", clip_low_threshold=clip_low_threshold, clip_high_threshold=clip_high_threshold)
    ratio, gain = _ratio(logprobs, inputs), inputs["advantages"]
    is_out = torch.where(gain >= 0, ratio > clip_high_threshold, ratio < clip_low_threshold)
    taken = torch.where(is_out, ratio.detach().clamp(clip_low_threshold, clip_high_threshold), ratio)
    return -(inputs["weights"] * taken * gain).sum()


def cispo(
    logprobs: torch.Tensor, inputs: Inputs, *, clip_low_threshold: float = _LOW, clip_high_threshold: float = _HIGH
) -> torch.Tensor:
    """Return -sum(weights * clip(r) * lp * A), where no gradient passes through clip(r): no token is left out.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights`, `logprobs` and `advantages`, (M,) each.
        clip_low_threshold: Least ratio, in [0, 1].
        clip_high_threshold: Largest ratio, at least 1.

    Raises:
        BackendError: A threshold is outside of its range.

    Source:
        MiniMax (2025), arXiv:2506.13585, equation 4.
    """
    _check("cispo", clip_low_threshold=clip_low_threshold, clip_high_threshold=clip_high_threshold)
    factor = _ratio(logprobs, inputs).detach().clamp(clip_low_threshold, clip_high_threshold)
    return -(inputs["weights"] * factor * logprobs * inputs["advantages"]).sum()


def dro(logprobs: torch.Tensor, inputs: Inputs, *, beta: float = _BETA) -> torch.Tensor:
    """Return -sum(weights * (lp * A - beta / 2 * (lp - q)^2)): policy gradient with a quadratic pull to the sampler.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights`, `logprobs` and `advantages`, (M,) each.
        beta: Strength of the pull, 0 or more.

    Raises:
        BackendError: `beta` is outside of its range.

    Source:
        Richemond et al. (2024), arXiv:2405.19107, with Tinker's sign and scale.
    """
    _check("dro", beta=beta)
    pull = (logprobs - inputs["logprobs"]).square()
    return -(inputs["weights"] * (logprobs * inputs["advantages"] - beta / 2 * pull)).sum()


def _check(name: str, **settings: float) -> None:
    check_policy_settings(name, settings)


def _ratio(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return r (M,), whose logarithm above 20 counts linearly."""
    difference = logprobs - inputs["logprobs"]
    beyond = math.exp(_FURTHEST) * (difference + (1 - _FURTHEST))
    return torch.where(difference > _FURTHEST, beyond, difference.clamp(max=_FURTHEST).exp())
