"""The losses of preference training, as plain functions of what a policy and a reference give whole answers.

Log-probabilities are natural logs, one number an answer: sums over its tokens, but for `orpo` means. Each function
returns the sum over pairs (or answers), weighted; `reduction="mean"` divides it by the sum of the weights. No margin
overflows: logistic functions are computed from their logarithms.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.functional import logsigmoid

from crucible.errors import DataError

__all__ = ["cdpo", "dpo", "ipo", "kto", "orpo"]

Reduction = Literal["sum", "mean"]

_LEAST = 1e-7  # nearest that a mean log-probability comes to 0 inside of the odds


def dpo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    *,
    beta: float = 0.1,
    weights: torch.Tensor | None = None,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return -sum(weights * log sigmoid(beta * margin)): direct preference optimisation.

    The margin is (chosen - rejected) - (reference_chosen - reference_rejected); of margin 2 at beta 0.1 the loss is
    0.598139, and of margin 0 it is log 2.

    Args:
        chosen: (P,) of the policy, summed over the answer.
        rejected: (P,) of the policy.
        reference_chosen: (P,) of the reference.
        reference_rejected: (P,) of the reference.
        beta: How much a nat of margin counts, above 0; the larger, the nearer the policy stays to the reference.
        weights: (P,); None: 1 each.
        reduction: `sum`, or `mean` over the weights.

    Raises:
        DataError: Shapes differ, or a value is out of range.

    Source:
        Rafailov et al. (2023), NeurIPS, equation 7.
    """
    margin = _margin(chosen, rejected, reference_chosen, reference_rejected, beta)
    return _reduced(-logsigmoid(beta * margin), weights, reduction)


def cdpo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.1,
    weights: torch.Tensor | None = None,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return `dpo` where each label is wrong with a known probability: conservative DPO.

    A pair costs (1 - e) * -log sigmoid(h) + e * -log sigmoid(-h), h = beta * margin. It is least where
    sigmoid(h) = 1 - e, so that margins do not grow without bound.

    Args:
        chosen: (P,) of the policy, summed over the answer.
        rejected: (P,) of the policy.
        reference_chosen: (P,) of the reference.
        reference_rejected: (P,) of the reference.
        beta: How much a nat of margin counts, above 0.
        label_smoothing: e, the share of labels that are wrong, in [0, 0.5]; 0 is `dpo`.
        weights: (P,); None: 1 each.
        reduction: `sum`, or `mean` over the weights.

    Raises:
        DataError: Shapes differ, or a value is out of range.

    Source:
        Mitchell (2023), "A note on DPO with noisy preferences and relationship to IPO", equation 3.
    """
    if not 0 <= label_smoothing <= 0.5:
        raise DataError(f"label_smoothing must be in [0, 0.5], got {label_smoothing}; above it, swap the labels")
    scaled = beta * _margin(chosen, rejected, reference_chosen, reference_rejected, beta)
    losses = -(1 - label_smoothing) * logsigmoid(scaled) - label_smoothing * logsigmoid(-scaled)
    return _reduced(losses, weights, reduction)


def ipo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    *,
    beta: float = 0.1,
    weights: torch.Tensor | None = None,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * (margin - 1 / (2 * beta))^2): identity preference optimisation.

    It regresses the margin to 1 / (2 * beta) nats instead of making it ever larger.

    Args:
        chosen: (P,) of the policy, summed over the answer.
        rejected: (P,) of the policy.
        reference_chosen: (P,) of the reference.
        reference_rejected: (P,) of the reference.
        beta: Strength of the regularisation (tau of the paper), above 0.
        weights: (P,); None: 1 each.
        reduction: `sum`, or `mean` over the weights.

    Raises:
        DataError: Shapes differ, or a value is out of range.

    Source:
        Azar et al. (2024), AISTATS, equation 17.
    """
    margin = _margin(chosen, rejected, reference_chosen, reference_rejected, beta)
    return _reduced((margin - 1 / (2 * beta)).square(), weights, reduction)


