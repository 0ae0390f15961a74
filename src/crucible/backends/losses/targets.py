"""The losses of a session: functions of what the model gave the target tokens, each a sum over tokens.

The prediction at a position is the log-probability of its target token, `lp`, or that token's probability,
p = exp(lp). What it is compared with lies in `inputs`, and `inputs["weights"]` multiplies each position's share.
Gradients are finite for every lp at most 0, at lp = 0 (p = 1) and where p underflows, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from crucible.errors import DataError

__all__ = ["bce", "cross_entropy", "entropy", "kl_divergence", "mae", "mse"]

Inputs = Mapping[str, torch.Tensor]

_LEAST = 1e-7  # nearest that 1 - p comes to 0
_FURTHEST = 20.0  # largest lp - reference whose exponential is taken; beyond, its tangent goes on


def cross_entropy(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return -sum(weights * lp), the negative log-likelihood of the target tokens.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights` (M,); negative ones push the probability down.

    Source:
        The Tinker SDK's definition of the loss that its service computes.
    """
    return -(inputs["weights"] * logprobs).sum()


def mse(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return sum(weights * (p - targets)^2), the squared error of the target tokens' probabilities (Brier's score).

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights` (M,); `targets` (M,) in [0, 1], 1 where there are none.

    Raises:
        DataError: A target is outside of [0, 1].
    """
    return (inputs["weights"] * (logprobs.exp() - _wanted(logprobs, inputs)).square()).sum()


def mae(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return sum(weights * |p - targets|); where p equals its target the gradient is 0.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights` (M,); `targets` (M,) in [0, 1], 1 where there are none.

    Raises:
        DataError: A target is outside of [0, 1].
    """
    return (inputs["weights"] * (logprobs.exp() - _wanted(logprobs, inputs)).abs()).sum()


def bce(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return -sum(weights * (targets * lp + (1 - targets) * log(1 - p))).

    With targets of 1 this is `cross_entropy`, with targets of 0 it is unlikelihood training. 1 - p is taken to be at
    least 1e-7, where the gradient stays what it is at that point (up to 1e7) instead of vanishing.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights` (M,); `targets` (M,) in [0, 1], 1 where there are none.

    Raises:
        DataError: A target is outside of [0, 1].

    Source:
        Welleck et al. (2020), ICLR, equation 4, for targets of 0.
    """
    wanted = _wanted(logprobs, inputs)
    below = logprobs + (logprobs.clamp(max=-_LEAST) - logprobs).detach()  # moved, with the gradient passing through
    others = torch.log(-torch.expm1(below))  # log(1 - p)
    return -(inputs["weights"] * (wanted * logprobs + (1 - wanted) * others)).sum()


def kl_divergence(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return sum(weights * (exp(d) - 1 - d)), d = lp - reference_logprobs: how far the model is from a reference.

    Each position's term is 0 where both agree and above 0 elsewhere, and its mean over tokens that were drawn from the
    reference is KL(reference || model), the divergence of the plain `kl_divergence`. Weights of the reference's own
    probabilities over all tokens give it exactly. Above d = 20 the exponential goes on as its tangent.

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: `weights` (M,); `reference_logprobs` (M,) natural-log probabilities of the same tokens, at most 0.

    Raises:
        DataError: A reference is above 0.

    Source:
        Schulman (2020), "Approximating KL divergence", joschu.net/blog/kl-approx.html: the estimator k3.
    """
    reference = inputs["reference_logprobs"]
    if bool((reference > 1e-4).any()):
        raise DataError(f"reference_logprobs are log-probabilities, at most 0; got {reference.max().item():g}")
    difference = logprobs - reference
    near = difference.clamp(max=_FURTHEST)
    grown = torch.expm1(near) + near.exp().detach() * (difference - near)
    return (inputs["weights"] * (grown - difference)).sum()


def entropy(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return sum(weights * H), H = -sum over the vocabulary of p log p: how undecided the model is, in nats.

    H is 0 where one token has all the probability and log V where all V are as likely. In a composite, a weight below 0
    rewards it. Only the session can compute it, so a service that sends log-probabilities of targets has no such loss.

    Args:
        logprobs: (M,) natural-log probabilities of the targets; not looked at.
        inputs: `weights` (M,); `entropy` (M,) of the whole distribution at each position, from the session.
    """
    del logprobs
    return (inputs["weights"] * inputs["entropy"]).sum()


def _wanted(logprobs: torch.Tensor, inputs: Inputs) -> torch.Tensor:
    """Return the probabilities that are wanted of the target tokens."""
    wanted = inputs.get("targets")
    if wanted is None:
        return torch.ones_like(logprobs)
    if bool(((wanted < 0) | (wanted > 1)).any()):
        odd = wanted[(wanted < 0) | (wanted > 1)][0].item()
        raise DataError(f"loss_inputs['targets'] are probabilities in [0, 1]; got {odd:g}")
    return wanted
