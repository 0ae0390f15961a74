# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch.autograd.Function is untyped)
"""One layer of a Llama-like decoder in three steps: queries, keys and values; attention; output and gated MLP.

Source:
    Touvron et al. (2023), arXiv:2302.13971; the norm of queries and keys as in Qwen3 (arXiv:2505.09388).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn.functional import silu

from crucible.backends.engine.attention import attend
from crucible.backends.engine.fan import Fan, Seen
from crucible.backends.engine.norm import rms_norm, rms_norm_backward
from crucible.backends.engine.packed import Packed
from crucible.backends.engine.rotary import Angles, rotate, rotate_back

__all__ = ["DecoderLayer", "Norm"]


@dataclass(frozen=True, slots=True)
class Norm:
    """A frozen normalisation.

    Args:
        weight: (H,).
        eps: Added to the mean square.
    """

    weight: torch.Tensor
    eps: float


@dataclass(frozen=True)
class DecoderLayer:
    """What one layer is made of.

    Args:
        before_attention: Norm of the stream before queries, keys and values.
        queries_keys_values: The three projections.
        query_norm: Norm of each query head, or None.
        key_norm: Norm of each key head, or None.
        output: The projection behind attention.
        before_mlp: Norm of the stream before the MLP.
        gate_up: The MLP's two first projections.
        down: Its last.
        head_size: D.
        scale: Factor of the products of queries and keys.
    """

    before_attention: Norm
    queries_keys_values: Fan
    query_norm: Norm | None
    key_norm: Norm | None
    output: Fan
    before_mlp: Norm
    gate_up: Fan
    down: Fan
    head_size: int
    scale: float

    def __call__(
        self, x: torch.Tensor, angles: Angles, packed: Packed, dtype: torch.dtype, kept: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the stream behind this layer.

        Args:
            x: (N, H) the stream before it.
            angles: Of each token's position.
            packed: Which token belongs to which sequence.
            dtype: Type of the products.
            kept: Rows that are wanted of the result; None for all N.

        Returns:
            (N, H), or (K, H) with K the count of `kept`.
        """
        q, k, v = cast(
            "tuple[torch.Tensor, ...]",
            _Inward.apply(x, self, angles, dtype, *self.queries_keys_values.parameters),
        )
        taken = attend(q, k, v, packed.runs, self.scale).flatten(1)  # (N, heads * D)
        if kept is not None:
            x, taken = x.index_select(0, kept), taken.index_select(0, kept)
        outward = [*self.output.parameters, *self.gate_up.parameters, *self.down.parameters]
        return cast("torch.Tensor", _Outward.apply(x, taken, self, *outward))

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, heads * D) as (N, heads, D)."""
        return x.view(x.shape[0], -1, self.head_size)


class _Inward(torch.autograd.Function):
    """From the stream to queries, keys and values, turned by their positions."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (N, H)
        layer: DecoderLayer,
        angles: Angles,
        dtype: torch.dtype,
        *_parameters: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        norm = layer.before_attention
        normed, inverse = rms_norm(x, norm.weight, norm.eps, dtype)
        outputs, seen = layer.queries_keys_values.forward(normed)
        q, k, v = (layer.heads(output) for output in outputs)  # (N, heads, D) each
        raw: list[torch.Tensor | None] = [None, None, None, None]
        if layer.query_norm is not None and layer.key_norm is not None:
            raw[0], raw[1] = q, k
            q, raw[2] = rms_norm(q, layer.query_norm.weight, layer.query_norm.eps, dtype)
            k, raw[3] = rms_norm(k, layer.key_norm.weight, layer.key_norm.eps, dtype)
        ctx.save_for_backward(x, inverse, seen.low, seen.keep, *raw)
        ctx.layer, ctx.angles, ctx.dtype, ctx.scale = layer, angles, dtype, seen.scale
        return rotate(q, angles), rotate(k, angles), v

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_q, of_k, of_v = grad_outputs
        x, inverse, low, keep, raw_q, raw_k, inverse_q, inverse_k = ctx.saved_tensors
        layer: DecoderLayer = ctx.layer
        norm = layer.before_attention
        of_q, of_k = rotate_back(of_q, ctx.angles), rotate_back(of_k, ctx.angles)
        if layer.query_norm is not None and layer.key_norm is not None:
            of_q = rms_norm_backward(of_q, raw_q, layer.query_norm.weight, inverse_q).to(ctx.dtype)
            of_k = rms_norm_backward(of_k, raw_k, layer.key_norm.weight, inverse_k).to(ctx.dtype)
        normed = None if low is None else _normed(x, norm, inverse, ctx.dtype)
        of_normed, parameters = layer.queries_keys_values.backward(
            [of_q.flatten(1), of_k.flatten(1), of_v.flatten(1)],
            normed,
            Seen(low, keep, ctx.scale),
            of_input=ctx.needs_input_grad[0],
        )
        of_x = None
        if of_normed is not None:
            of_x = rms_norm_backward(of_normed, x, norm.weight, inverse).to(x.dtype)
        return of_x, None, None, None, *parameters