def orpo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    *,
    beta: float = 0.1,
    weights: torch.Tensor | None = None,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * (-chosen - beta * log sigmoid(log odds(chosen) - log odds(rejected)))); no reference.

    The first term is the negative log-likelihood of the chosen answer per token, the second the odds ratio, where
    odds(y) = p / (1 - p) and log p is the mean over the answer's tokens. 1 - p is taken to be at least 1e-7.

    Args:
        chosen: (P,) of the policy, the mean over the answer's tokens, at most 0.
        rejected: (P,) of the policy, likewise.
        beta: Weight of the odds ratio (lambda of the paper), above 0.
        weights: (P,); None: 1 each.
        reduction: `sum`, or `mean` over the weights.

    Raises:
        DataError: Shapes differ, or a value is out of range.

    Source:
        Hong et al. (2024), EMNLP, equations 4 to 7.
    """
    _check(beta, chosen=chosen, rejected=rejected)
    ratio = _log_odds(chosen) - _log_odds(rejected)
    return _reduced(-chosen - beta * logsigmoid(ratio), weights, reduction)


def kto(
    answers: torch.Tensor,
    reference: torch.Tensor,
    desirable: torch.Tensor,
    divergence: torch.Tensor | float = 0.0,
    *,
    beta: float = 0.1,
    weights: torch.Tensor | None = None,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * (1 - sigmoid(beta * s * (answers - reference - z)))): Kahneman-Tversky optimisation.

    s is 1 where an answer is desirable and -1 where it is not, so no pairs are needed. z is how far the policy is from
    the reference, at least 0; no gradient flows through it. What the paper calls lambda is in the weights.

    Args:
        answers: (N,) of the policy, summed over the answer.
        reference: (N,) of the reference.
        desirable: (N,) booleans.
        divergence: z: an estimate of KL(policy || reference) in nats, such as the mean of policy minus reference over
            answers to other prompts; taken as 0 where it is below.
        beta: How much a nat counts, above 0.
        weights: (N,); None: 1 each.
        reduction: `sum`, or `mean` over the weights.

    Raises:
        DataError: Shapes differ, or a value is out of range.

    Source:
        Ethayarajh et al. (2024), ICML, equation 8.
    """
    _check(beta, answers=answers, reference=reference, desirable=desirable)
    around = torch.as_tensor(divergence, dtype=answers.dtype, device=answers.device).detach().clamp(min=0)
    sign = torch.where(desirable.bool(), 1.0, -1.0).to(answers)
    return _reduced(torch.sigmoid(-beta * sign * (answers - reference - around)), weights, reduction)


def _margin(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    _check(
        beta,
        chosen=chosen,
        rejected=rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
    )
    return (chosen - reference_chosen) - (rejected - reference_rejected)  # (P,); small minus small keeps its digits


def _log_odds(logprobs: torch.Tensor) -> torch.Tensor:
    """Return log(p / (1 - p)), with p moved away from 1 and its gradient passing through."""
    below = logprobs + (logprobs.clamp(max=-_LEAST) - logprobs).detach()
    return below - torch.log(-torch.expm1(below))


def _check(beta: float, **tensors: torch.Tensor) -> None:
    if not 0 < beta < float("inf"):
        raise DataError(f"beta must be above 0 and finite, got {beta}")
    (first, shaped), *others = tensors.items()
    for name, tensor in others:
        if tensor.shape != shaped.shape:
            raise DataError(f"{name} must have the shape of {first}, {tuple(shaped.shape)}, got {tuple(tensor.shape)}")


def _reduced(losses: torch.Tensor, weights: torch.Tensor | None, reduction: Reduction) -> torch.Tensor:
    if reduction not in ("sum", "mean"):
        raise DataError(f"reduction must be 'sum' or 'mean', got {reduction!r}")
    if weights is not None and weights.shape != losses.shape:
        raise DataError(f"weights must have the shape {tuple(losses.shape)}, got {tuple(weights.shape)}")
    total = (losses if weights is None else weights * losses).sum()
    if reduction == "sum":
        return total
    if weights is None:
        return total / max(1, losses.numel())
    whole = weights.sum()
    if not bool(whole > 0):
        raise DataError(f"the mean needs weights whose sum is above 0, got {whole.item():g}; take reduction='sum'")
    return total / whole
