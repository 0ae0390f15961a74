# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""One pass over a packed batch: what the model says at the asked positions, ready for `backward`."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from crucible.backends.engine.candidates import Candidates
from crucible.backends.engine.head import head_logprobs
from crucible.backends.engine.layout import Layout
from crucible.backends.engine.likeliest import head_likeliest
from crucible.backends.engine.norm import rms_norm
from crucible.backends.engine.packed import Packed
from crucible.backends.engine.soft_head import head_distribution, logits_distribution

__all__ = ["packed_distribution", "packed_likeliest", "packed_logprobs"]


def packed_logprobs(layout: Layout, packed: Packed, *, dtype: torch.dtype) -> torch.Tensor:
    """Return the (M,) float32 natural-log probabilities of a packed batch's targets.

    What no asked position needs is not computed: the last layer's output and MLP elsewhere, and the gradient below the
    lowest adapter.

    Args:
        layout: The model.
        packed: The batch.
        dtype: Type of the matrix products; the stream between layers has that of the embeddings.
    """
    x = _stream(layout, packed, dtype)  # (M, H)
    if layout.head is not None:
        return head_logprobs(x, layout.norm, layout.head, packed.targets, dtype)
    return -cross_entropy(_logits(layout, x, dtype).float(), packed.targets, reduction="none")


def packed_distribution(
    layout: Layout, packed: Packed, candidates: Candidates, *, dtype: torch.dtype, with_entropy: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the (C,) log-probabilities of several candidates a position, and the (M,) entropies there.

    Args:
        layout: The model.
        packed: The batch; its targets are not looked at.
        candidates: C tokens of its M asked positions.
        dtype: As for `packed_logprobs`.
        with_entropy: Whether the entropy is wanted; else it is None.
    """
    x = _stream(layout, packed, dtype)  # (M, H)
    if layout.head is not None:
        return head_distribution(x, layout.norm, layout.head, candidates, dtype, with_entropy=with_entropy)
    return logits_distribution(_logits(layout, x, dtype), candidates, with_entropy=with_entropy)


def packed_likeliest(
    layout: Layout, packed: Packed, k: int, *, dtype: torch.dtype, vocabulary: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k likeliest tokens at each asked position and their log-probabilities, (M, k) each, likeliest first.

    Args:
        layout: The model.
        packed: The batch; its targets are not looked at.
        k: In [1, vocabulary].
        dtype: As for `packed_logprobs`.
        vocabulary: Entries of the head.
    """
    return head_likeliest(_stream(layout, packed, dtype), layout, k, dtype, vocabulary=vocabulary)


def _stream(layout: Layout, packed: Packed, dtype: torch.dtype) -> torch.Tensor:
    """Return what the last layer leaves at the asked positions, (M, H)."""
    x = layout.embed(packed.tokens)  # (N, H)
    with torch.no_grad():
        cos, sin = layout.positions(x.new_empty(0, dtype=dtype), packed.positions[None])  # (1, N, D) each
        half = cos.shape[-1] // 2
        angles = cos[0, :, None, :half].contiguous(), sin[0, :, None, :half].contiguous()  # (N, 1, D / 2) each
    for layer in layout.layers[:-1]:
        x = layer(x, angles, packed, dtype)
    return layout.layers[-1](x, angles, packed, dtype, packed.asked)


def _logits(layout: Layout, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the (M, V) logits of an output layer that is trained, too."""
    normed, _ = rms_norm(x, layout.norm.weight, layout.norm.eps, dtype)
    return layout.head_module(normed)
