# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportMissingTypeStubs=false
# (generated protobuf code is untyped)
"""The bytes of SDK 0.38: protobuf in for training data, protobuf out for what was computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from tinker.proto import tinker_public_pb2 as pb

from crucible.text import Datum, ModelInput

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
    columns = {name: _column(tensor) for name, tensor in message.loss_fn_inputs.items()}
    targets = tuple(int(token) for token in columns.pop("target_tokens"))
    weights = columns.pop("weights", None)
    return Datum(ModelInput(tokens), targets, (1.0,) * len(targets) if weights is None else weights, columns)


def _column(tensor: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in numpy.frombuffer(tensor.dense, _NUMPY[tensor.dtype]))


def encode_output(logprobs_N_T: Sequence[Sequence[float]], metrics: dict[str, float]) -> bytes:
    """Return a `ForwardBackwardOutput`: one record for all N data, their offsets in bytes."""
    arrays = [numpy.asarray(values, "<f4") for values in logprobs_N_T]
    ends = numpy.cumsum([0, *(array.nbytes for array in arrays)])
    message = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics=metrics)
    record = message.loss_fn_outputs.add(num_datums=len(arrays))
    tensor = record.fields["logprobs"]
    tensor.data = b"".join(array.tobytes() for array in arrays)
    tensor.offsets = ends.astype("<i8").tobytes()
    tensor.dtype = pb.DTYPE_FLOAT32
    return message.SerializeToString()


def encode_samples(
    sequences: Sequence[tuple[Sequence[int], Sequence[float] | None, str]],
    prompt_logprobs: Sequence[float | None] | None,
) -> bytes:
    """Return a `SampleResponse`.

    Args:
        sequences: Tokens, their log-probabilities and the stop reason of each answer.
        prompt_logprobs: One value a token of the prompt, None for the first; None if they were not asked for.
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
    return message.SerializeToString()
