# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch.autograd.Function is untyped)
"""Causal attention within each packed sequence; no token sees another sequence's.

Shorter sequences of a run are filled up behind their last token, which a causal mask keeps out of everything: no
query before it looks at it, and what it says itself is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.nn.functional import scaled_dot_product_attention

from crucible.backends.engine.packed import Run

__all__ = ["attend"]

_FORWARD: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
_BACKWARD: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", None)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, runs: Sequence[Run], scale: float) -> torch.Tensor:
    """Return what each token takes from its own sequence up to itself.

    Args:
        q: (N, heads, D) queries.
        k: (N, key heads, D) keys; heads is a multiple of their count.
        v: (N, key heads, D) values.
        runs: Which sequences there are.
        scale: Factor of the products of queries and keys.

    Returns:
        (N, heads, D).
    """
    if q.device.type == "cpu" and _FORWARD is not None and _BACKWARD is not None:
        return cast("torch.Tensor", _CpuAttention.apply(q, k, v, runs, scale))
    parts: list[torch.Tensor] = []
    sizes = [run.tokens for run in runs]
    for run, *states in zip(runs, q.split(sizes), k.split(sizes), v.split(sizes), strict=True):
        query, key, value = (_block(state, 0, run) for state in states)
        out = scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
        parts.append(_flat(out, run))
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _block(x: torch.Tensor, start: int, run: Run) -> torch.Tensor:
    """Return a run's tokens as (rows, heads, length, D), filled up."""
    part = x[start : start + run.tokens]
    if run.filled is not None:
        part = part.index_select(0, run.filled)
    return part.view(run.rows, run.length, *x.shape[1:]).transpose(1, 2)


def _flat(block: torch.Tensor, run: Run) -> torch.Tensor:
    """Return a run's tokens as (tokens, heads, D), what filled them up left out."""
    rows, heads, length, size = block.shape
    flat = block.transpose(1, 2).reshape(rows * length, heads, size)
    return flat if run.real is None else flat.index_select(0, run.real)


class _CpuAttention(torch.autograd.Function):
    """The kernels behind PyTorch's attention on the CPU, called without its bookkeeping for every sequence."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, runs: Sequence[Run], scale: float
    ) -> torch.Tensor:
        parts: list[torch.Tensor] = []
        sums: list[torch.Tensor] = []
        for run in runs:
            blocks = [_block(x, run.start, run) for x in (q, k, v)]
            part, log_sum = _FORWARD(*blocks, 0.0, True, scale=scale)
            parts.append(_flat(part, run))
            sums.append(log_sum)
        out = torch.cat(parts) if len(parts) > 1 else parts[0]
        ctx.save_for_backward(q, k, v, out, *sums)
        ctx.runs, ctx.scale = runs, scale
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = grad_outputs
        q, k, v, out, *sums = ctx.saved_tensors
        runs: Sequence[Run] = ctx.runs
        found: list[list[torch.Tensor]] = [[], [], []]
        for run, log_sum in zip(runs, sums, strict=True):
            blocks = [_block(x, run.start, run) for x in (q, k, v, out)]
            given = _block(gradient, run.start, run)
            if run.mask is not None:
                given = given * run.mask
            parts = _BACKWARD(given, *blocks, log_sum, 0.0, True, scale=ctx.scale)
            for into, part in zip(found, parts, strict=True):
                into.append(_flat(part, run))
        return *(torch.cat(parts) if len(parts) > 1 else parts[0] for parts in found), None, None
