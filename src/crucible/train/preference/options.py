"""The options of `dpo_train`, what they make together, and what of them cannot be carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import Field, create_model

from crucible.errors import SpecErrors
from crucible.ir import Experiment, LoraConfig, did_you_mean
from crucible.ir.wording_text import show
from crucible.train.earlier import earlier_model_problem
from crucible.train.preference.objective import validation_metrics
from crucible.train.preference.settings import PreferenceConfig
from crucible.train.reported import reported_metrics
from crucible.train.resolution import TrainNaming, optional_fields, problems, resolve
from crucible.train.translation import place_of

__all__ = ["DPOTrainOptions", "PreferenceNaming", "preference_problems", "resolve_preference"]

Problem = tuple[str, str]

_AT_THE_END: Final = ("initial_loss", "final_loss", "loss_reduction", "steps")
_SUPERVISED: Final = {
    "loss": "the loss of a preference training is its loss_type",
    "train_on": "the answers that are compared are what is trained on",
}


class PreferenceNaming(TrainNaming):
    """The options of `dpo_train` beside those of `LoraConfig` and `PreferenceConfig`."""

    model: str = Field(
        default="preferred", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the result, for evaluate."
    )
    start_from: str | None = Field(
        default=None,
        min_length=1,
        description="A model that a stage before this one trained: training goes on from it, and it is the reference.",
    )
    rejected_from: str | None = Field(
        default=None,
        min_length=1,
        description="A model before this stage, or base: its wrong answers are rejected where an item has none.",
    )
    rejected_max_tokens: int = Field(default=64, ge=1, description="With rejected_from: most tokens of its answers.")


DPOTrainOptions: Final[type[PreferenceNaming]] = create_model(
    "DPOTrainOptions",
    __base__=PreferenceNaming,
    __doc__="Options of `dpo_train`.",
    **{**optional_fields(), **optional_fields(PreferenceConfig)},
)
"""Options of `dpo_train`: every field of `LoraConfig` and `PreferenceConfig`, None where not given, and the names."""


def resolve_preference(
    experiment: Experiment, options: PreferenceNaming, items: int
) -> tuple[LoraConfig, PreferenceConfig]:
    """Return how the adapter is trained, and on preferences of which kind.

    Args:
        experiment: The document; its training_config says the rest of the first.
        options: The stage's.
        items: Items in the dataset, at least 1.

    Raises:
        SpecErrors: The values do not fit.
    """
    return resolve(experiment, options, items), _settings(options)


def preference_problems(experiment: Experiment, options: PreferenceNaming) -> list[Problem]:
    """Return what of a document's preference training cannot be carried out, as (path, message)."""
    found = [
        (path, message)
        for path, message in problems(experiment, options)
        if not path.endswith(("quality_targets", "early_stopping.metric"))  # of other metrics than these
    ]
    found += _models(experiment, options)
    try:
        settings = _settings(options)
    except SpecErrors as errors:
        return found + [(error.path, error.message) for error in errors.errors]
    found += _reference(settings)
    try:
        config = resolve(experiment, options, items=1)
    except SpecErrors:
        return found  # it is said above why
    placed = (_placed(experiment, options, *each) for each in (*_supervised(config), *_metrics(config, settings)))
    return list(dict.fromkeys([*found, *placed]))


def _settings(options: PreferenceNaming) -> PreferenceConfig:
    given = options.model_dump(mode="json", exclude_none=True)
    values = {name: value for name, value in given.items() if name in PreferenceConfig.model_fields}
    return PreferenceConfig.read(values, source="dpo_train")


def _supervised(config: LoraConfig) -> Iterator[Problem]:
    for field, why in _SUPERVISED.items():
        if getattr(config, field) != LoraConfig.model_fields[field].default:
            yield field, f"is of supervised training; leave it out: {why}"


def _models(experiment: Experiment, options: PreferenceNaming) -> Iterator[Problem]:
    """Refuse models that no stage before this one trains."""
    for path, wanted in (("start_from", options.start_from), ("rejected_from", options.rejected_from)):
        if wanted is None or (path, wanted) == ("rejected_from", "base"):
            continue
        problem = earlier_model_problem(experiment, wanted, options.model)
        if problem is not None:
            yield path, problem
    if options.rejected_from is None and "rejected_max_tokens" in options.model_fields_set:
        yield "rejected_max_tokens", "is of rejected_from, which is not given; leave it out"


def _reference(settings: PreferenceConfig) -> Iterator[Problem]:
    named = settings.reference_model
    if named is not None and named.startswith(("/", "./", "../", "~")) and not Path(named).expanduser().is_dir():
        yield "reference_model", f"there is no folder {show(named)}; name a base model, or the folder of an adapter"


def _metrics(config: LoraConfig, settings: PreferenceConfig) -> Iterator[Problem]:
    validated = reported_metrics(validation_metrics(settings), held_out=config.validation_fraction > 0)
    known = (*validated, *_AT_THE_END)
    for name in config.quality_targets or {}:
        if name not in known:
            yield "quality_targets", _unknown(name, known, settings)
    stopping = config.early_stopping
    if stopping is not None and validated and stopping.metric not in validated:
        yield "early_stopping.metric", _unknown(stopping.metric, validated, settings)


def _unknown(name: str, known: tuple[str, ...], settings: PreferenceConfig) -> str:
    if name in validation_metrics(settings):
        return f"{show(name)} needs held-out items; set validation_fraction above 0"
    return f"{show(name)} is not reported by this training{did_you_mean(name, known)}; it reports: {', '.join(known)}"


def _placed(experiment: Experiment, options: PreferenceNaming, path: str, message: str) -> Problem:
    """Return a problem of the merged values where it comes from: the stage's option, or the training_config."""
    field, _, rest = path.partition(".")
    given: Any = getattr(options, field)
    training = experiment.training_config
    place = None if training is None or given is not None else place_of(training, field)
    return (path if place is None else f"training_config.{place}" + (f".{rest}" if rest else "")), message
