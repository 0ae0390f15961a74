"""How a LoRA adapter is trained: the one configuration of trainers, stages and sessions.

Fields that the field's literature knows by two names can be given by either one, such as `rank` and `lora_rank`; the
first is the one that is written. What only some optimisers have is refused with the others.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from crucible.errors import SpecError
from crucible.ir.model import Model, Seq
from crucible.ir.spelling import either
from crucible.ir.training import EarlyStoppingConfig

__all__ = ["MODULE_GROUPS", "LoraConfig"]

MODULE_GROUPS: Final = {
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "mlp": ("gate_proj", "up_proj", "down_proj"),
}
"""Layers that may be named together, by the names that they have in models of the Llama family."""

_WHICH: Final = {
    "momentum": ("sgd", "rmsprop"),
    "beta1": ("adamw", "adam"),
    "beta2": ("adamw", "adam"),
    "eps": ("adamw", "adam", "rmsprop"),
}
"""Settings that not every optimiser has, with those that have them."""


def _layers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of layers with the groups among them opened, each once."""
    for place, name in enumerate(names):
        if not name.strip():
            raise PydanticCustomError("empty", "must name layers, got an empty name at place {place}", {"place": place})
        if name == "all-linear":
            message = 'must be null, or left out, for all linear layers but the head, not "all-linear"'
            raise PydanticCustomError("choice", message)
        if name in names[:place]:
            raise PydanticCustomError("repeated", 'names "{name}" twice', {"name": name})
    return tuple(dict.fromkeys(layer for name in names for layer in MODULE_GROUPS.get(name, (name,))))


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names, none of them twice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise PydanticCustomError("repeated", 'names "{name}" twice', {"name": name})
    return names


Layers = Annotated[Seq[str], Field(min_length=1), AfterValidator(_layers)]


class LoraConfig(Model):
    """Configuration of one LoRA training.

    Either name will do: `rank` or `lora_rank`, `alpha` or `lora_alpha`, `dropout` or `lora_dropout`, `grad_clip_norm`
    or `max_grad_norm`, `validation_fraction` or `validation_split`, `checkpoint_interval` or `checkpoint_every`.
    """

    base_model: str = Field(min_length=1, description="Built-in name (crucible/tiny), folder or hub id.")
    rank: int = Field(
        default=16, ge=1, validation_alias=either("rank", "lora_rank"), description="Rank of the adapter's matrices."
    )
    alpha: float = Field(
        default=32.0,
        gt=0,
        validation_alias=either("alpha", "lora_alpha"),
        description="Scale; the update is multiplied by alpha / rank.",
    )
    dropout: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        validation_alias=either("dropout", "lora_dropout"),
        description="Dropout on the adapter's input.",
    )
    target_modules: Layers | None = Field(
        default=None,
        description="Layers to adapt, by name or as the groups attention and mlp; null: all linear ones but the head.",
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate.")
    batch_size: int = Field(default=4, ge=1, le=10**6, description="Examples a batch; a step takes one or more.")
    max_steps: int = Field(default=1000, ge=1, le=10**9, description="Optimiser steps at most.")
    checkpoint_interval: int = Field(
        default=100,
        ge=1,
        validation_alias=either("checkpoint_interval", "checkpoint_every"),
        description="Steps between checkpoints and validations.",
    )
    epochs: int | None = Field(default=None, ge=1, le=10**6, description="Passes at most; null: until max_steps.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of data order, initial weights and dropout.")
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = Field(default="adamw", description="Optimiser.")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Momentum of sgd and rmsprop.")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="First decay rate of adamw and adam.")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="Second decay rate of adamw and adam.")
    eps: float = Field(default=1e-8, gt=0, description="Epsilon of adamw, adam and rmsprop.")
    weight_decay: float = Field(
        default=0.0, ge=0, description="Weight decay: decoupled with adamw, else part of the gradient."
    )
    grad_clip_norm: float = Field(
        default=1.0,
        ge=0,
        validation_alias=either("grad_clip_norm", "max_grad_norm"),
        description="Largest gradient norm; 0 turns clipping off.",
    )
    validation_fraction: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        validation_alias=either("validation_fraction", "validation_split"),
        description="Share of the items held out.",
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(default="constant", description="Learning-rate schedule.")
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up.")
    device: Literal["cpu", "cuda", "mps"] = Field(default="cpu", description="Device to train on.")
    max_length: int | None = Field(default=None, ge=2, description="Longest sequence in tokens; null: the window.")
    on_overflow: Literal["truncate", "refuse"] = Field(
        default="truncate", description="Sequences too long: cut the prompt from the left, or leave the item out."
    )
    loss: str = Field(default="cross_entropy", min_length=1, description="Name of a registered loss.")
    accumulation_steps: int = Field(default=1, ge=1, le=10**6, description="Batches a step, their gradients added.")
    eval_every: int | None = Field(default=None, ge=1, description="Steps between validations; null: as checkpoints.")
    save_every: int | None = Field(default=None, ge=1, description="Steps between saves; null: checkpoint_interval.")
    max_checkpoints: int = Field(default=3, ge=2, le=10**6, description="Checkpoints kept; never without best, last.")
    early_stopping: EarlyStoppingConfig | None = Field(default=None, description="When to stop early; null: never.")
    quality_targets: dict[str, float] | None = Field(
        default=None, description="What is to be reached, by metric: at least, of a loss at most."
    )
    gradient_hooks: Annotated[Seq[Literal["norm", "distribution", "flow", "health"]], AfterValidator(_once)] = Field(
        default=(), description="What looks at the gradient before each optimiser step."
    )
    mixed_precision: bool = Field(default=False, description="Compute in bfloat16 where the device has it.")
    renderer: str | None = Field(
        default=None, min_length=1, description="Chat renderer; null: the tokenizer's own template."
    )
    train_on: Literal[
        "last_assistant_message",
        "all_assistant_messages",
        "all_messages",
        "all_tokens",
        "all_user_and_system_messages",
        "customized",
    ] = Field(default="last_assistant_message", description="Which tokens of a chat are trained on.")
    keep: Literal["best", "last"] = Field(default="best", description="Which checkpoint the training hands out.")

    @field_validator(*_WHICH)
    @classmethod
    def _is_of_the_optimizer(cls, value: float, info: ValidationInfo) -> float:
        """Refuse a setting that the optimiser does not have, unless it says what it is anyway."""
        name = info.field_name or ""
        optimizer: Any = info.data.get("optimizer")  # absent where it does not fit itself
        if optimizer is None or optimizer in _WHICH[name] or value == cls.model_fields[name].default:
            return value
        *others, last = _WHICH[name]
        raise PydanticCustomError(
            "mismatch",
            "is a setting of {others} and {last}, and the optimizer is {optimizer}; choose another, or leave it out",
            {"others": ", ".join(others), "last": last, "optimizer": optimizer},
        )

    def adam_params(self) -> dict[str, float]:
        """Return the settings of AdamW, or of Adam, in the field's usual words.

        Returns:
            `lr`, `beta1`, `beta2`, `eps`, `weight_decay` and `max_grad_norm`, which is 0 where nothing is clipped.

        Raises:
            SpecError: The optimiser is another one.
        """
        if self.optimizer not in ("adamw", "adam"):
            message = f"is {self.optimizer}, which has no settings of Adam; use adamw or adam"
            raise SpecError(message, path="optimizer", code="mismatch")
        return {
            "lr": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.grad_clip_norm,
        }
