# pyright: reportUnknownMemberType=false
# (torch's tolist is untyped)
"""The hook `distribution`: what values the gradient has, in all and in each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from crucible.backends.hooks.gradients import LayerGradients, tensors_of
from crucible.backends.hooks.numbers import finite

if TYPE_CHECKING:
    import torch

__all__ = ["Distribution", "GradientDistribution", "distribution"]


class Distribution(msgspec.Struct, frozen=True):
    """How some numbers are distributed.

    Attributes:
        mean: Their mean.
        std: Their sample standard deviation (n - 1 below the root); None of a single number.
        min: The smallest.
        max: The largest.
        sparsity: Share of them that is exactly 0.
        count: How many there are.
    """

    mean: float
    std: float | None
    min: float
    max: float
    sparsity: float
    count: int


class GradientDistribution(msgspec.Struct, frozen=True):
    """The values of a gradient.

    Attributes:
        total: Of the whole gradient.
        layers: Of each layer, in natural order.
    """

    total: Distribution
    layers: dict[str, Distribution]

    def numbers(self) -> dict[str, float]:
        """Return the figures of the whole gradient; without `std` where it is a single number."""
        total = self.total
        found = {"mean": total.mean, "min": total.min, "max": total.max, "sparsity": total.sparsity}
        return found if total.std is None else {**found, "std": total.std}

    def details(self) -> dict[str, Any]:
        """Return what belongs to a layer, as plain JSON values."""
        return {
            "layers": {
                name: {key: finite(value) for key, value in msgspec.structs.asdict(layer).items()}
                for name, layer in self.layers.items()
            }
        }


def distribution(gradients: LayerGradients) -> GradientDistribution:
    """Return mean, sample standard deviation, smallest and largest value and share of zeros of each layer and of all.

    Args:
        gradients: By layer; a gradient of [3, 4] has a standard deviation of 0.7071.

    Raises:
        TrainError: There is no layer, or one is empty.

    Source:
        Chan, Golub & LeVeque (1983), The American Statistician 37(3):242-247, for the deviation of several parts.
    """
    import torch

    layers = tensors_of(gradients)
    four = torch.stack([_figures(tensor) for tensor in layers.values()])  # (L, 4)
    nonzero = torch.stack([torch.count_nonzero(tensor) for tensor in layers.values()])  # (L,)
    figures, others = cast("list[list[float]]", four.tolist()), cast("list[int]", nonzero.tolist())
    found: dict[str, Distribution] = {}
    for (name, tensor), (mean, spread, low, high), used in zip(layers.items(), figures, others, strict=True):
        count = tensor.numel()
        std = _sample_std(spread**2 * count, count)
        found[name] = Distribution(mean, std, low, high, (count - used) / count, count)
    return GradientDistribution(_pooled(list(found.values())), found)


def _figures(values: torch.Tensor) -> torch.Tensor:
    """Return (4,): mean, deviation (n below the root), smallest, largest."""
    import torch

    spread, mean = torch.std_mean(values, correction=0)
    low, high = torch.aminmax(values)
    return torch.stack([mean, spread, low, high])


def _pooled(parts: Sequence[Distribution]) -> Distribution:
    count = sum(part.count for part in parts)
    mean = sum(part.mean * part.count for part in parts) / count  # NaN of both infinities, where fsum raises
    squares = sum((part.std or 0.0) ** 2 * (part.count - 1) + part.count * (part.mean - mean) ** 2 for part in parts)
    return Distribution(
        mean=mean,
        std=_sample_std(squares, count),
        min=min(part.min for part in parts),
        max=max(part.max for part in parts),
        sparsity=sum(part.sparsity * part.count for part in parts) / count,
        count=count,
    )


def _sample_std(squares: float, count: int) -> float | None:
    return math.sqrt(squares / (count - 1)) if count > 1 else None
