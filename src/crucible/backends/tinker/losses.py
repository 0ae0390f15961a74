# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK's answers are untyped)
"""Losses that the service does not know, computed here between a forward and a backward there.

The service sends log-probabilities, the loss and its derivative by them are computed here, and the service
backpropagates a cross-entropy with weights of minus that derivative: one forward and one round trip more.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import torch

from crucible.backends.losses import CustomLoss, Loss, evaluate, gradient_of
from crucible.backends.losses.rows import Positions, row_inputs
from crucible.backends.records import ForwardBackwardOutput
from crucible.backends.tinker.conversion import token_metrics
from crucible.text import Datum

__all__ = ["LocalLoss", "as_custom", "forward_output"]


class LocalLoss:
    """A custom loss as the SDK calls it, which remembers what the loss itself raised and reported.

    Args:
        fn: `(data, logprobs) -> (loss, metrics)`.
        data: The data of the request; the SDK's own, which it hands over, hold less.
    """

    def __init__(self, fn: CustomLoss, data: Sequence[Datum]) -> None:
        self._fn = fn
        self._data = data
        self._context = contextvars.copy_context()  # the SDK calls from a thread of its own
        self.failure: BaseException | None = None
        self.value = 0.0
        self.metrics: dict[str, float] = {}

    def __call__(self, data: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """Return a loss of the same value and gradient, linear in the log-probabilities."""
        del data
        try:
            self.value, gradients, self.metrics = self._context.run(gradient_of, self._fn, self._data, logprobs)
        except BaseException as error:
            self.failure = error
            raise
        linear = torch.stack([(own * slope).sum() for own, slope in zip(logprobs, gradients, strict=True)]).sum()
        return linear - linear.detach() + self.value, {}


def as_custom(loss: Loss) -> CustomLoss:
    """Return a loss over tokens as one over data: it reads the positions whose weight is not 0, as every session does.

    Args:
        loss: Of the registry or a function `(logprobs (M,), inputs) -> loss`.
    """

    def custom(data: Sequence[Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, Mapping[str, float]]:
        read = [[place for place, weight in enumerate(datum.weights) if weight != 0] for datum in data]
        value, components = evaluate(loss, _flat(logprobs, read), row_inputs(data, read))
        return value, {f"loss/{name}:sum": float(part.detach()) for name, part in components.items()}

    return custom


@torch.no_grad()
def forward_output(loss: Loss, data: Sequence[Datum], output: ForwardBackwardOutput) -> ForwardBackwardOutput:
    """Return the answer to a `forward` with a loss that the service does not know.

    Args:
        loss: The loss.
        data: The N data of the request.
        output: The service's answer to one with `cross_entropy`, whose log-probabilities are read.
    """
    soft = output.soft_logprobs or [[]] * len(data)
    logprobs = [torch.tensor(rows or values) for values, rows in zip(output.logprobs, soft, strict=True)]
    read = [range(len(datum)) for datum in data]
    value, components = evaluate(loss, _flat(logprobs, read), row_inputs(data, read))
    metrics = {"loss:sum": float(value), **token_metrics(data)}
    metrics |= {f"loss/{name}:sum": float(part) for name, part in components.items()}
    return msgspec.structs.replace(output, loss=float(value), metrics=metrics)


def _flat(logprobs: Sequence[torch.Tensor], read: Positions) -> torch.Tensor:
    """Return the log-probabilities (M,) of the positions that a loss reads, as `losses.rows` orders them."""
    return torch.cat([values[list(places)].flatten() for values, places in zip(logprobs, read, strict=True)])
