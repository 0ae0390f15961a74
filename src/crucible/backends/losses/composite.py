"""Weighted sums of losses, which report their parts.

The parts are resolved when they are put together: registering one of their names again changes no composite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import cast

import torch

from crucible.backends.losses.loss import Loss, NamedLoss, evaluate, requirements
from crucible.backends.losses.registry import get
from crucible.errors import SpecError

__all__ = ["Composite", "composite"]


class Composite:
    """A weighted sum of losses; made by `composite`.

    Args:
        parts: Loss and weight by name.
    """

    def __init__(self, parts: Mapping[str, tuple[Loss, float]]) -> None:
        self._parts = dict(parts)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each part by name."""
        return {name: weight for name, (_, weight) in self._parts.items()}

    @property
    def requires(self) -> tuple[str, ...]:
        """Names that every datum's `loss_inputs` must hold, or the session computes: those of all parts."""
        needed = (requirements(loss) for loss, _ in self._parts.values())
        return tuple(dict.fromkeys(name for names in needed for name in names))

    def components(self, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the value of each part by name, before its weight."""
        return {name: evaluate(loss, logprobs, inputs)[0] for name, (loss, _) in self._parts.items()}

    def combined(self, components: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted sum of what `components` returned."""
        return torch.stack([weight * components[name] for name, (_, weight) in self._parts.items()]).sum()

    def __call__(self, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted sum of the parts.

        Args:
            logprobs: (M,) natural-log probabilities of the targets.
            inputs: (M,) each: `weights`, and what the parts require.
        """
        return self.combined(self.components(logprobs, inputs))


def composite(names: Sequence[str | NamedLoss], weights: Sequence[float]) -> Composite:
    """Return the loss `sum of weights[i] * loss names[i]`.

    A session reports each part before its weight as the metric `loss/<name>:sum`.

    Args:
        names: Names of the registry, each once, at least one; for other settings than a loss was registered with, the
            loss itself: `get("ppo").configured({"clip_high_threshold": 1.3})`.
        weights: A finite factor for each, negative ones included.

    Raises:
        SpecError: Both are not equally long, a name is there twice or none is, a part is a plain function, or a weight
            is not finite.
        BackendError: A name is unknown.
    """
    if len(names) != len(weights):
        raise SpecError(
            f"losses and weights must have the same length, got {len(names)} and {len(weights)}", code="loss"
        )
    for each in cast("Sequence[object]", names):
        if not isinstance(each, (str, NamedLoss)):
            message = (
                f"a part is a name of the registry or what get(name) returned, got {each!r:.80}; register it first"
            )
            raise SpecError(message, path="names", code="loss")
    called = [each.name if isinstance(each, NamedLoss) else each for each in names]
    if not called or len(set(called)) != len(called):
        raise SpecError(f"a composite needs each loss once and at least one, got {', '.join(called) or 'none'}")
    for name, weight in zip(called, weights, strict=True):
        if not isfinite(weight):
            raise SpecError(f"the weight of {name!r} must be finite, got {weight}", path="weights", code="loss")
    losses = [each if isinstance(each, NamedLoss) else get(each) for each in names]
    return Composite({loss.name: (loss, float(weight)) for loss, weight in zip(losses, weights, strict=True)})
