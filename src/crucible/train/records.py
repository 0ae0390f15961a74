"""What a training leaves behind: steps, validations, checkpoints, the result. Plain data, JSON but for the paths."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import msgspec

__all__ = ["Checkpoint", "StepRecord", "TrainResult", "ValidationRecord"]


class StepRecord(TypedDict):
    """One optimiser step.

    `loss` is the mean negative log-likelihood in nats per trained token of the batch, dropout on, before the step;
    `tokens` are the input tokens of the batch.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int


class ValidationRecord(TypedDict):
    """The loss on the held-out items after a step: mean nats per trained token, dropout off."""

    step: int
    loss: float


class Checkpoint(msgspec.Struct, frozen=True):
    """Weights on disk, in the PEFT layout.

    Args:
        name: `step-000080`, or the name it was saved under.
        step: Optimiser steps taken when it was written.
        local_path: The folder.
        metrics: What was measured with it, such as `validation_loss`.
    """

    name: str
    step: int
    local_path: Path
    metrics: dict[str, float]


class TrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a training went.

    Args:
        initial_loss: Mean nats per trained token on a fixed sample of training items, dropout off, before any step.
        final_loss: The same after the last step.
        steps: Optimiser steps taken in all, those before a resume included.
        history: One record a step.
        validation: One record a validation; empty without held-out items.
        kept: The checkpoint whose weights the trainer hands out.
        items: Training items used.
        truncated: Items, held-out ones included, whose prompt was shortened to fit.
        refused: Items left out because they did not fit.
        tokens: Input tokens trained on.
        parameters_trained: Count of weights that were trained.
        synthetic: Training items are made up.
        base_digest: SHA-256 of the base model's files; None where the backend does not see them.
    """

    initial_loss: float
    final_loss: float
    steps: int
    history: list[StepRecord]
    validation: list[ValidationRecord]
    kept: Checkpoint
    items: int
    truncated: int
    refused: int
    tokens: int
    parameters_trained: int
    synthetic: bool
    base_digest: str | None
