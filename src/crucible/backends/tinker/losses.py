# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK's answers are untyped)
"""Losses that the service does not know, computed here between a forward and a backward there.

The service sends log-probabilities, the loss and its derivative by them are computed here, and the service
backpropagates a cross-entropy with weights of minus that derivative: one forward and one round trip more.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from crucible.backends.losses import CustomLoss, Loss, evaluate, gradient_of
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
        flat, inputs = _flat(data, logprobs, lambda weight: weight != 0)
        value, components = evaluate(loss, flat, inputs)
        return value, {f"loss/{name}:sum": float(part.detach()) for name, part in components.items()}

    return custom


@torch.no_grad()
def forward_output(loss: Loss, data: Sequence[Datum], logprobs: list[list[float | None]]) -> ForwardBackwardOutput:
    """Return the answer to a `forward` with a loss that the service does not know.

    Args:
        loss: The loss.
        data: The N data of the request.
        logprobs: N lists of the service's log-probabilities.
    """
    flat, inputs = _flat(data, [torch.tensor(values) for values in logprobs], lambda _: True)
    value, components = evaluate(loss, flat, inputs)
    metrics = {"loss:sum": float(value), **token_metrics(data)}
    metrics |= {f"loss/{name}:sum": float(part) for name, part in components.items()}
    return ForwardBackwardOutput(loss=float(value), logprobs=logprobs, metrics=metrics)


def _flat(
    data: Sequence[Datum], logprobs: Sequence[torch.Tensor], keeps: Callable[[float], bool]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the log-probabilities (M,) and inputs (M,) of the positions that a loss reads, datum after datum."""
    kept = [[place for place, weight in enumerate(datum.weights) if keeps(weight)] for datum in data]
    flat = torch.cat([values[places] for values, places in zip(logprobs, kept, strict=True)])  # (M,)
    names = set(data[0].loss_inputs).intersection(*(datum.loss_inputs for datum in data))
    columns = {"weights": [datum.weights for datum in data]}
    columns |= {name: [datum.loss_inputs[name] for datum in data] for name in sorted(names)}
    inputs = {
        name: torch.tensor([values[place] for values, places in zip(rows, kept, strict=True) for place in places])
        for name, rows in columns.items()
    }
    return flat, inputs
