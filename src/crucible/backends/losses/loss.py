"""What a loss is: its form, its name, what it needs, and the check of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import torch

from crucible.errors import BackendError, DataError, TrainError
from crucible.ir import did_you_mean

__all__ = ["Loss", "NamedLoss", "evaluate"]

Loss = Callable[[torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]
"""A loss: `(logprobs, inputs) -> loss`.

`logprobs` (M,) are the natural-log probabilities of M targets; `inputs["weights"]` (M,) their weights, and each other
name of `Datum.loss_inputs` lies beside it. The result is a scalar: a sum over the M, of which a batch may be given in
several parts, so no token's share may depend on another token, and a token of weight 0 has none: it may be left out.
"""


class NamedLoss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss of the registry.

    Attributes:
        name: What requests call it.
        fn: The function, with the names of `config` as further keyword arguments.
        requires: Names that every datum's `loss_inputs` must hold.
        config: Its settings with their values, which a request's `loss_config` may change.
    """

    name: str
    fn: Callable[..., torch.Tensor]
    requires: tuple[str, ...] = ()
    config: Mapping[str, float] = {}

    def __call__(self, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss.

        Args:
            logprobs: (M,) natural-log probabilities of the targets.
            inputs: (M,) each: `weights`, and the names of `requires`.

        Raises:
            DataError: A required input is missing.
        """
        self.check_inputs(inputs)
        return self.fn(logprobs, inputs, **self.config)

    def check_inputs(self, given: Iterable[str]) -> None:
        """Raise `DataError` where a name of `requires` is not among those given."""
        known = set(given)
        missing = [name for name in self.requires if name not in known]
        if missing:
            raise DataError(
                f"the loss {self.name!r} needs loss_inputs[{missing[0]!r}] of every datum, which holds "
                f"{', '.join(sorted(known - {'weights'})) or 'none'}"
            )

    def configured(self, config: Mapping[str, float]) -> NamedLoss:
        """Return the loss with some settings changed.

        Raises:
            BackendError: It has no such setting.
        """
        for name in config:
            if name not in self.config:
                raise BackendError(
                    f"loss_config: the loss {self.name!r} has no setting {name!r}{did_you_mean(name, self.config)}; "
                    f"it has: {', '.join(sorted(self.config)) or 'none'}"
                )
        return msgspec.structs.replace(self, config={**self.config, **config})


def evaluate(
    loss: Loss, logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss, checked, and the unweighted components of a composite one by name.

    Args:
        loss: The loss.
        logprobs: (M,) natural-log probabilities of the targets.
        inputs: (M,) each.

    Raises:
        DataError: A required input is missing.
        TrainError: What it returned is not one number of a tensor, or does not depend on `logprobs`.
    """
    if isinstance(loss, NamedLoss):
        loss.check_inputs(inputs)
    inner: Any = loss.fn if isinstance(loss, NamedLoss) else loss
    if hasattr(inner, "components"):
        components: dict[str, torch.Tensor] = inner.components(logprobs, inputs)
        return inner.combined(components), components
    value: Any = loss(logprobs, inputs)
    name = loss.name if isinstance(loss, NamedLoss) else getattr(loss, "__name__", type(loss).__name__)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        form = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise TrainError(f"the loss {name!r} must return one number, a tensor of shape (), and returned {form}")
    if logprobs.requires_grad and not value.requires_grad:
        raise TrainError(
            f"the loss {name!r} does not depend on the logprobs, so there is no gradient; was something detached, "
            "or made a number with item()?"
        )
    return value.reshape(()), {}
