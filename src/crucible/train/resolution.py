"""Where each value of a training comes from: the stage's option, else the document's training_config, else the default.

The stage's options are derived from `LoraConfig`, so they cannot drift from it. Whatever a training_config says is
carried out or refused by name here.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import Field, create_model

from crucible.backends.device import DEVICES, check_device
from crucible.errors import BackendError, MissingExtra, SpecErrors
from crucible.ir import Experiment, LoraConfig, ModelRef, TrainingConfig, did_you_mean
from crucible.pipeline import StageOptions

__all__ = ["SupervisedTrainOptions", "TrainNaming", "problems", "resolve"]


class TrainNaming(StageOptions):
    """The options of `supervised_train` beside those of `LoraConfig`."""

    model: str = Field(
        default="tuned", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the result, for evaluate."
    )
    dataset: str = Field(default="train", min_length=1, description="Dataset to train on: train or test.")


def _optional_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, field in LoraConfig.model_fields.items():
        kind: Any = field.annotation
        for constraint in field.metadata:
            kind = Annotated[kind, constraint]
        default = "" if field.is_required() else f" Default: {field.default}."
        fields[name] = (kind | None, Field(default=None, description=f"{field.description}{default}"))
    return fields


SupervisedTrainOptions: Final[type[TrainNaming]] = create_model(
    "SupervisedTrainOptions", __base__=TrainNaming, __doc__="Options of `supervised_train`.", **_optional_fields()
)
"""Options of `supervised_train`: every field of `LoraConfig`, None where not given, and the names."""

_PLAIN: Final = {
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

_METRICS: Final = ("loss", "accuracy")
_FRAMEWORKS: Final = ("nx", "torch", "pytorch", "transformers", "safetensors")
_MODEL_PROVIDERS: Final = ("local", "huggingface")


def resolve(experiment: Experiment, options: TrainNaming, items: int) -> LoraConfig:
    """Return the configuration that a stage trains with.

    Where only one of `epochs` and `max_steps` is given on a level, it replaces what a lower level says of the other:
    given `max_steps` cycles through the data until then, given `epochs` takes as many steps as they need. Within a
    training_config, its `options` are the more specific level.

    All fields of a training_config count as given, those with a default too: its full form is what is stored, hashed
    and resumed, and a default there (`batch_size` 32, `epochs` 1) wins over that of `LoraConfig`.

    Args:
        experiment: The document.
        options: The stage's.
        items: Items in the dataset, at least 1.

    Raises:
        SpecErrors: The values do not fit `LoraConfig`, such as a missing base model.
    """
    own = _given(options)
    shared = _shared(experiment)
    values = {**shared, **own}
    level = {name: 2 if name in own else 1 if name in shared else 0 for name in ("epochs", "max_steps")}
    if level["max_steps"] > level["epochs"]:
        values.pop("epochs", None)
    elif level["epochs"] > level["max_steps"]:
        batch_size = values.get("batch_size", LoraConfig.model_fields["batch_size"].default)
        values["max_steps"] = values["epochs"] * math.ceil(items / batch_size)
    return LoraConfig.read(values, source="supervised_train")


def problems(experiment: Experiment, options: TrainNaming) -> list[tuple[str, str]]:
    """Return what of a document's training cannot be carried out, as (path, message)."""
    found: list[tuple[str, str]] = []
    own = _given(options)
    if options.model == "base":
        found.append(("model", '"base" is the untuned model; give the result another name'))
    if experiment.training_config is not None:
        found += _training_problems(experiment.training_config, own)
    if not found:
        found += _value_problems(experiment, options, own)
    return found


def _given(options: TrainNaming) -> dict[str, Any]:
    values = options.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if name in LoraConfig.model_fields}


