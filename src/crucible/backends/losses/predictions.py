"""The losses as plain functions of predictions and targets, for tensors that come from no session.

Each returns the sum over elements, weighted; `reduction="mean"` divides it by the count of elements, whatever the
weights are. Gradients are finite where a probability is 0 or 1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

from crucible.errors import DataError

__all__ = ["bce", "cross_entropy", "kl_divergence", "mae", "mse"]

Reduction = Literal["sum", "mean"]

_LEAST = 1e-7  # nearest that a probability comes to 0 or 1 inside a logarithm


def mse(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    *,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * (predictions - targets)^2).

    Args:
        predictions: Any shape.
        targets: The same shape.
        weights: The same shape; None: 1 each.
        reduction: `mean` divides by the count of elements.

    Raises:
        DataError: The shapes differ, or the reduction is unknown.
    """
    _check_shapes(predictions, targets, weights)
    return _reduced((predictions - targets).square(), weights, reduction)


def mae(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    *,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * |predictions - targets|).

    Args:
        predictions: Any shape.
        targets: The same shape.
        weights: The same shape; None: 1 each.
        reduction: `mean` divides by the count of elements.

    Raises:
        DataError: The shapes differ, or the reduction is unknown.
    """
    _check_shapes(predictions, targets, weights)
    return _reduced((predictions - targets).abs(), weights, reduction)


def bce(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    *,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return -sum(weights * (targets * log(predictions) + (1 - targets) * log(1 - predictions))).

    Args:
        predictions: Probabilities in [0, 1], any shape; inside the logarithms at least 1e-7 from both ends.
        targets: In [0, 1], the same shape.
        weights: The same shape; None: 1 each.
        reduction: `mean` divides by the count of elements.

    Raises:
        DataError: The shapes differ, a value is outside of [0, 1], or the reduction is unknown.
    """
    _check_shapes(predictions, targets, weights)
    _check_probabilities(predictions=predictions, targets=targets)
    inside = _away_from_ends(predictions)
    return _reduced(-(targets * inside.log() + (1 - targets) * torch.log1p(-inside)), weights, reduction)


def kl_divergence(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    *,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return sum(weights * KL(targets || predictions)), in nats, over rows that are distributions.

    Args:
        predictions: (..., V) probabilities; inside the logarithm at least 1e-7.
        targets: (..., V) probabilities; where one is 0 its term is 0.
        weights: (...) one a distribution; None: 1 each.
        reduction: `mean` divides by the count of distributions.

    Raises:
        DataError: The shapes differ, a value is outside of [0, 1], or the reduction is unknown.
    """
    _check_shapes(predictions, targets, None)
    _check_probabilities(predictions=predictions, targets=targets)
    terms = torch.xlogy(targets, targets) - targets * _away_from_ends(predictions).log()  # (..., V)
    divergences = terms.sum(-1)  # (...)
    _check_shapes(divergences, divergences, weights)
    return _reduced(divergences, weights, reduction)


def cross_entropy(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor | None = None,
    *,
    reduction: Reduction = "sum",
) -> torch.Tensor:
    """Return -sum(weights * log softmax(predictions)[targets]): that of language models, over classes.

    The binary kind, which some libraries call cross-entropy, too, is `bce`.

    Args:
        predictions: (N, V) logits.
        targets: (N,) classes in [0, V).
        weights: (N,); None: 1 each.
        reduction: `mean` divides by N.

    Raises:
        DataError: The shapes do not fit, a class is outside, or the reduction is unknown.
    """
    if predictions.ndim != 2 or targets.shape != predictions.shape[:1]:
        raise DataError(
            f"expected logits (N, V) and targets (N,), got {tuple(predictions.shape)} and {tuple(targets.shape)}"
        )
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < predictions.shape[1]:
        raise DataError(f"a target is outside of the {predictions.shape[1]} classes")
    losses = functional.cross_entropy(predictions, targets, reduction="none")  # (N,)
    _check_shapes(losses, losses, weights)
    return _reduced(losses, weights, reduction)


def _away_from_ends(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the probabilities moved into [1e-7, 1 - 1e-7], with their gradient passing through."""
    return probabilities + (probabilities.clamp(_LEAST, 1 - _LEAST) - probabilities).detach()


def _check_shapes(predictions: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None) -> None:
    for name, tensor in (("targets", targets), ("weights", weights)):
        if tensor is not None and tensor.shape != predictions.shape:
            raise DataError(f"{name} must have the shape {tuple(predictions.shape)}, got {tuple(tensor.shape)}")


def _check_probabilities(**tensors: torch.Tensor) -> None:
    for name, tensor in tensors.items():
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise DataError(f"{name} must be probabilities in [0, 1]")


def _reduced(losses: torch.Tensor, weights: torch.Tensor | None, reduction: Reduction) -> torch.Tensor:
    if reduction not in ("sum", "mean"):
        raise DataError(f"reduction must be 'sum' or 'mean', got {reduction!r}")
    total = (losses if weights is None else weights * losses).sum()
    return total if reduction == "sum" else total / max(1, losses.numel())
