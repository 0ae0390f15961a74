"""The hook `norm`: how large the gradient is, in all and in each layer."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from crucible.backends.hooks.gradients import LayerGradients, norms_of
from crucible.backends.hooks.numbers import finite

__all__ = ["GradientNorms", "norm"]


class GradientNorms(msgspec.Struct, frozen=True):
    """Euclidean norms.

    Attributes:
        total: Of the whole gradient.
        layers: Of each layer, in natural order.
    """

    total: float
    layers: dict[str, float]

    def numbers(self) -> dict[str, float]:
        """Return the norm in all, and the largest and the smallest of a layer."""
        norms = self.layers.values()
        return {"total": self.total, "largest": max(norms), "smallest": min(norms)}

    def details(self) -> dict[str, Any]:
        """Return what belongs to a layer, as plain JSON values."""
        return {"layers": {name: finite(value) for name, value in self.layers.items()}}


def norm(gradients: LayerGradients) -> GradientNorms:
    """Return the Euclidean norm of each layer and of all of them together.

    Args:
        gradients: By layer; a gradient of [3, 4] has the norm 5.

    Raises:
        TrainError: There is no layer, or one is empty.
    """
    layers = norms_of(gradients)
    return GradientNorms(math.hypot(*layers.values()), layers)