def _shared(experiment: Experiment) -> dict[str, Any]:
    """Return what the document says for all training stages, in the words of `LoraConfig`."""
    training = experiment.training_config
    if training is None:
        return {}
    values: dict[str, Any] = {"base_model": training.model_ref.artifact_uri or training.model_ref.id}
    for name, field in _PLAIN.items():
        value = getattr(training, name)
        if value is not None:
            values[field] = value
    specific = training.options or {}
    if specific.get("max_steps") is not None and specific.get("epochs") is None:
        del values["epochs"]
    return {**values, **specific}


def _training_problems(training: TrainingConfig, own: dict[str, Any]) -> list[tuple[str, str]]:
    found = _model_problems(training.model_ref, "model_ref") if "base_model" not in own else []
    found += _optimizer_problems(training, own)
    if training.loss_function != "cross_entropy":
        found.append(("loss_function", f"{training.loss_function} is not supported; use cross_entropy"))
    if training.mixed_precision:
        found.append(("mixed_precision", "is not supported; set it to false"))
    if training.early_stopping is not None:
        found.append(("early_stopping", "is not supported; keep: best hands out the best checkpoint"))
    known = ", ".join(_METRICS)
    found += [
        (f"metrics[{place}]", f"{metric} is not known; training follows: {known} (accuracy by the evaluate stage)")
        for place, metric in enumerate(training.metrics)
        if metric not in _METRICS
    ]
    if "device" not in own and training.device not in DEVICES:
        found.append(("device", f"{training.device} is not supported; use {', '.join(DEVICES)}"))
    found += _option_problems(training.options or {})
    return [(f"training_config.{path}", message) for path, message in found]


def _optimizer_problems(training: TrainingConfig, own: dict[str, Any]) -> list[tuple[str, str]]:
    if training.optimizer not in ("adam", "adamw"):
        return [("optimizer", f"{training.optimizer} is not supported; use adam or adamw")]
    decay = own.get("weight_decay", (training.options or {}).get("weight_decay", 0.0))
    if training.optimizer == "adam" and decay:
        return [("optimizer", f"adam has no decoupled weight decay; use adamw with weight_decay {decay}")]
    return []


def _option_problems(options: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in options:
        if name not in LoraConfig.model_fields:
            hint = did_you_mean(name, LoraConfig.model_fields)
            found.append((f"options.{name}", f"unknown key{hint}; it takes the options of supervised_train"))
        elif name in {"base_model", *_PLAIN.values()} and not (name == "epochs" and "max_steps" in options):
            found.append((f"options.{name}", "is a field of training_config; say it there"))
    return found


def _model_problems(model: ModelRef, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if model.provider not in _MODEL_PROVIDERS:
        message = f"{model.provider} is not supported; use {' or '.join(_MODEL_PROVIDERS)}"
        found.append((f"{path}.provider", message))
    if model.framework not in _FRAMEWORKS:
        message = f"{model.framework} is not supported; base models are PyTorch models in the layout of transformers"
        found.append((f"{path}.framework", message))
    if model.version is not None:
        found.append(
            (f"{path}.version", "revisions are not supported; download it and give its folder as artifact_uri")
        )
    if model.options:
        found.append((f"{path}.options", f"unknown: {', '.join(model.options)}; a base model takes no options"))
    return found


def _value_problems(experiment: Experiment, options: TrainNaming, own: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        config = resolve(experiment, options, items=1)
    except SpecErrors as errors:
        return [_placed(error.path, error.message) for error in errors.errors]
    if experiment.backend.id != "local" or config.device == "cpu":
        return []
    try:
        check_device(config.device)
    except BackendError as error:
        return [("device" if "device" in own else "training_config.device", str(error))]
    except MissingExtra:
        return []  # the run says what to install
    return []


def _placed(path: str, message: str) -> tuple[str, str]:
    """Return a problem of the merged values at the place it comes from; the stage's own options are checked already."""
    if path == "base_model":
        return path, "is required: name it here, or give the document a training_config"
    return f"training_config.options.{path}", message
