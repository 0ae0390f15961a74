"""Linear layers that read the same input, with their LoRA adapters, and the gradient of both.

Frozen weights get no gradient. Adapters of one fan share one product with their input, and one dropout mask.

Source:
    Hu et al. (2021), arXiv:2106.09685: y = x W^T + scale * dropout(x) A^T B^T.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from crucible.backends.adapter import SeededDropout

__all__ = ["Adapter", "Fan", "Linear", "Seen"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """The two matrices of one layer's adapter.

    Args:
        down: (R, in) PEFT's A.
        up: (out, R) PEFT's B.
    """

    down: torch.Tensor
    up: torch.Tensor


@dataclass(frozen=True, slots=True)
class Linear:
    """One frozen linear layer.

    Args:
        weight: (out, in).
        bias: (out,) or None.
        adapter: What trains beside it, or None.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    adapter: Adapter | None


@dataclass(slots=True)
class Seen:
    """What a fan's backward pass needs of its forward pass besides the input.

    Args:
        low: (N, sum of R) the adapters' inner activations; None where nothing is adapted.
        keep: (N, in) False where dropout dropped; None without dropout.
        scale: The adapters' factor, that of dropout included.
    """

    low: torch.Tensor | None
    keep: torch.Tensor | None
    scale: float


@dataclass(frozen=True)
class Fan:
    """Linear layers over one input.

    Args:
        layers: The layers, in order.
        scale: The adapters' factor alpha / rank.
        dropout: Of the adapters' input; None for none.
    """

    layers: tuple[Linear, ...]
    scale: float = 1.0
    dropout: SeededDropout | None = None
    adapters: tuple[Adapter, ...] = field(init=False)

    def __post_init__(self) -> None:
        adapters = tuple(layer.adapter for layer in self.layers if layer.adapter is not None)
        object.__setattr__(self, "adapters", adapters)

    @property
    def parameters(self) -> list[torch.Tensor]:
        """A and B of every adapter, in order."""
        return [matrix for adapter in self.adapters for matrix in (adapter.down, adapter.up)]

    def forward(self, x: torch.Tensor, *, into: torch.Tensor | None = None) -> tuple[list[torch.Tensor], Seen]:
        """Return every layer's output and what `backward` needs.

        Args:
            x: (N, in).
            into: (N, out) added to the output of the only layer of this fan.
        """
        is_same = into is not None and into.dtype == x.dtype
        outputs = [_product(x, layer, into if is_same else None) for layer in self.layers]
        seen = self._adapt(x, outputs)
        if into is not None and not is_same:
            outputs[0] = into + outputs[0]  # a float32 stream around bfloat16 products
        return outputs, seen

    def _adapt(self, x: torch.Tensor, outputs: Sequence[torch.Tensor]) -> Seen:
        """Add the adapters' part to the outputs, in place."""
        if not self.adapters:
            return Seen(None, None, 1.0)
        keep, scale, dropped = None, self.scale, x
        if self.dropout is not None and self.dropout.training:
            keep, factor = self.dropout.keep(x)
            dropped, scale = x * keep, scale * factor
        low = dropped @ self._down(x.dtype).T  # (N, sum of R)
        for output, adapter, place in self._adapted(outputs):
            output.addmm_(low[:, place], adapter.up.to(x.dtype).T, alpha=scale)
        return Seen(low, keep, scale)

    def backward(
        self, gradients: Sequence[torch.Tensor], x: torch.Tensor | None, seen: Seen, *, of_input: bool
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Return the gradient of the input, and those of `parameters`.

        Args:
            gradients: (N, out) of every output.
            x: (N, in) the input; may be None where nothing is adapted.
            seen: What `forward` returned.
            of_input: Whether the input's gradient is wanted; else it is None.
        """
        whole: torch.Tensor | None = None
        if of_input:
            whole = gradients[0] @ self.layers[0].weight.to(gradients[0].dtype)  # (N, in)
            for gradient, layer in zip(gradients[1:], self.layers[1:], strict=True):
                whole.addmm_(gradient, layer.weight.to(gradient.dtype))
        if seen.low is None or x is None:
            return whole, []
        inner = torch.empty_like(seen.low)  # (N, sum of R)
        ups: list[torch.Tensor] = []
        for gradient, adapter, place in self._adapted(gradients):
            torch.mm(gradient, adapter.up.to(gradient.dtype), out=inner[:, place])
            ups.append((gradient.T @ seen.low[:, place]).float().mul_(seen.scale))
        dropped = x if seen.keep is None else x * seen.keep
        down = (inner.T @ dropped).float().mul_(seen.scale)  # (sum of R, in)
        if whole is not None:
            if seen.keep is None:
                whole.addmm_(inner, self._down(inner.dtype), alpha=seen.scale)
            else:
                whole.add_((inner @ self._down(inner.dtype)).mul_(seen.keep), alpha=seen.scale)
        downs = torch.split(down, [adapter.down.shape[0] for adapter in self.adapters])
        return whole, [matrix for pair in zip(downs, ups, strict=True) for matrix in pair]

    def _adapted(self, values: Sequence[torch.Tensor]) -> Iterator[tuple[torch.Tensor, Adapter, slice]]:
        """Yield each adapted layer's value, its adapter, and its columns of the inner activations."""
        start = 0
        for value, layer in zip(values, self.layers, strict=True):
            if layer.adapter is not None:
                stop = start + layer.adapter.down.shape[0]
                yield value, layer.adapter, slice(start, stop)
                start = stop

    def _down(self, dtype: torch.dtype) -> torch.Tensor:
        downs = [adapter.down for adapter in self.adapters]
        return (downs[0] if len(downs) == 1 else torch.cat(downs)).to(dtype)  # (sum of R, in)


def _product(x: torch.Tensor, layer: Linear, into: torch.Tensor | None) -> torch.Tensor:
    weight = layer.weight.to(x.dtype).T
    if into is not None:
        y = torch.addmm(into, x, weight)
        return y if layer.bias is None else y.add_(layer.bias.to(x.dtype))
    return x @ weight if layer.bias is None else torch.addmm(layer.bias.to(x.dtype), x, weight)
