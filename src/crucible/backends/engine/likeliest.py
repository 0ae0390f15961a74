# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""The likeliest tokens at each position, a few rows of logits at a time."""

from __future__ import annotations

import torch

from crucible.backends.engine.head import logit_rows
from crucible.backends.engine.layout import Layout
from crucible.backends.engine.norm import rms_norm

__all__ = ["head_likeliest", "logits_likeliest"]


def head_likeliest(
    x: torch.Tensor, layout: Layout, k: int, dtype: torch.dtype, *, vocabulary: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k likeliest tokens of each row, likeliest first: (M, k) tokens and (M, k) float32 log-probabilities.

    Args:
        x: (M, H) the stream at the asked positions.
        layout: The model.
        k: In [1, vocabulary].
        dtype: Type of the products.
        vocabulary: Entries of the head.
    """
    tokens = torch.empty(x.shape[0], k, dtype=torch.int64, device=x.device)
    logprobs = torch.empty(x.shape[0], k, dtype=torch.float32, device=x.device)
    rows = logit_rows(x.device, vocabulary)
    for start in range(0, x.shape[0], rows):
        part = slice(start, start + rows)
        normed, _ = rms_norm(x[part], layout.norm.weight, layout.norm.eps, dtype)  # (m, H)
        tokens[part], logprobs[part] = logits_likeliest(layout.head_module(normed), k)
    return tokens, logprobs


def logits_likeliest(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same from (M, V) logits."""
    wide = logits.float()
    values, tokens = wide.topk(k, dim=-1)  # (M, k), sorted
    return tokens, values - wide.logsumexp(-1, keepdim=True)
