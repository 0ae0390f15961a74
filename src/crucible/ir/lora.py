"""How a LoRA adapter is trained: the one configuration of trainers, stages and sessions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crucible.ir.model import Model, Seq

__all__ = ["LoraConfig"]


class LoraConfig(Model):
    """Configuration of one LoRA training."""

    base_model: str = Field(min_length=1, description="Built-in name (crucible/tiny), folder or hub id.")
    rank: int = Field(default=16, ge=1, description="Rank of the adapter's matrices.")
    alpha: float = Field(default=32.0, gt=0, description="Scale; the update is multiplied by alpha / rank.")
    dropout: float = Field(default=0.05, ge=0, lt=1, description="Dropout on the adapter's input.")
    target_modules: Seq[str] | None = Field(
        default=None, min_length=1, description="Names of layers to adapt; null: all linear layers but the head."
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate.")
    batch_size: int = Field(default=4, ge=1, le=10**6, description="Examples a step.")
    max_steps: int = Field(default=1000, ge=1, le=10**9, description="Optimiser steps at most.")
    checkpoint_interval: int = Field(default=100, ge=1, description="Steps between checkpoints and validations.")
    epochs: int | None = Field(default=None, ge=1, le=10**6, description="Passes at most; null: until max_steps.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of data order, initial weights and dropout.")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="AdamW's first decay rate.")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="AdamW's second decay rate.")
    eps: float = Field(default=1e-8, gt=0, description="AdamW's epsilon.")
    weight_decay: float = Field(default=0.0, ge=0, description="Decoupled weight decay.")
    grad_clip_norm: float = Field(default=1.0, ge=0, description="Largest gradient norm; 0 turns clipping off.")
    validation_fraction: float = Field(default=0.0, ge=0, lt=1, description="Share of the items held out.")
    schedule: Literal["constant", "linear", "cosine"] = Field(default="constant", description="Learning-rate schedule.")
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up.")
    device: Literal["cpu", "cuda", "mps"] = Field(default="cpu", description="Device to train on.")
    max_length: int | None = Field(default=None, ge=2, description="Longest sequence in tokens; null: the window.")
    on_overflow: Literal["truncate", "refuse"] = Field(
        default="truncate", description="Sequences too long: cut the prompt from the left, or leave the item out."
    )
    keep: Literal["best", "last"] = Field(default="best", description="Which checkpoint the training hands out.")
