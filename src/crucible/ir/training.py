"""Training as the document names it, and a training as it goes on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crucible.ir.instant import Instant
from crucible.ir.model import Document, Seq
from crucible.ir.opaque import Loose, Opaque
from crucible.ir.refs import DatasetRef, ModelRef
from crucible.ir.words import Name, Words

__all__ = [
    "CheckpointRef",
    "EarlyStoppingConfig",
    "LossConfig",
    "OptimizerConfig",
    "SchedulerConfig",
    "TrainingConfig",
    "TrainingRun",
]

OptimizerName = Annotated[Name, Words(("adam", "adamw", "sgd", "rmsprop"))]
LossName = Annotated[Name, Words(("cross_entropy", "mse", "mae", "bce"))]


class OptimizerConfig(Document):
    """An optimiser with its own settings; null: what the trainer takes."""

    name: OptimizerName = Field(default="adam", description="adam, adamw, sgd, rmsprop.")
    learning_rate: float | None = Field(default=None, gt=0, description="Peak learning rate.")
    beta1: float | None = Field(default=None, ge=0, lt=1, description="First decay rate of Adam.")
    beta2: float | None = Field(default=None, ge=0, lt=1, description="Second decay rate of Adam.")
    eps: float | None = Field(default=None, gt=0, description="Epsilon of Adam and RMSprop.")
    momentum: float | None = Field(default=None, ge=0, lt=1, description="Momentum of SGD and RMSprop.")
    weight_decay: float | None = Field(default=None, ge=0, description="Weight decay.")


class SchedulerConfig(Document):
    """How the learning rate changes over the steps."""

    name: Annotated[Name, Words(("constant", "linear", "cosine"))] = Field(
        default="constant", description="constant, linear, cosine."
    )
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up.")


class LossConfig(Document):
    """A loss with its own settings."""

    name: LossName = Field(default="cross_entropy", description="cross_entropy, mse, mae, bce.")
    label_smoothing: float | None = Field(default=None, ge=0, lt=1, description="Share of the target spread evenly.")


class EarlyStoppingConfig(Document):
    """When a training ends before its last step."""

    metric: Name = Field(default="validation_loss", description="Metric to watch.")
    mode: Literal["min", "max"] = Field(default="min", description="Whether smaller or larger is better.")
    patience: int = Field(default=3, ge=1, description="Validations without improvement before it stops.")
    min_delta: float = Field(default=0.0, ge=0, description="Smallest change that counts as improvement.")


class CheckpointRef(Document):
    """A saved state of a training."""

    uri: Name = Field(description="Where it is: a folder or a URL.")
    step: int | None = Field(default=None, ge=0, description="Optimiser steps done when it was saved.")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="Digest of its weights.")
    metrics: Opaque | None = Field(default=None, description="What was measured when it was saved.")
    created_at: Instant | None = Field(default=None, description="When it was saved.")


class TrainingConfig(Document):
    """Defaults of every training stage of the experiment; a stage's own option wins."""

    id: Name = Field(description="Name of the configuration.")
    model_ref: ModelRef = Field(description="Base model.")
    dataset_ref: DatasetRef = Field(description="Data to train on.")
    epochs: int = Field(default=1, ge=1, le=10**6, description="Passes over the data.")
    batch_size: int = Field(default=32, ge=1, le=10**6, description="Examples a step.")
    learning_rate: float = Field(
        default=0.001,
        gt=0,
        description="Peak learning rate. One that differs from optimizer.learning_rate is an error; "
        "the default counts as not given, because a stored document always holds it.",
    )
    optimizer: OptimizerName | OptimizerConfig = Field(default="adam", description="Optimiser.")
    loss_function: LossName | LossConfig = Field(default="cross_entropy", description="Loss.")
    metrics: Seq[str] = Field(default=("loss", "accuracy"), description="Metrics to follow.")
    validation_split: float | None = Field(default=None, ge=0, lt=1, description="Share held out for validation.")
    device: Annotated[Name, Words(("cpu", "cuda", "mps", "tpu"))] = Field(default="cpu", description="Device.")
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1, description="Seed of data, order, weights, dropout.")
    mixed_precision: bool = Field(default=False, description="Train in bf16 where the device has it.")
    gradient_clipping: float | None = Field(default=None, gt=0, description="Largest gradient norm.")
    early_stopping: Loose[EarlyStoppingConfig] | None = Field(default=None, description="When to stop early.")
    checkpoint_every: int | None = Field(default=None, ge=1, description="Steps between checkpoints.")
    scheduler: Loose[SchedulerConfig] | None = Field(default=None, description="How the learning rate changes.")
    options: Opaque | None = Field(default=None, description="Further options.")


class TrainingRun(Document):
    """One training as it goes on or went."""

    id: Name = Field(description="Name of the training.")
    config: TrainingConfig = Field(description="What it was asked to do.")
    status: Literal["pending", "running", "completed", "failed", "cancelled"] = Field(
        default="pending", description="How it stands."
    )
    current_epoch: int | None = Field(default=None, ge=0, description="Passes completed.")
    metrics_history: Seq[Opaque] | None = Field(default=None, description="What was measured, in order.")
    best_metrics: Opaque | None = Field(default=None, description="The best of them.")
    checkpoint_uris: Seq[str | CheckpointRef] | None = Field(default=None, description="Saved states.")
    final_model_version: str | None = Field(default=None, description="Version that came of it.")
    started_at: Instant | None = Field(default=None, description="When it started.")
    completed_at: Instant | None = Field(default=None, description="When it ended.")
    error_message: str | None = Field(default=None, description="Why it failed.")
    options: Opaque | None = Field(default=None, description="Anything else.")
