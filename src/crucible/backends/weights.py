# pyright: reportUnknownMemberType=false
# (torch.linalg is untyped)
"""The trainable weights of a session as one flat vector, and the optimiser over it.

Every adapter matrix is a view into the vector, its gradient a view into another: the optimiser, the gradient norm and
clearing are then a few operations whatever the count of layers, which is what a tiny model's step costs most of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import groupby
from typing import cast

import torch
from torch import nn

from crucible.backends.hooks.gradients import layer_of, natural_order
from crucible.backends.records import OptimizerParams, OptimStepOutput
from crucible.backends.update_rules import MOMENTS, UpdateRule, rule_name
from crucible.errors import CheckpointError, NonFiniteLoss, TrainError

__all__ = ["FlatWeights"]


class FlatWeights:
    """Trainable parameters laid out in one vector, with an optimiser over it.

    Args:
        named: Parameters by the names that checkpoints give them; all on one device. Their storage is replaced.

    Attributes:
        size: Count of the weights.
        step_count: Optimiser steps taken so far.
        has_gradient: Whether something was added to the gradient since the last step.
        version: Another number whenever the weights may have changed.
    """

    def __init__(self, named: Mapping[str, nn.Parameter]) -> None:
        device = next(iter(named.values())).device
        self.size = sum(parameter.numel() for parameter in named.values())
        flat = torch.empty(self.size, device=device)  # float32
        gradient = torch.zeros_like(flat)
        self._weights = _split(flat, named)
        self._gradients = _split(gradient, named)
        for name, parameter in named.items():
            self._weights[name].copy_(parameter.data)
            parameter.data = self._weights[name]
            parameter.grad = self._gradients[name]
        self._flat = nn.Parameter(flat)
        self._flat.grad = self._gradient = gradient
        self._rule = UpdateRule(self._flat)
        self.step_count = 0
        self.has_gradient = False
        self.version = 0

    @property
    def flat(self) -> torch.Tensor:
        """The weights (size,) themselves, one behind the other."""
        return self._flat.data

    @property
    def gradient(self) -> torch.Tensor:
        """The accumulated gradient (size,) itself."""
        return self._gradient

    @cached_property
    def gradient_layers(self) -> dict[str, torch.Tensor]:
        """The accumulated gradient (N_i,) of each adapted layer, in natural order: views, which change as it does."""
        layers: dict[str, torch.Tensor] = {}
        start = 0
        for layer, names in groupby(self._gradients, key=layer_of):  # the matrices of a layer lie side by side
            size = sum(self._gradients[name].numel() for name in names)
            layers[layer] = self._gradient[start : start + size]
            start += size
        return {layer: layers[layer] for layer in sorted(layers, key=natural_order)}

    @torch.no_grad()
    def step(
        self, params: OptimizerParams, look: Callable[[Mapping[str, torch.Tensor], int], None] | None = None
    ) -> OptimStepOutput:
        """Change the weights by one optimiser step with the accumulated gradient, then clear it.

        The parameters' type says which rule; one that differs from the last step's begins with no moments.

        Args:
            params: The rule and its settings.
            look: Called with `gradient_layers` and the number of the step before anything else is done; what it
                raises ends the step.

        Raises:
            TrainError: No gradient was accumulated since the last step, or the parameters are of no known rule.
            NonFiniteLoss: The gradient holds NaN or infinity; the weights are left as they were.
        """
        rule = rule_name(params)
        if not self.has_gradient:
            raise TrainError("optim_step needs a forward_backward before it: there is no gradient to step with")
        if look is not None:
            look(self.gradient_layers, self.step_count + 1)
        norm = float(cast("torch.Tensor", torch.linalg.vector_norm(self._gradient)))
        if not norm < float("inf"):
            raise NonFiniteLoss(
                f"the gradient norm is {norm}, so the step was not taken; lower the learning rate "
                "or set grad_clip_norm",
                step=self.step_count + 1,
            )
        if 0 < params.grad_clip_norm < norm:
            self._gradient.mul_(params.grad_clip_norm / norm)
        self._rule.step(rule, params)
        self.step_count += 1
        self.version += 1
        self._gradient.zero_()
        self.has_gradient = False
        return OptimStepOutput(gradient_norm=norm, step=self.step_count)

    def spoil_gradient(self) -> None:
        """Make the accumulated gradient NaN, so that no step is taken with it."""
        self._gradient.fill_(torch.nan)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return copies of the weights by name, on the CPU."""
        return {name: view.cpu().clone() for name, view in self._weights.items()}

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        """Return CPU copies of all else that a later step depends on: moments, step counts, pending gradient."""
        tensors: dict[str, torch.Tensor] = {}
        if self.step_count:
            tensors["step"] = torch.tensor(float(self.step_count))
            if self._rule.name != "adam" or self._rule.steps != self.step_count:  # the count of a changed optimiser
                tensors["rule_step"] = torch.tensor(float(self._rule.steps))
        for name, moment in self._rule.moments().items():
            tensors |= _prefixed(name, _split(moment, self._weights))
        if self.has_gradient:
            tensors |= _prefixed("gradient", self._gradients)
        return tensors

    @torch.no_grad()
    def restore(self, weights: Mapping[str, torch.Tensor], optimizer: Mapping[str, torch.Tensor]) -> None:
        """Take back what `weights()` and `optimizer_state()` returned.

        Raises:
            CheckpointError: Names or shapes are not those of this model; nothing is changed then.
        """
        _check_fit(self._weights, weights, "adapter")
        groups: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in optimizer.items():
            kind, _, parameter = name.partition(":")
            groups.setdefault(kind, {})[parameter] = tensor
        step = groups.pop("step", {}).get("")
        rule_step = groups.pop("rule_step", {}).get("")
        kept = frozenset(groups.keys() - {"gradient"})
        is_adam, is_other = kept == MOMENTS["adam"], rule_step is not None and kept <= MOMENTS["rmsprop"]
        if not (is_adam or is_other if step is not None else not kept and rule_step is None):
            raise CheckpointError(
                f"the checkpoint's optimizer state is of an unknown form: step {step}, then {', '.join(sorted(groups))}"
            )
        for kind, tensors in groups.items():
            _check_fit(self._weights, tensors, kind)
        _fill(self._weights, weights)
        self.version += 1
        self._rule.clear()
        self.step_count = 0 if step is None else int(step)
        if step is not None:
            moments = {name: torch.empty_like(self._gradient) for name in kept}
            for name, moment in moments.items():
                _fill(_split(moment, self._weights), groups[name])
            self._rule.restore(moments, int(step if rule_step is None else rule_step))
        self._gradient.zero_()
        self.has_gradient = "gradient" in groups
        if self.has_gradient:
            _fill(self._gradients, groups["gradient"])


def _split(flat: torch.Tensor, like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return views into `flat` with the names and shapes of `like`, one behind the other."""
    views: dict[str, torch.Tensor] = {}
    start = 0
    for name, tensor in like.items():
        views[name] = flat[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    return views


def _prefixed(kind: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{kind}:{name}": tensor.cpu().clone() for name, tensor in tensors.items()}


def _fill(into: Mapping[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    for name, view in into.items():
        view.copy_(values[name])


def _check_fit(own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], what: str) -> None:
    if own.keys() != given.keys():
        odd = min(own.keys() ^ given.keys())
        raise CheckpointError(
            f"the checkpoint's {what} is of another model or target_modules: {odd} is only on one side"
        )
    for name, tensor in own.items():
        if given[name].shape != tensor.shape:
            raise CheckpointError(
                f"the checkpoint's {what} has another rank or model: {name} is {tuple(given[name].shape)}, "
                f"this session's is {tuple(tensor.shape)}"
            )
