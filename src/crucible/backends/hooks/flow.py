"""The hook `flow`: how the gradient changes on its way through the layers."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.backends.hooks.gradients import LayerGradients, norms_of
from crucible.backends.hooks.numbers import finite

__all__ = ["GradientFlow", "flow"]


class GradientFlow(msgspec.Struct, frozen=True):
    """The norms of the layers one behind the other.

    Attributes:
        layers: (name, Euclidean norm), in natural order: layer 2 before layer 10.
        first_to_last: The first layer's norm over the last one's: far below 1 where the gradient vanishes on its way
            back to the input, far above 1 where it explodes. None of a single layer, and where the last one's is 0.
    """

    layers: tuple[tuple[str, float], ...]
    first_to_last: float | None

    def numbers(self) -> dict[str, float]:
        """Return the ratio, where there is one."""
        return {} if self.first_to_last is None else {"first_to_last": self.first_to_last}

    def details(self) -> dict[str, Any]:
        """Return what belongs to a layer, as plain JSON values: a list, whose order means something."""
        return {"layers": [[name, finite(value)] for name, value in self.layers]}


def flow(gradients: LayerGradients) -> GradientFlow:
    """Return the layers' norms in natural order, and how the first one stands to the last.

    Args:
        gradients: By layer.

    Raises:
        TrainError: There is no layer, or one is empty.
    """
    layers = tuple(norms_of(gradients).items())
    first, last = layers[0][1], layers[-1][1]
    return GradientFlow(layers, first / last if len(layers) > 1 and last != 0 else None)
