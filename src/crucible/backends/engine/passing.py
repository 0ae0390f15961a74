# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""One pass over a packed batch: log-probabilities of the asked targets, ready for `backward`."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from crucible.backends.engine.head import head_logprobs
from crucible.backends.engine.layout import Layout
from crucible.backends.engine.norm import rms_norm
from crucible.backends.engine.packed import Packed

__all__ = ["packed_logprobs"]


def packed_logprobs(layout: Layout, packed: Packed, *, dtype: torch.dtype) -> torch.Tensor:
    """Return the (M,) float32 natural-log probabilities of a packed batch's targets.

    What no asked position needs is not computed: the last layer's output and MLP elsewhere, and the gradient below the
    lowest adapter.

    Args:
        layout: The model.
        packed: The batch.
        dtype: Type of the matrix products; the stream between layers has that of the embeddings.
    """
    x = layout.embed(packed.tokens)  # (N, H)
    with torch.no_grad():
        cos, sin = layout.positions(x.new_empty(0, dtype=dtype), packed.positions[None])  # (1, N, D) each
        half = cos.shape[-1] // 2
        angles = cos[0, :, None, :half].contiguous(), sin[0, :, None, :half].contiguous()  # (N, 1, D / 2) each
    for layer in layout.layers[:-1]:
        x = layer(x, angles, packed, dtype)
    x = layout.layers[-1](x, angles, packed, dtype, packed.asked)  # (M, H)
    if layout.head is not None:
        return head_logprobs(x, layout.norm, layout.head, packed.targets, dtype)
    normed, _ = rms_norm(x, layout.norm.weight, layout.norm.eps, dtype)
    return -cross_entropy(layout.head_module(normed).float(), packed.targets, reduction="none")
