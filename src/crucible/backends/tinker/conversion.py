# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""Crucible's records as the SDK's, and back.

Both follow the same conventions: the caller shifts targets, weights may be negative, losses are sums. Numbers go as
int64 and float32, as the wire has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crucible.backends.loss_terms import POLICY_INPUTS, POLICY_SETTINGS
from crucible.backends.records import AdamParams, ForwardBackwardOutput
from crucible.backends.tinker.connection import require_sdk
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BadResponse, DataError, require
from crucible.text import Datum

__all__ = ["SERVICE_LOSSES", "fits_service", "output_of", "sdk_adam", "sdk_data", "token_metrics"]

SERVICE_LOSSES: Final[dict[str, tuple[str, ...]]] = {
    "cross_entropy": (),
    **dict.fromkeys(POLICY_SETTINGS, POLICY_INPUTS),
}
"""Losses that a service computes by itself, with what each reads of `Datum.loss_inputs`."""


def fits_service(data: Sequence[Datum], loss: str) -> bool:
    """Say whether a service computes this loss of these data, with what their weights mean.

    Its losses of a policy read no weights, which therefore go into the advantages. That is the same for
    `importance_sampling` and `cispo`, for `ppo` where none is negative, and for `dro`, which pulls at tokens without an
    advantage, too, where all are 1. Nor do they know soft targets.

    Args:
        data: Checked data.
        loss: Any name.
    """
    if loss not in SERVICE_LOSSES:
        return False
    if loss == "cross_entropy":
        return True
    if any(datum.soft_targets is not None for datum in data):
        return False
    weights = (weight for datum in data for weight in datum.weights)
    if loss == "dro":
        return all(weight == 1 for weight in weights)
    return loss != "ppo" or all(weight >= 0 for weight in weights)


def sdk_data(data: Sequence[Datum], loss: str) -> list[Any]:
    """Return the SDK's data for a loss that the service computes.

    Args:
        data: Checked data that fit it.
        loss: A name of `SERVICE_LOSSES`.

    Raises:
        DataError: A datum lacks an input of the loss.
    """
    sdk, numpy = require_sdk(), require("numpy", extra="tinker")
    converted: list[Any] = []
    for datum in data:
        if loss == "cross_entropy":
            tensors = _targets(sdk, numpy, datum)
        else:
            columns = {name: numpy.asarray(_input(datum, name, loss), dtype="float32") for name in POLICY_INPUTS}
            columns["advantages"] *= numpy.asarray(datum.weights, dtype="float32")
            columns["target_tokens"] = numpy.asarray(datum.target_tokens, dtype="int64")  # (T,)
            tensors = {name: sdk.TensorData.from_numpy(column) for name, column in columns.items()}
        tokens = sdk.ModelInput.from_ints(list(datum.model_input.tokens))
        converted.append(sdk.Datum(model_input=tokens, loss_fn_inputs=tensors))
    return converted


def _input(datum: Datum, name: str, loss: str) -> Sequence[float]:
    if name not in datum.loss_inputs:
        held = ", ".join(sorted(datum.loss_inputs)) or "none"
        raise DataError(f"the loss {loss!r} needs loss_inputs[{name!r}] of every datum, which holds {held}")
    return datum.loss_inputs[name]


def _targets(sdk: Any, numpy: Any, datum: Datum) -> dict[str, Any]:
    """Return the targets of a cross-entropy and their weights: (T,) each, or (T, K) of soft targets."""
    weights = numpy.asarray(datum.weights, dtype="float32")
    if datum.soft_targets is None:
        tokens = numpy.asarray(datum.target_tokens, dtype="int64")
        return {"target_tokens": sdk.TensorData.from_numpy(tokens), "weights": sdk.TensorData.from_numpy(weights)}
    tokens = numpy.asarray(datum.soft_targets.tokens, dtype="int64")
    shares = numpy.asarray(datum.soft_targets.weights, dtype="float32") * weights[:, None]
    return {"target_tokens": _matrix(sdk, numpy, tokens), "weights": _matrix(sdk, numpy, shares)}


def _matrix(sdk: Any, numpy: Any, array: Any) -> Any:
    """Return a matrix as the wire has it: by its entries other than 0 (CSR) where those are few, else whole.

    Source:
        The SDK's own `TensorData.from_torch_sparse`, which needs PyTorch.
    """
    rows, columns = array.nonzero()
    if len(array) + 1 + 2 * len(rows) >= array.size:
        return sdk.TensorData.from_numpy(array)
    starts = numpy.concatenate(([0], numpy.cumsum(numpy.bincount(rows, minlength=len(array)))))
    return sdk.TensorData(
        data=array[rows, columns],
        dtype=str(array.dtype),
        shape=list(array.shape),
        sparse_crow_indices=starts.tolist(),
        sparse_col_indices=columns.tolist(),
    )


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
    soft: list[list[list[float]]] = []
    for number, (datum, output) in enumerate(zip(data, outputs, strict=True)):
        tensor = output.get("logprobs")
        values: list[float] = [] if tensor is None else [float(value) for value in tensor.data]
        candidates = 1 if datum.soft_targets is None else datum.soft_targets.candidates
        if len(values) != len(datum) * candidates:
            raise BadResponse(
                f"datum {number} has {len(datum) * candidates} targets and {len(values)} logprobs came back",
                backend=BACKEND,
            )
        counts = [not (trained and weight == 0) for weight in datum.weights]
        if datum.soft_targets is None:
            logprobs.append([value if has else None for value, has in zip(values, counts, strict=True)])
            soft.append([])
        else:
            rows = [values[place : place + candidates] for place in range(0, len(values), candidates)]
            logprobs.append([None] * len(datum))
            soft.append([row if has else [] for row, has in zip(rows, counts, strict=True)])
    metrics = {name: float(value) for name, value in answer.metrics.items()}
    metrics |= {"loss:sum": _loss_of(data, logprobs, soft, metrics, loss), **token_metrics(data)}
    return ForwardBackwardOutput(
        loss=metrics["loss:sum"], logprobs=logprobs, metrics=metrics, soft_logprobs=soft if any(soft) else []
    )


def token_metrics(data: Sequence[Datum]) -> dict[str, float]:
    """Return how many tokens a request has, and how many of them count."""
    return {
        "input_tokens:sum": float(sum(len(datum) for datum in data)),
        "weighted_tokens:sum": float(sum(sum(weight != 0 for weight in datum.weights) for datum in data)),
    }


def _loss_of(
    data: Sequence[Datum],
    logprobs: Sequence[Sequence[float | None]],
    soft: Sequence[Sequence[Sequence[float]]],
    metrics: Mapping[str, float],
    loss: str,
) -> float:
    """Return the service's sum, or the sum over its log-probabilities where it reports none, as SkyRL does."""
    if "loss:sum" in metrics:
        return metrics["loss:sum"]
    if loss != "cross_entropy":
        raise BadResponse(f"the service reported no loss:sum for the loss {loss}", backend=BACKEND)
    total = 0.0
    for datum, values, rows in zip(data, logprobs, soft, strict=True):
        if datum.soft_targets is None:
            pairs = zip(datum.weights, values, strict=True)
            total -= sum(weight * value for weight, value in pairs if weight != 0 and value is not None)
        else:
            shares = zip(datum.weights, datum.soft_targets.weights, rows, strict=True)
            total -= sum(
                weight * share * value
                for weight, own, row in shares
                if weight != 0
                for share, value in zip(own, row, strict=True)
            )
    return total
