# pyright: reportUnknownMemberType=false
# (torch.linalg and tolist are untyped)
"""The accumulated gradient as hooks see it: one flat tensor a layer, in natural order, and which step it is for.

A layer is an adapted module: its two matrices together, because the gradient of one of them is 0 before the first step
by construction and says nothing. Importing this imports no PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from crucible.errors import TrainError

if TYPE_CHECKING:
    import torch

__all__ = ["Gradients", "LayerGradients", "layer_of", "natural_order", "norms_of", "tensors_of"]

LayerGradients = Mapping[str, "torch.Tensor | Sequence[float]"]
"""The gradient of each layer, of any shape; a list of numbers will do."""

_DIGITS = re.compile(r"(\d+)")


class Gradients(Mapping[str, "torch.Tensor"]):
    """The gradient that an optimiser step is about to be taken with, before it is clipped.

    Args:
        layers: (N_i,) the gradient of each layer, by its name.
        step: The step that it is for, from 1.
    """

    def __init__(self, layers: Mapping[str, torch.Tensor], step: int) -> None:
        self._layers = dict(layers)
        self.step = step

    def __getitem__(self, layer: str) -> torch.Tensor:
        return self._layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    @cached_property
    def norms(self) -> dict[str, float]:
        """The Euclidean norm of each layer, in natural order; computed once for all hooks that ask."""
        return _norms(tensors_of(self._layers))

    def copied(self) -> Gradients:
        """Return the same numbers in memory of their own, which whoever gets them may change."""
        return Gradients({name: tensor.clone() for name, tensor in self._layers.items()}, self.step)


def layer_of(parameter: str) -> str:
    """Return the layer of one of an adapter's parameters, by the parameter's name in PEFT's layout."""
    return parameter.removeprefix("base_model.model.").partition(".lora_")[0]


def natural_order(name: str) -> list[str | int]:
    """Return a key that sorts names as people do: layer 2 before layer 10."""
    parts = _DIGITS.split(name)  # text and digits in turn, so that like meets like
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def tensors_of(gradients: LayerGradients) -> dict[str, torch.Tensor]:
    """Return each layer's gradient (N_i,) in natural order.

    Raises:
        TrainError: There is no layer, or one is empty or holds what is no number.
    """
    import torch

    found: dict[str, torch.Tensor] = {}
    for name in sorted(gradients, key=natural_order):
        given = cast("Any", gradients[name])
        try:
            tensor = given.detach() if isinstance(given, torch.Tensor) else torch.tensor(given, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TrainError(f"the gradient of {name} must be a tensor or numbers, got {given!r:.80}") from error
        if tensor.numel() == 0:
            raise TrainError(f"the gradient of {name} is empty, so there is nothing to look at")
        found[name] = (tensor if tensor.is_floating_point() else tensor.float()).reshape(-1)
    if not found:
        raise TrainError("there is no layer with a gradient to look at")
    return found


def norms_of(gradients: LayerGradients) -> dict[str, float]:
    """Return the Euclidean norm of each layer, in natural order.

    Raises:
        TrainError: There is no layer, or one is empty.
    """
    return gradients.norms if isinstance(gradients, Gradients) else _norms(tensors_of(gradients))


def _norms(layers: Mapping[str, torch.Tensor]) -> dict[str, float]:
    import torch

    norms = torch.stack([torch.linalg.vector_norm(tensor) for tensor in layers.values()])  # (L,)
    return dict(zip(layers, cast("list[float]", norms.tolist()), strict=True))
