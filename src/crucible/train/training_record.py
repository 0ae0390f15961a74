"""Where a training stands, and the file beside a checkpoint that says so: hashed, and bound to its checkpoint."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, cast

import msgspec

from crucible.errors import CheckpointError
from crucible.train.records import StepRecord, ValidationRecord

__all__ = ["TrainState", "TrainingRecord", "decode_record", "encode_record"]

_FORMAT: Final = "crucible-training/1"


class TrainState(msgspec.Struct):
    """Where a training stands; all that a resumed one needs beside the weights.

    Args:
        initial_loss: Loss of the sample before the first step; None where the objective has none.
        step: Optimiser steps taken.
        epoch: The epoch of the next batch, from 0.
        position: Batches of that epoch already trained on.
        tokens: Input tokens trained on.
        history: One record a step.
        validation: One record a validation.
        initial_validation_loss: Loss on the held-out items before the first step; None without held-out items.
        began: The step after which the iteration that ended with `step` began; None: the step before it.
        extra: What else the objective needs to go on.
        initial_validation: What was measured before the first step; None where nothing was.
    """

    initial_loss: float | None
    step: int = 0
    epoch: int = 0
    position: int = 0
    tokens: int = 0
    history: list[StepRecord] = []
    validation: list[ValidationRecord] = []
    initial_validation_loss: float | None = None
    began: int | None = None
    extra: dict[str, Any] = {}
    initial_validation: dict[str, float] | None = None


class TrainingRecord(msgspec.Struct, frozen=True):
    """The file beside a checkpoint's folder, without its own digest.

    Args:
        identity: Configuration and data digest of the training.
        manifest_sha256: Hex SHA-256 of the checkpoint's manifest.
        validation_loss: Loss on the held-out items at this step; None if it was not measured.
        state: Where the training stands.
        metrics: All that was measured with the checkpoint.
    """

    identity: dict[str, Any]
    manifest_sha256: str
    validation_loss: float | None
    state: TrainState
    metrics: dict[str, float] = {}

    @property
    def measured(self) -> dict[str, float]:
        """All that was measured with the checkpoint, in the old form of the record too."""
        old = {} if self.validation_loss is None else {"validation_loss": self.validation_loss}
        return {**old, **self.metrics}


def encode_record(record: TrainingRecord) -> bytes:
    """Return the content of the file."""
    payload = msgspec.json.encode(record).decode()
    digest = hashlib.sha256(payload.encode()).hexdigest()
    return f'{{"format": "{_FORMAT}", "sha256": "{digest}", "record": {payload}}}\n'.encode()


def decode_record(content: bytes, where: str) -> TrainingRecord:
    """Return the record in the content of a file.

    Args:
        content: Of `step-000080.json`.
        where: Its path, for messages.

    Raises:
        CheckpointError: It is damaged.
    """
    try:
        text = content.decode()
        outer = cast("dict[str, Any]", json.loads(text))
        payload = text[text.index('"record": ') + len('"record": ') : text.rindex("}")]
        if outer["format"] != _FORMAT or hashlib.sha256(payload.encode()).hexdigest() != outer["sha256"]:
            raise CheckpointError(f"{where} is corrupt: its SHA-256 does not match")
        return msgspec.json.decode(payload, type=TrainingRecord)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{where} is corrupt: {error}") from error
