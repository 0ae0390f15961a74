# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch.autograd.Function is untyped)
"""From the last layer's stream to the log-probability of given targets, a few rows of logits at a time.

A loss reads nothing but these log-probabilities, one a row, so the gradient of a row is a number times a vector that is
known in the forward pass: the logits are computed once, and never kept.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from crucible.backends.engine.decoder_layer import Norm
from crucible.backends.engine.norm import rms_norm, rms_norm_backward

__all__ = ["head_logprobs", "logit_rows"]

_LOGITS = {"cpu": 2**21}  # computed together: fewer make the products slower, more only take memory
_LOGITS_ELSEWHERE = 2**27


def logit_rows(device: torch.device, vocabulary: int) -> int:
    """Return how many rows of logits are computed together.

    Args:
        device: Where they are.
        vocabulary: Entries of a row.
    """
    return max(16, _LOGITS.get(device.type, _LOGITS_ELSEWHERE) // vocabulary)


def head_logprobs(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, targets: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Return the (M,) float32 log-probabilities of `targets`.

    Args:
        x: (M, H) the stream at the asked positions.
        norm: The last norm.
        weight: (V, H) the head.
        targets: (M,) in [0, V).
        dtype: Type of the products.
    """
    return cast("torch.Tensor", _Head.apply(x, norm, weight, targets, dtype))


class _Head(torch.autograd.Function):
    """Log-softmax at the targets."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        norm: Norm,
        weight: torch.Tensor,
        targets: torch.Tensor,
        dtype: torch.dtype,
    ) -> torch.Tensor:
        normed, inverse = rms_norm(x, norm.weight, norm.eps, dtype)  # (M, H)
        head = weight.to(dtype)
        found = torch.empty(x.shape[0], dtype=torch.float32, device=x.device)
        needs_gradient = ctx.needs_input_grad[0]
        unit = torch.empty_like(normed) if needs_gradient else None  # (M, H) the gradient of each row's log-probability
        rows = logit_rows(x.device, weight.shape[0])
        for start in range(0, x.shape[0], rows):
            part = slice(start, start + rows)
            logits = (normed[part] @ head.T).float()  # (m, V)
            logits.sub_(logits.amax(-1, keepdim=True))
            wanted = logits.gather(1, targets[part, None]).squeeze(1)  # (m,)
            total = logits.exp_().sum(-1)  # (m,)
            torch.sub(wanted, total.log(), out=found[part])
            if unit is not None:
                expected = logits.to(dtype) @ head  # (m, H)
                unit[part] = head.index_select(0, targets[part]).sub_(expected.div_(total[:, None]))
        if unit is not None:
            ctx.save_for_backward(rms_norm_backward(unit, x, norm.weight, inverse))
            ctx.dtype = x.dtype
        return found

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = grad_outputs
        (unit,) = ctx.saved_tensors
        return (unit * gradient[:, None]).to(ctx.dtype), None, None, None, None
