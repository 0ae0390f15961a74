"""What a loss is: its form, its name, what it needs, and the check of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import torch

from crucible.backends.loss_terms import COMPUTED
from crucible.errors import BackendError, DataError, TrainError
from crucible.ir import did_you_mean

__all__ = ["Loss", "NamedLoss", "check_inputs", "evaluate", "name_of", "requirements"]

Loss = Callable[[torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]
"""A loss: `(logprobs, inputs) -> loss`.

`logprobs` (M,) are the natural-log probabilities of M targets; `inputs["weights"]` (M,) their weights, and each other
name of `Datum.loss_inputs` lies beside it. The result is a scalar: a sum over the M, of which a batch may be given in
several parts, so no token's share may depend on another token, and a token of weight 0 has none: it may be left out.
A function with an attribute `requires` says by it which names it needs.
"""


class NamedLoss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss of the registry.

    Attributes:
        name: What requests call it.
        fn: The function, with the names of `config` as further keyword arguments.
        requires: Names that every datum's `loss_inputs` must hold, or the session computes (`COMPUTED`).
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
            BackendError: One that only a session with the whole distribution has is missing.
        """
        self.check_inputs(inputs)
        return self.fn(logprobs, inputs, **self.config)

    def check_inputs(self, given: Iterable[str]) -> None:
        """Raise `DataError` where a name of `requires` is not among those given, as `check_inputs` says it."""
        check_inputs(self, given)

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


def requirements(loss: Loss) -> tuple[str, ...]:
    """Return the names that a loss needs beside the log-probabilities and weights; those of `COMPUTED` among them."""
    return tuple(getattr(loss, "requires", ()))


def check_inputs(loss: Loss, given: Iterable[str]) -> None:
    """Refuse to compute a loss without what it needs.

    Args:
        loss: The loss.
        given: Names of what there is.

    Raises:
        DataError: A name of its `requires` is not there.
        BackendError: The one that is missing is one that only a session with the whole distribution has.
    """
    known = set(given)
    missing = next((name for name in requirements(loss) if name not in known), None)
    if missing is None:
        return
    if missing in COMPUTED:
        raise BackendError(
            f"the loss {name_of(loss)!r} needs the {missing} of the whole distribution at each position, which this "
            "backend does not see: train on the local backend, or leave the term out"
        )
    raise DataError(
        f"the loss {name_of(loss)!r} needs loss_inputs[{missing!r}] of every datum, which holds "
        f"{', '.join(sorted(known - {'weights', *COMPUTED})) or 'none'}"
    )


def name_of(loss: Loss) -> str:
    """Return what a loss is called in messages."""
    return loss.name if isinstance(loss, NamedLoss) else getattr(loss, "__name__", type(loss).__name__)


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
        BackendError: One that only a session with the whole distribution has is missing.
        TrainError: What it returned is not one number of a tensor, or does not depend on `logprobs`.
    """
    check_inputs(loss, inputs)
    inner: Any = loss.fn if isinstance(loss, NamedLoss) else loss
    if hasattr(inner, "components"):
        components: dict[str, torch.Tensor] = inner.components(logprobs, inputs)
        return inner.combined(components), components
    value: Any = loss(logprobs, inputs)
    name = name_of(loss)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        form = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise TrainError(f"the loss {name!r} must return one number, a tensor of shape (), and returned {form}")
    if logprobs.requires_grad and not value.requires_grad:
        raise TrainError(
            f"the loss {name!r} does not depend on the logprobs, so there is no gradient; was something detached, "
            "or made a number with item()?"
        )
    return value.reshape(()), {}
