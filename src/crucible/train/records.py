"""What a training leaves behind: steps, validations, checkpoints, the result. Plain data, JSON but for the paths."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

import msgspec

from crucible.train.quality import QualityReport

__all__ = ["Checkpoint", "EpochRecord", "StepRecord", "TrainResult", "ValidationRecord"]


class StepRecord(TypedDict):
    """One optimiser step, on `accumulation_steps` batches or fewer at the end of an epoch.

    `loss` is the mean loss per trained token of all its batches, dropout on, before the step: nats of negative
    log-likelihood for `cross_entropy`; another objective says what its loss is. `tokens` are their input tokens.
    `metrics` holds what an objective measures beside its loss, such as `dpo/margin`. `validation_loss` is in the
    history of a result where there was a validation after the step.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    metrics: NotRequired[dict[str, float]]
    validation_loss: NotRequired[float]


class EpochRecord(TypedDict):
    """A pass over the training items, or the part of it before the training's last step.

    `loss` and `gradient_norm` are means over its `steps`; `tokens` are the input tokens of them all.
    """

    epoch: int
    steps: int
    loss: float
    gradient_norm: float
    tokens: int


class ValidationRecord(TypedDict):
    """A validation after a step.

    `loss` is the mean loss per trained token of the held-out items, dropout off; it is not there where an objective
    validates by something else, such as a reward. `metrics` holds all that was measured: `validation_loss` and
    `validation_perplexity`, mean `loss` and `gradient_norm` of the steps since the validation before, and the caller's
    own measures.
    """

    step: int
    loss: NotRequired[float]
    metrics: NotRequired[dict[str, float]]


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
        initial_loss: Loss on a fixed sample of training items, dropout off, before any step: mean nats per trained
            token of `cross_entropy`; NaN where the objective has no such loss, as reinforcement has none.
        final_loss: The same after the last step.
        steps: Optimiser steps taken in all, those before a resume included.
        history: One record a step, with the validation loss where there was a validation after it.
        validation: One record a validation; empty without held-out items.
        kept: The checkpoint whose weights the trainer hands out.
        best_checkpoint: The checkpoint on disk that is best by the watched metric; None where nothing was validated.
        checkpoints: Every checkpoint of this training that is on disk, by step.
        stopped_early: Early stopping ended it before its last step.
        stop_reason: Why it ended, in words.
        quality: How it stands with the quality targets; None where there are none.
        initial_validation_loss: Loss on the held-out items before any step; None without held-out items.
        initial_validation: All that was measured on them before any step; None where nothing was.
        items: Training items used.
        truncated: Items, held-out ones included, whose prompt was shortened to fit.
        refused: Items left out because they did not fit.
        tokens: Input tokens trained on.
        parameters_trained: Count of weights that were trained; None where the backend does not say.
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
    parameters_trained: int | None
    synthetic: bool
    base_digest: str | None
    best_checkpoint: Checkpoint | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    stopped_early: bool = False
    stop_reason: str = ""
    quality: QualityReport | None = None
    initial_validation_loss: float | None = None
    initial_validation: dict[str, float] | None = None
