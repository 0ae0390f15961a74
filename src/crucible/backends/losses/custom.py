"""Losses that are given with a request: any differentiable function of the log-probabilities of whole data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch

from crucible.errors import NonFiniteLoss, TrainError
from crucible.text import Datum

__all__ = ["CustomLoss", "gradient_of"]

CustomLoss = Callable[[Sequence[Datum], list[torch.Tensor]], tuple[torch.Tensor, Mapping[str, float]]]
"""`(data, logprobs) -> (loss, metrics)`: `logprobs[i]` (T_i,) are those of the i-th datum's targets, every position."""


def gradient_of(
    fn: CustomLoss, data: Sequence[Datum], logprobs: Sequence[torch.Tensor]
) -> tuple[float, list[torch.Tensor], dict[str, float]]:
    """Return the loss, its derivative by each log-probability, and the metrics of a custom loss.

    Args:
        fn: The loss.
        data: The N data of the request.
        logprobs: N tensors (T_i,), without a graph; `fn` gets copies that require a gradient.

    Returns:
        loss: A finite number.
        gradients: N tensors (T_i,), zeros for what the loss does not read.
        metrics: What `fn` reported, as numbers.

    Raises:
        TrainError: It did not return a scalar tensor that depends on the logprobs, with a mapping of numbers.
        NonFiniteLoss: The loss or its gradient is NaN or infinite.
    """
    leaves = [each.detach().clone().requires_grad_() for each in logprobs]
    with torch.enable_grad():
        answer: Any = fn(data, list(leaves))
    if not isinstance(answer, tuple) or len(cast("tuple[Any, ...]", answer)) != 2:
        raise TrainError(
            f"a custom loss must return (loss, metrics), got {type(cast('object', answer)).__name__}; "
            "return {} for no metrics"
        )
    loss, metrics = cast("tuple[Any, Any]", answer)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        form = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise TrainError(f"a custom loss must be one number, a tensor of shape (), got {form}; sum it up")
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteLoss(f"the custom loss is {value}, so no gradient was added")
    reported = _numbers(metrics)
    return value, _gradients(loss, leaves), reported


def _gradients(loss: torch.Tensor, leaves: list[torch.Tensor]) -> list[torch.Tensor]:
    with torch.enable_grad():
        graded = torch.autograd.grad(loss.sum(), leaves, allow_unused=True) if loss.requires_grad else ()
    found = cast("tuple[torch.Tensor | None, ...]", graded)
    if all(gradient is None for gradient in found):
        raise TrainError(
            "the custom loss does not depend on the logprobs, so there is no gradient; was something detached, "
            "or made a number with item()?"
        )
    gradients = [
        torch.zeros_like(leaf) if gradient is None else gradient for gradient, leaf in zip(found, leaves, strict=True)
    ]
    for number, gradient in enumerate(gradients):
        if not bool(gradient.isfinite().all()):
            raise NonFiniteLoss(
                f"the custom loss is finite, but its gradient by the logprobs of datum {number} is not, so none was "
                "added; look for a root or a logarithm at 0"
            )
    return gradients


def _numbers(metrics: Any) -> dict[str, float]:
    if not isinstance(metrics, Mapping):
        raise TrainError(f"the metrics of a custom loss must be a mapping, got {type(metrics).__name__}")
    numbers: dict[str, float] = {}
    for name, value in cast("Mapping[Any, Any]", metrics).items():
        try:
            numbers[str(name)] = float(value.detach() if isinstance(value, torch.Tensor) else value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: a tensor of several
            raise TrainError(
                f"the metric {name!r} of a custom loss must be a number, got {type(value).__name__}"
            ) from error
    return numbers
