# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportMissingTypeStubs=false
# (generated protobuf code is untyped)
"""The bytes of SDK 0.38: protobuf in for training data, protobuf out for what was computed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy
from tinker.proto import tinker_public_pb2 as pb

from crucible.text import Datum, ModelInput, SoftTargets

__all__ = ["TrainingRequest", "encode_output", "encode_samples", "read_request"]

_NUMPY = {pb.DTYPE_FLOAT32: "<f4", pb.DTYPE_INT64: "<i8", pb.DTYPE_INT32: "<i4"}


class TrainingRequest:
    """A forward or forward_backward as it came.

    Args:
        message: The protobuf message.
    """

    def __init__(self, message: Any) -> None:
        self.model_id: str = message.model_id
        self.seq_id: int = message.seq_id
        self.loss: str = message.loss_fn
        self.forward_only: bool = message.forward_only
        self.config: dict[str, float] = dict(message.loss_fn_config)
        self.data: list[Datum] = [_datum(each) for each in message.data]


def read_request(body: bytes) -> TrainingRequest:
    """Return the request in a body of type application/x-protobuf.

    Raises:
        ValueError: The bytes are no such message.
    """
    message = pb.ForwardBackwardRequest()
    try:
        message.ParseFromString(body)
    except Exception as error:  # protobuf's DecodeError has no public home
        raise ValueError(f"no ForwardBackwardRequest: {error}") from error
    return TrainingRequest(message)


def _datum(message: Any) -> Datum:
    tokens = tuple(
        int(token) for chunk in message.model_input for token in numpy.frombuffer(chunk.encoded_text.tokens, "<i4")
    )
    columns = {name: _array(tensor) for name, tensor in message.loss_fn_inputs.items()}
    targets, weights = columns.pop("target_tokens"), columns.pop("weights", None)
    weights = numpy.ones(targets.shape) if weights is None else weights
    if targets.ndim == 2:
        soft = SoftTargets(_rows(targets.astype(int)), _rows(weights))
        counts = tuple(float(any(row)) for row in soft.weights)
        return Datum(ModelInput(tokens), tuple(row[0] for row in soft.tokens), counts, soft_targets=soft)
    inputs = {name: tuple(column.tolist()) for name, column in columns.items()}
    return Datum(ModelInput(tokens), tuple(targets.tolist()), tuple(weights.tolist()), inputs)


def _rows(matrix: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _array(tensor: Any) -> Any:
    """Return a dense array of what came whole, or as the entries that are not 0 (CSR)."""
    kind = _NUMPY[tensor.dtype]
    if not tensor.HasField("sparse_csr"):
        return numpy.frombuffer(tensor.dense, kind).reshape(tuple(tensor.shape) or -1)
    csr, found = tensor.sparse_csr, numpy.zeros(tuple(tensor.shape), kind)
    starts = numpy.frombuffer(csr.crow_indices, "<i8")
    rows = numpy.repeat(numpy.arange(len(found)), numpy.diff(starts))
    found[rows, numpy.frombuffer(csr.col_indices, "<i8")] = numpy.frombuffer(csr.values, kind)
    return found


def encode_output(logprobs_N: Sequence[Any], metrics: dict[str, float]) -> bytes:
    """Return a `ForwardBackwardOutput`: a record for each run of data of one trailing shape, their offsets in bytes.

    Args:
        logprobs_N: Of each of the N data, (T,) numbers, or (T, K) of soft targets.
        metrics: Sums.
    """
    message = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics=metrics)
    arrays = [numpy.asarray(values, "<f4") for values in logprobs_N]
    for shape, group in itertools.groupby(arrays, lambda array: array.shape[1:]):
        run = list(group)
        record = message.loss_fn_outputs.add(num_datums=len(run))
        tensor = record.fields["logprobs"]
        tensor.data = b"".join(array.tobytes() for array in run)
        tensor.offsets = numpy.cumsum([0, *(array.nbytes for array in run)]).astype("<i8").tobytes()
        tensor.dtype = pb.DTYPE_FLOAT32
        tensor.trailing_shape.extend(shape)
    return message.SerializeToString()


def encode_samples(
    sequences: Sequence[tuple[Sequence[int], Sequence[float] | None, str]],
    prompt_logprobs: Sequence[float | None] | None,
    likeliest: Sequence[Sequence[tuple[int, float]]] | None = None,
) -> bytes:
    """Return a `SampleResponse`.

    Args:
        sequences: Tokens, their log-probabilities and the stop reason of each answer.
        prompt_logprobs: One value a token of the prompt, None for the first; None if they were not asked for.
        likeliest: The k likeliest tokens in place of each token of the prompt, none for the first; None if they were
            not asked for.
    """
    message = pb.SampleResponse()
    for tokens, logprobs, reason in sequences:
        sequence = message.sequences.add(
            stop_reason=pb.STOP_REASON_STOP if reason == "stop" else pb.STOP_REASON_LENGTH,
            tokens=numpy.asarray(tokens, "<i4").tobytes(),
        )
        if logprobs is not None:
            sequence.logprobs = numpy.asarray(logprobs, "<f4").tobytes()
    if prompt_logprobs is not None:
        values = [float("nan") if value is None else value for value in prompt_logprobs]
        message.prompt_logprobs = numpy.asarray(values, "<f4").tobytes()
    if likeliest is not None:
        k = max(map(len, likeliest))
        rows = [row or [(0, -99999.0)] * k for row in likeliest]  # the SDK's mark of an empty row
        topk = message.topk_prompt_logprobs
        topk.token_ids = numpy.asarray([[token for token, _ in row] for row in rows], "<i4").tobytes()
        topk.logprobs = numpy.asarray([[value for _, value in row] for row in rows], "<f4").tobytes()
        topk.k, topk.length = k, len(rows)
    return message.SerializeToString()
