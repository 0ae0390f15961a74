"""Losses of a session: functions of the targets' log-probabilities that return a sum, never a mean."""

from __future__ import annotations

from collections.abc import Callable

import torch

from crucible.errors import BackendError
from crucible.ir import did_you_mean

__all__ = ["LOSSES", "Loss", "cross_entropy", "get_loss"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(logprobs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return -sum(weights * logprobs).

    Args:
        logprobs: (M,) natural-log probabilities of the targets.
        weights: (M,) factors; negative ones push the probability down.

    Source:
        The Tinker SDK's definition of the loss that its service computes.
    """
    return -(weights * logprobs).sum()


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy}


def get_loss(name: str) -> Loss:
    """Return the loss called `name`.

    Raises:
        BackendError: There is none of this name.
    """
    if name not in LOSSES:
        raise BackendError(
            f"unknown loss {name!r}{did_you_mean(name, LOSSES)}; known: {', '.join(sorted(LOSSES))}", backend="local"
        )
    return LOSSES[name]
