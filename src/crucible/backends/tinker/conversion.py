# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Crucible's records as the SDK's, and back.

Both follow the same conventions: the caller shifts targets, weights may be negative, losses are sums. Numbers go as
int64 and float32, as the wire has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crucible.backends.records import AdamParams, ForwardBackwardOutput
from crucible.backends.tinker.connection import require_sdk
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BadResponse, DataError, require
from crucible.text import Datum

__all__ = ["SERVICE_LOSSES", "output_of", "sdk_adam", "sdk_data", "token_metrics"]

SERVICE_LOSSES: Final[dict[str, tuple[str, ...]]] = {
    "cross_entropy": (),
    "importance_sampling": ("logprobs", "advantages"),
    "ppo": ("logprobs", "advantages"),
    "cispo": ("logprobs", "advantages"),
    "dro": ("logprobs", "advantages"),
}
"""Losses that a service computes by itself, with what each reads of `Datum.loss_inputs`."""


def sdk_data(data: Sequence[Datum], loss: str) -> list[Any]:
    """Return the SDK's data for a loss that the service computes.

    Args:
        data: Checked data.
        loss: A name of `SERVICE_LOSSES`.

    Raises:
        DataError: A datum lacks an input of the loss, or has weights that the loss would not read.
    """
    sdk, numpy = require_sdk(), require("numpy", extra="tinker")
    needed = SERVICE_LOSSES[loss]
    converted: list[Any] = []
    for number, datum in enumerate(data):
        inputs = {"target_tokens": numpy.asarray(datum.target_tokens, dtype="int64")}  # (T,)
        if loss == "cross_entropy":
            inputs["weights"] = numpy.asarray(datum.weights, dtype="float32")  # (T,)
        elif any(weight != 1 for weight in datum.weights):
            raise DataError(
                f"datum {number} has weights other than 1, which the service's {loss} does not read; "
                "leave a position out with an advantage of 0"
            )
        for name in needed:
            if name not in datum.loss_inputs:
                raise DataError(f"datum {number} lacks loss_inputs[{name!r}], which the loss {loss} needs")
            inputs[name] = numpy.asarray(datum.loss_inputs[name], dtype="float32")  # (T,)
        tensors = {name: sdk.TensorData.from_numpy(array) for name, array in inputs.items()}
        tokens = sdk.ModelInput.from_ints(list(datum.model_input.tokens))
        converted.append(sdk.Datum(model_input=tokens, loss_fn_inputs=tensors))
    return converted


def sdk_adam(params: AdamParams) -> Any:
    """Return the SDK's `AdamParams`, all six fields."""
    return require_sdk().AdamParams(
        learning_rate=params.learning_rate,
        beta1=params.beta1,
        beta2=params.beta2,
        eps=params.eps,
        weight_decay=params.weight_decay,
        grad_clip_norm=params.grad_clip_norm,
    )


def output_of(data: Sequence[Datum], answer: Any, *, trained: bool, loss: str) -> ForwardBackwardOutput:
    """Return our record of the SDK's `ForwardBackwardOutput`.

    Args:
        data: Of the request.
        answer: The SDK's.
        trained: Whether it was a `forward_backward`, whose positions of weight 0 have no log-probability.
        loss: What was computed, for messages.

    Raises:
        BadResponse: It has not one log-probability for each target, or no loss.
    """
    outputs: list[Mapping[str, Any]] = list(answer.loss_fn_outputs)
    if len(outputs) != len(data):
        raise BadResponse(f"{len(data)} data were sent and {len(outputs)} outputs came back", backend=BACKEND)
    logprobs: list[list[float | None]] = []
    for number, (datum, output) in enumerate(zip(data, outputs, strict=True)):
        tensor = output.get("logprobs")
        values: list[float] = [] if tensor is None else [float(value) for value in tensor.data]
        if len(values) != len(datum):
            raise BadResponse(
                f"datum {number} has {len(datum)} targets and {len(values)} logprobs came back", backend=BACKEND
            )
        pairs = zip(values, datum.weights, strict=True)
        logprobs.append([None if trained and weight == 0 else value for value, weight in pairs])
    metrics = {name: float(value) for name, value in answer.metrics.items()}
    metrics |= {"loss:sum": _loss_of(data, logprobs, metrics, loss), **token_metrics(data)}
    return ForwardBackwardOutput(loss=metrics["loss:sum"], logprobs=logprobs, metrics=metrics)


def token_metrics(data: Sequence[Datum]) -> dict[str, float]:
    """Return how many tokens a request has, and how many of them count."""
    return {
        "input_tokens:sum": float(sum(len(datum) for datum in data)),
        "weighted_tokens:sum": float(sum(sum(weight != 0 for weight in datum.weights) for datum in data)),
    }


def _loss_of(
    data: Sequence[Datum], logprobs: Sequence[Sequence[float | None]], metrics: Mapping[str, float], loss: str
) -> float:
    """Return the service's sum, or the sum over its log-probabilities where it reports none, as SkyRL does."""
    if "loss:sum" in metrics:
        return metrics["loss:sum"]
    if loss != "cross_entropy":
        raise BadResponse(f"the service reported no loss:sum for the loss {loss}", backend=BACKEND)
    return -sum(
        weight * logprob
        for datum, values in zip(data, logprobs, strict=True)
        for weight, logprob in zip(datum.weights, values, strict=True)
        if weight != 0 and logprob is not None
    )
