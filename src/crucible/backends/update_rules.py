# pyright: reportUnknownMemberType=false
# (torch.optim's state is untyped)
"""The optimisers' rules over one flat vector: what each keeps between steps, and how a step changes the weights.

AdamW and Adam are PyTorch's own, fused where it has that; gradient descent and RMSprop are a few operations on the
whole vector, in PyTorch's order of operations.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from crucible.backends.records import AdamParams, OptimizerParams, RmspropParams, SgdParams
from crucible.errors import TrainError

__all__ = ["MOMENTS", "UpdateRule", "rule_name"]

MOMENTS = {
    "adam": frozenset({"exp_avg", "exp_avg_sq"}),
    "sgd": frozenset({"momentum_buffer"}),
    "rmsprop": frozenset({"square_avg", "momentum_buffer"}),
}
"""The vectors that each rule may keep between steps, by its name."""


def rule_name(params: OptimizerParams) -> str:
    """Return the name of the rule that parameters ask for.

    Raises:
        TrainError: They are parameters of none.
    """
    if isinstance(params, AdamParams):
        return "adam"
    if isinstance(params, SgdParams):
        return "sgd"
    if isinstance(params, RmspropParams):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller gives
        return "rmsprop"
    raise TrainError(f"optim_step needs AdamParams, SgdParams or RmspropParams, got {type(params).__name__}")


class UpdateRule:
    """The rule of the last step and what it keeps; another rule begins with nothing.

    Args:
        flat: (N,) the weights, a leaf whose `grad` is set.
    """

    def __init__(self, flat: nn.Parameter) -> None:
        self._flat = flat
        fused = flat.device.type in {"cpu", "cuda"}
        self._adamw = torch.optim.AdamW([flat], fused=fused)
        self._adam = torch.optim.Adam([flat], fused=fused)
        self._adam.state = self._adamw.state  # the moments are the same; only where weight decay goes differs
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._adamw.state.clear()
        self._kept: dict[str, torch.Tensor] = {}
        self.name: str | None = None
        self.steps = 0

    def moments(self) -> dict[str, torch.Tensor]:
        """Return the vectors (N,) that it keeps, by name."""
        if self.name != "adam":
            return dict(self._kept)
        return {name: tensor for name, tensor in self._adamw.state[self._flat].items() if name != "step"}

    def restore(self, moments: Mapping[str, torch.Tensor], steps: int) -> None:
        """Go on from what `moments()` and `steps` were."""
        self.clear()
        names = frozenset(moments)
        self.steps = steps
        if names == MOMENTS["adam"]:
            self.name = "adam"
            step = torch.tensor(float(steps), dtype=torch.float32, device=self._flat.device)
            self._adamw.state[self._flat] = {"step": step, **moments}
            return
        self.name = "rmsprop" if "square_avg" in names else "sgd"
        self._kept = dict(moments)

    def step(self, name: str, params: OptimizerParams) -> None:
        """Change the weights by one step with the gradient in `flat.grad`.

        Args:
            name: What `rule_name` says of the parameters.
            params: The settings.

        Source:
            Kingma & Ba (2015), ICLR; Loshchilov & Hutter (2019), ICLR, algorithm 2; Tieleman & Hinton (2012), lecture
            6.5; each as in `torch.optim`.
        """
        if name != self.name:
            self.clear()
            self.name = name
        self.steps += 1
        if isinstance(params, AdamParams):
            self._adam_step(params)
        elif isinstance(params, SgdParams):
            self._sgd_step(params)
        else:
            self._rmsprop_step(params)

    def _adam_step(self, params: AdamParams) -> None:
        rule = self._adamw if params.decoupled else self._adam
        rule.param_groups[0].update(
            lr=params.learning_rate,
            betas=(params.beta1, params.beta2),
            eps=params.eps,
            weight_decay=params.weight_decay,
        )
        rule.step()

    def _sgd_step(self, params: SgdParams) -> None:
        self._move(self._decayed(params.weight_decay), params.learning_rate, params.momentum)

    def _rmsprop_step(self, params: RmspropParams) -> None:
        gradient = self._decayed(params.weight_decay)  # (N,)
        square = self._vector("square_avg")
        square.mul_(params.alpha).addcmul_(gradient, gradient, value=1 - params.alpha)
        self._move(gradient / square.sqrt().add_(params.eps), params.learning_rate, params.momentum)

    def _decayed(self, weight_decay: float) -> torch.Tensor:
        """Return the gradient (N,) with the weight decay in it."""
        gradient = self._flat.grad
        assert gradient is not None  # noqa: S101  # the weights set it when they are laid out
        return gradient.add(self._flat, alpha=weight_decay) if weight_decay else gradient

    def _move(self, direction: torch.Tensor, learning_rate: float, momentum: float) -> None:
        """Go one step along a direction (N,), or along what momentum makes of it."""
        if momentum:
            direction = self._vector("momentum_buffer").mul_(momentum).add_(direction)
        else:
            self._kept.pop("momentum_buffer", None)
        self._flat.add_(direction, alpha=-learning_rate)

    def _vector(self, name: str) -> torch.Tensor:
        """Return a vector (N,) that is kept, zeros at first."""
        if name not in self._kept:
            self._kept[name] = torch.zeros_like(self._flat)
        return self._kept[name]
