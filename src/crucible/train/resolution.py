"""Where each value of a training comes from: the stage's option, else the document's training_config, else the default.

The stage's options are derived from `LoraConfig`, so they cannot drift from it. Whatever a training_config says is
carried out or refused by name here.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, create_model

from crucible.data.base_refusals import device_problems
from crucible.errors import SpecErrors
from crucible.ir import Experiment, LoraConfig, Model, TrainingConfig
from crucible.pipeline import StageOptions
from crucible.train.feasibility import config_problems
from crucible.train.refusals import training_problems
from crucible.train.translation import place_of, values_of

__all__ = ["SupervisedTrainOptions", "TrainNaming", "optional_fields", "problems", "resolve"]


class TrainNaming(StageOptions):
    """The options of `supervised_train` beside those of `LoraConfig`."""

    model: str = Field(
        default="tuned", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the result, for evaluate."
    )
    dataset: str = Field(default="train", min_length=1, description="Dataset to train on: train or test.")
    on_missed_target: Literal["report", "fail"] = Field(
        default="report", description="A quality target is missed: say so, or fail the stage when all is saved."
    )


def optional_fields(kind_of: type[Model] = LoraConfig) -> dict[str, Any]:
    """Return the fields of a configuration for `create_model`, each None where it is not given.

    Args:
        kind_of: The configuration.
    """
    fields: dict[str, Any] = {}
    for name, field in kind_of.model_fields.items():
        kind: Any = field.annotation
        for constraint in field.metadata:
            kind = Annotated[kind, constraint]
        default = "" if field.is_required() else f" Default: {field.default}."
        described = f"{field.description}{default}"
        own = Field(default=None, description=described, validation_alias=field.validation_alias)
        fields[name] = (kind | None, own)
    return fields


SupervisedTrainOptions: Final[type[TrainNaming]] = create_model(
    "SupervisedTrainOptions", __base__=TrainNaming, __doc__="Options of `supervised_train`.", **optional_fields()
)
"""Options of `supervised_train`: every field of `LoraConfig`, None where not given, and the names."""


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
    shared = values_of(experiment.training_config) if experiment.training_config else {}
    values = {**shared, **own}
    level = {name: 2 if name in own else 1 if name in shared else 0 for name in ("epochs", "max_steps")}
    if level["max_steps"] > level["epochs"]:
        values.pop("epochs", None)
    elif level["epochs"] > level["max_steps"]:
        values["max_steps"] = _steps(values, items)
    return LoraConfig.read(values, source="supervised_train")


def problems(experiment: Experiment, options: TrainNaming) -> list[tuple[str, str]]:
    """Return what of a document's training cannot be carried out, as (path, message)."""
    found: list[tuple[str, str]] = []
    own, training = _given(options), experiment.training_config
    if options.model == "base":
        found.append(("model", '"base" is the untuned model; give the result another name'))
    if training is not None:
        is_evaluated = any(entry.enabled and entry.name == "evaluate" for entry in experiment.pipeline)
        found += training_problems(training, own, is_evaluated=is_evaluated)
    said = {path for path, _ in found}
    return found + [
        (path, message)
        for path, message in _value_problems(experiment, options, own)
        if not any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in said)
    ]


def _given(options: TrainNaming) -> dict[str, Any]:
    values = options.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if name in LoraConfig.model_fields}


def _steps(values: dict[str, Any], items: int) -> int:
    """Return the optimiser steps that the epochs take; a value that is no count is for `LoraConfig` to refuse."""
    sizes = (values.get(name, LoraConfig.model_fields[name].default) for name in ("batch_size", "accumulation_steps"))
    steps = items
    for size in sizes:
        steps = math.ceil(steps / size) if isinstance(size, int) and size > 0 else steps
    return values["epochs"] * steps if isinstance(values["epochs"], int) else steps


def _value_problems(experiment: Experiment, options: TrainNaming, own: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the values that won, each at the place that it comes from."""
    training = experiment.training_config
    try:
        config = resolve(experiment, options, items=1)
    except SpecErrors as errors:
        return [_placed(error.path, error.message, own, training) for error in errors.errors]
    found = config_problems(config, experiment.backend.id)
    found += device_problems(config.device, experiment.backend, "device")
    placed = [_placed(path, message, own, training) for path, message in found]
    if options.on_missed_target == "fail" and not config.quality_targets:
        placed.append(("on_missed_target", "fail needs quality_targets: without a target nothing is missed"))
    return placed


def _placed(path: str, message: str, own: dict[str, Any], training: TrainingConfig | None) -> tuple[str, str]:
    """Return a problem of the merged values at the place it comes from: the stage's option, or the training_config."""
    if path == "base_model":
        return path, "is required: name it here, or give the document a training_config"
    field = re.split(r"[.\[]", path, maxsplit=1)[0]
    place = None if field in own or training is None else place_of(training, field)
    return (path if place is None else f"training_config.{place}{path.removeprefix(field)}"), message
