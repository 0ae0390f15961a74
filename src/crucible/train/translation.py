"""What a training_config says, in the words of `LoraConfig`: its plain fields, its typed parts, its own options."""

from __future__ import annotations

from typing import Any, Final

from crucible.ir import EarlyStoppingConfig, LoraConfig, LossConfig, OptimizerConfig, SchedulerConfig, TrainingConfig
from crucible.ir.spelling import in_first_names

__all__ = [
    "FIELDS",
    "early_stopping_values",
    "loss_of",
    "optimizer_of",
    "optimizer_values",
    "place_of",
    "scheduler_values",
    "values_of",
]

_PLAIN: Final = {
    "epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "validation_split": "validation_fraction",
    "device": "device",
    "seed": "seed",
    "mixed_precision": "mixed_precision",
    "gradient_clipping": "grad_clip_norm",
    "checkpoint_every": "checkpoint_interval",
}
"""Plain fields of a training_config with the field of `LoraConfig` that carries them out."""

FIELDS: Final = {
    "base_model": "model_ref",
    **{field: name for name, field in _PLAIN.items()},
    "optimizer": "optimizer",
    "loss": "loss_function",
    "early_stopping": "early_stopping",
}
"""Fields of `LoraConfig` that a training_config has a field for, with its name there."""

_OPTIMIZER: Final = ("learning_rate", "beta1", "beta2", "eps", "momentum", "weight_decay")
"""Settings of an optimiser, which `LoraConfig` has under the same names."""


def values_of(training: TrainingConfig) -> dict[str, Any]:
    """Return what a training_config says, by field of `LoraConfig`; its options win over its fields."""
    values: dict[str, Any] = {"base_model": training.model_ref.artifact_uri or training.model_ref.id}
    for name, field in _PLAIN.items():
        value = getattr(training, name)
        if value is not None:
            values[field] = value
    specific = in_first_names(LoraConfig, training.options or {})
    if specific.get("max_steps") is not None and specific.get("epochs") is None:
        del values["epochs"]
    values |= {"optimizer": optimizer_of(training).name, "loss": loss_of(training).name}
    return {
        **values,
        **optimizer_values(training),
        **scheduler_values(training),
        **early_stopping_values(training),
        **specific,
    }


def place_of(training: TrainingConfig, field: str) -> str | None:
    """Return where a training_config says a field of `LoraConfig`, such as `optimizer.beta1`; None where it does not.

    Args:
        training: The document's.
        field: The field.
    """
    for key in training.options or {}:
        if in_first_names(LoraConfig, {key: None}).keys() == {field}:
            return f"options.{key}"
    if field in optimizer_values(training):
        return f"optimizer.{field}"
    if field in scheduler_values(training):
        return "scheduler.name" if field == "schedule" else f"scheduler.{field}"
    name = FIELDS.get(field)
    if name is None or getattr(training, name) is None:
        return None
    return f"{name}.name" if isinstance(getattr(training, name), OptimizerConfig | LossConfig) else name


def optimizer_of(training: TrainingConfig) -> OptimizerConfig:
    """Return the optimiser in its typed form."""
    given = training.optimizer
    return given if isinstance(given, OptimizerConfig) else OptimizerConfig(name=given)


def loss_of(training: TrainingConfig) -> LossConfig:
    """Return the loss in its typed form."""
    given = training.loss_function
    return given if isinstance(given, LossConfig) else LossConfig(name=given)


def optimizer_values(training: TrainingConfig) -> dict[str, Any]:
    """Return the settings of a typed optimiser; those that are not given are left out."""
    optimizer = optimizer_of(training)
    return {name: value for name in _OPTIMIZER if (value := getattr(optimizer, name)) is not None}


def scheduler_values(training: TrainingConfig) -> dict[str, Any]:
    """Return the schedule of a typed scheduler, both fields of it; empty where there is none."""
    scheduler = training.scheduler
    if not isinstance(scheduler, SchedulerConfig):
        return {}
    return {"schedule": scheduler.name, "warmup_steps": scheduler.warmup_steps}


def early_stopping_values(training: TrainingConfig) -> dict[str, Any]:
    """Return when to stop early, every field of it; empty where nobody says."""
    stopping = training.early_stopping
    if not isinstance(stopping, EarlyStoppingConfig):
        return {}
    return {"early_stopping": stopping.model_dump(mode="json")}
