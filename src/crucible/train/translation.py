"""What a training_config says, in the words of `LoraConfig`: its plain fields, its typed parts, its own options."""

from __future__ import annotations

from typing import Any, Final

from crucible.ir import LossConfig, OptimizerConfig, SchedulerConfig, TrainingConfig

__all__ = ["PLAIN", "loss_of", "optimizer_of", "optimizer_values", "scheduler_values", "values_of"]

PLAIN: Final = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "validation_split": "validation_fraction",
    "device": "device",
    "seed": "seed",
    "gradient_clipping": "grad_clip_norm",
    "checkpoint_every": "checkpoint_interval",
}
"""Fields of a training_config with the field of `LoraConfig` that carries them out."""

_OPTIMIZER: Final = ("learning_rate", "beta1", "beta2", "eps", "weight_decay")
"""Fields of an optimiser that `LoraConfig` has under the same name; those of no name there are refused."""


def values_of(training: TrainingConfig) -> dict[str, Any]:
    """Return what a training_config says, by field of `LoraConfig`; its options win over its fields."""
    values: dict[str, Any] = {"base_model": training.model_ref.artifact_uri or training.model_ref.id}
    for name, field in PLAIN.items():
        value = getattr(training, name)
        if value is not None:
            values[field] = value
    specific = training.options or {}
    if specific.get("max_steps") is not None and specific.get("epochs") is None:
        del values["epochs"]
    return {**values, **optimizer_values(training), **scheduler_values(training), **specific}


def optimizer_of(training: TrainingConfig) -> OptimizerConfig:
    """Return the optimiser in its typed form."""
    given = training.optimizer
    return given if isinstance(given, OptimizerConfig) else OptimizerConfig(name=given)


def loss_of(training: TrainingConfig) -> LossConfig:
    """Return the loss in its typed form."""
    given = training.loss_function
    return given if isinstance(given, LossConfig) else LossConfig(name=given)


def optimizer_values(training: TrainingConfig) -> dict[str, Any]:
    """Return the settings of a typed optimiser that a training can have; those that are not given are left out."""
    optimizer = optimizer_of(training)
    return {name: value for name in _OPTIMIZER if (value := getattr(optimizer, name)) is not None}


def scheduler_values(training: TrainingConfig) -> dict[str, Any]:
    """Return the schedule of a typed scheduler, both fields of it; empty where there is none."""
    scheduler = training.scheduler
    if not isinstance(scheduler, SchedulerConfig):
        return {}
    return {"schedule": scheduler.name, "warmup_steps": scheduler.warmup_steps}
