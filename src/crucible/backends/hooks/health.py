"""The hook `health`: which layers get next to no gradient, far too much of it, or none that is a number."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from crucible.backends.hooks.gradients import LayerGradients, norms_of
from crucible.backends.hooks.numbers import finite
from crucible.errors import SpecError

__all__ = ["GradientHealth", "GradientIssue", "health"]

Ailment = Literal["vanishing", "exploding", "not_finite"]


class GradientIssue(msgspec.Struct, frozen=True):
    """What is wrong with one layer.

    Attributes:
        layer: Its name.
        kind: `vanishing`, `exploding`, or `not_finite`: it holds NaN or infinity, or its norm is beyond float32.
        norm: Its Euclidean norm.
    """

    layer: str
    kind: Ailment
    norm: float


class GradientHealth(msgspec.Struct, frozen=True):
    """What is wrong with a gradient.

    Attributes:
        issues: One a layer that is not well, in natural order.
        layers: How many layers were looked at.
    """

    issues: tuple[GradientIssue, ...]
    layers: int

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.issues

    def numbers(self) -> dict[str, float]:
        """Return how many layers have which ailment."""
        kinds = [issue.kind for issue in self.issues]
        return {kind: float(kinds.count(kind)) for kind in ("vanishing", "exploding", "not_finite")}

    def details(self) -> dict[str, Any]:
        """Return what belongs to a layer, as plain JSON values."""
        return {
            "issues": [{"layer": issue.layer, "kind": issue.kind, "norm": finite(issue.norm)} for issue in self.issues]
        }


def health(gradients: LayerGradients, *, vanishing: float = 1e-7, exploding: float = 1e3) -> GradientHealth:
    """Return which layers are not well.

    Args:
        gradients: By layer.
        vanishing: A layer whose norm is below this one gets next to nothing; 0 or more.
        exploding: A layer whose norm is above this one gets too much; at least `vanishing`.

    Raises:
        TrainError: There is no layer, or one is empty.
        SpecError: The limits are out of order.
    """
    if not 0 <= vanishing <= exploding:
        message = f"must be 0 or more and at most exploding ({exploding:g}), got {vanishing:g}"
        raise SpecError(message, path="vanishing", code="range")
    norms = norms_of(gradients)
    issues: list[GradientIssue] = []
    for name, value in norms.items():
        kind = _ailment(value, vanishing, exploding)
        if kind is not None:
            issues.append(GradientIssue(name, kind, value))
    return GradientHealth(tuple(issues), len(norms))


def _ailment(norm: float, vanishing: float, exploding: float) -> Ailment | None:
    if not math.isfinite(norm):
        return "not_finite"
    if norm < vanishing:
        return "vanishing"
    return "exploding" if norm > exploding else None
