"""Training as the document names it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible.ir.model import Model, Seq
from crucible.ir.refs import DatasetRef, ModelRef

__all__ = ["TrainingConfig"]


class TrainingConfig(Model):
    """Defaults of every training stage of the experiment; a stage's own option wins."""

    id: str = Field(min_length=1, description="Name of the configuration.")
    model_ref: ModelRef = Field(description="Base model.")
    dataset_ref: DatasetRef = Field(description="Data to train on.")
    epochs: int = Field(default=1, ge=1, le=10**6, description="Passes over the data.")
    batch_size: int = Field(default=32, ge=1, le=10**6, description="Examples a step.")
    learning_rate: float = Field(default=0.001, gt=0, description="Peak learning rate.")
    optimizer: Literal["adam", "sgd", "adamw", "rmsprop"] = Field(default="adam", description="Optimiser.")
    loss_function: str = Field(default="cross_entropy", description="Loss.")
    metrics: Seq[str] = Field(default=("loss", "accuracy"), description="Metrics to follow.")
    validation_split: float | None = Field(default=None, ge=0, lt=1, description="Share held out for validation.")
    device: Literal["cpu", "cuda", "mps", "tpu"] = Field(default="cpu", description="Device.")
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1, description="Seed of data, order, weights, dropout.")
    mixed_precision: bool = Field(default=False, description="Train in bf16 where the device has it.")
    gradient_clipping: float | None = Field(default=None, gt=0, description="Largest gradient norm.")
    early_stopping: dict[str, Any] | None = Field(default=None, description="When to stop early.")
    checkpoint_every: int | None = Field(default=None, ge=1, description="Steps between checkpoints.")
    options: dict[str, Any] | None = Field(default=None, description="Further options.")