class _Outward(torch.autograd.Function):
    """From what attention took, back into the stream, and through the MLP."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,  # (N, H)
        taken: torch.Tensor,  # (N, heads * D)
        layer: DecoderLayer,
        *_parameters: torch.Tensor,
    ) -> torch.Tensor:
        norm = layer.before_mlp
        (middle,), of_output = layer.output.forward(taken, into=x)  # (N, H)
        normed, inverse = rms_norm(middle, norm.weight, norm.eps, taken.dtype)
        (gate, up), of_gate_up = layer.gate_up.forward(normed)  # (N, I) each
        del normed
        (y,), of_down = layer.down.forward(silu(gate).mul_(up), into=middle)  # (N, H)
        seen = (of_output, of_gate_up, of_down)
        kept = [tensor for each in seen for tensor in (each.low, each.keep)]
        ctx.save_for_backward(taken, middle, inverse, gate, up, *kept)
        ctx.layer, ctx.scales = layer, [each.scale for each in seen]
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = grad_outputs
        taken, middle, inverse, gate, up, *kept = ctx.saved_tensors
        layer: DecoderLayer = ctx.layer
        dtype = taken.dtype
        of_output, of_gate_up, of_down = (
            Seen(kept[2 * place], kept[2 * place + 1], scale) for place, scale in enumerate(ctx.scales)
        )
        active = silu(gate)  # (N, I)
        inner = None if of_down.low is None else active * up
        of_inner, of_downs = layer.down.backward([gradient.to(dtype)], inner, of_down, of_input=True)
        del inner
        if of_inner is None:
            raise AssertionError("the input's gradient was asked for")
        of_up = active.mul_(of_inner)
        of_gate = torch.ops.aten.silu_backward(of_inner.mul_(up), gate)
        del of_inner
        norm = layer.before_mlp
        normed = None if of_gate_up.low is None else _normed(middle, norm, inverse, dtype)
        of_normed, of_gate_ups = layer.gate_up.backward([of_gate, of_up], normed, of_gate_up, of_input=True)
        del of_gate, of_up, active, normed
        if of_normed is None:
            raise AssertionError("the input's gradient was asked for")
        of_middle = rms_norm_backward(of_normed, middle, norm.weight, inverse).add_(gradient)  # (N, H)
        of_taken, of_outputs = layer.output.backward(
            [of_middle.to(dtype)], taken, of_output, of_input=ctx.needs_input_grad[1]
        )
        return of_middle.to(middle.dtype), of_taken, None, *of_outputs, *of_gate_ups, *of_downs


def _normed(x: torch.Tensor, norm: Norm, inverse: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what `rms_norm` returned, from its kept parts."""
    y = x.float() * inverse
    return y.mul_(norm.weight) if dtype == torch.float32 else y.to(dtype).mul_(norm.weight.to(dtype))
