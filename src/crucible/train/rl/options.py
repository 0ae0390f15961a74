"""The options of `rl_train`, where each of their values comes from, and what of them cannot be carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field, create_model

from crucible.errors import SpecErrors
from crucible.ir import Experiment, LoraConfig, TrainingConfig, did_you_mean
from crucible.ir.wording_text import show
from crucible.train.earlier import earlier_model_problem
from crucible.train.reported import reported_metrics
from crucible.train.resolution import TrainNaming, optional_fields, problems
from crucible.train.rl.objective import validation_names
from crucible.train.rl.reward import reward_problem
from crucible.train.rl.settings import RLConfig, config_refusals
from crucible.train.translation import place_of, values_of

__all__ = ["RLNaming", "RLTrainOptions", "resolve_rl", "rl_problems"]

_NO_LIMIT: Final = 10**9
_LENGTHS: Final = ("epochs", "max_steps")


class RLNaming(TrainNaming):
    """The options of `rl_train` beside those of `LoraConfig` and `RLConfig`."""

    model: str = Field(
        default="rewarded", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the result, for evaluate."
    )
    reward_fn: str = Field(
        default="exact_match",
        min_length=1,
        description="What an answer is worth: a scorer's name, or package.module:function of code that is allowed.",
    )
    start_from: str | None = Field(
        default=None,
        min_length=1,
        description="A model that a stage before this one trained: training goes on from it; kl_coef keeps near it.",
    )


def _dropout() -> tuple[Any, Any]:
    """Return the option that has another default here: with dropout the ratio of training to sampling is noise."""
    kind, _ = optional_fields()["dropout"]
    return kind, Field(
        default=None,
        description="Dropout on the adapter's input. Default: 0.0 here, where it would disturb the ratio.",
        validation_alias=LoraConfig.model_fields["dropout"].validation_alias,
    )


_FIELDS: Final[dict[str, Any]] = {**optional_fields(), **optional_fields(RLConfig), "dropout": _dropout()}

RLTrainOptions: Final[type[RLNaming]] = create_model(
    "RLTrainOptions", __base__=RLNaming, __doc__="Options of `rl_train`.", **_FIELDS
)
"""Options of `rl_train`: every field of `LoraConfig` and of `RLConfig`, None where not given, and the names."""


def resolve_rl(experiment: Experiment, options: RLNaming, items: int) -> tuple[LoraConfig, RLConfig]:
    """Return the configuration that a stage trains with.

    As for `supervised_train`, the option wins over the document's training_config, which wins over the defaults; that
    of `dropout` is 0. How long it trains is said on the highest level that says anything of `episodes`, `epochs` or
    `max_steps`; of several there, the shortest counts.

    Args:
        experiment: The document.
        options: The stage's.
        items: Items in the dataset, at least 1.

    Raises:
        SpecErrors: The values do not fit.
    """
    own, given = _given(options, LoraConfig), _given(options, RLConfig)
    shared = values_of(experiment.training_config) if experiment.training_config else {}
    values: dict[str, Any] = {"dropout": 0.0, **shared, **own}
    settings = RLConfig.read(given, source="rl_train")
    is_own = settings.episodes is not None or any(name in own for name in _LENGTHS)
    says = {name for name in _LENGTHS if name in (own if is_own else shared)}
    if is_own or says:
        for name in _LENGTHS:
            if name not in says:
                values.pop(name, None)
        values.setdefault("max_steps", _NO_LIMIT)
    config = LoraConfig.read(values, source="rl_train")
    if config.max_steps < _NO_LIMIT:
        return config, settings
    return config.model_copy(update={"max_steps": settings.steps_in_all(config, items)}), settings


def rl_problems(experiment: Experiment, options: RLNaming) -> list[tuple[str, str]]:
    """Return what of a document's `rl_train` cannot be carried out, as (path, message)."""
    shared = values_of(experiment.training_config) if experiment.training_config else {}
    is_said = "dropout" in shared or "dropout" in _given(options, LoraConfig)
    found = [
        (path, message)
        for path, message in problems(experiment, options if is_said else options.model_copy(update={"dropout": 0.0}))
        if not path.endswith(("quality_targets", "early_stopping.metric"))  # of other metrics than these
    ]
    reward = reward_problem(options.reward_fn)
    if reward is not None:
        found.append(("reward_fn", reward))
    found += _start(experiment, options)
    try:
        config, settings = resolve_rl(experiment, options, items=1)
    except SpecErrors:  # said by `problems`, for RLConfig has no rule across fields of its own
        return found
    own, training = _given(options, LoraConfig), experiment.training_config
    more = [*config_refusals(config), *_metrics(config)]
    found += [(_path(path, own, training), message) for path, message in more]
    found += settings.problems()
    if settings.entropy_coef and experiment.backend.id == "tinker":
        found.append(("entropy_coef", "needs the whole distribution, which a service does not send; leave it out"))
    if settings.substeps > own.get("max_steps", settings.substeps):
        found.append(("substeps", f"an iteration takes {settings.substeps} steps and max_steps is {config.max_steps}"))
    return list(dict.fromkeys(found))


def _start(experiment: Experiment, options: RLNaming) -> Iterator[tuple[str, str]]:
    if options.start_from is not None:
        problem = earlier_model_problem(experiment, options.start_from, options.model)
        if problem is not None:
            yield "start_from", problem


def _metrics(config: LoraConfig) -> Iterator[tuple[str, str]]:
    reports = validation_names(("correct", "format"))
    known = reported_metrics(reports, held_out=config.validation_fraction > 0)
    for name in config.quality_targets or {}:
        if name not in (*known, "steps"):
            yield "quality_targets", _unknown(name, (*known, "steps"))
    if config.early_stopping is not None and known and config.early_stopping.metric not in known:
        yield "early_stopping.metric", _unknown(config.early_stopping.metric, known)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    if len(known) == 1 and name in reported_metrics(validation_names(("correct", "format")), held_out=True):
        return f"{show(name)} needs held-out items; set validation_fraction above 0"
    return f"{show(name)} is not reported by this training{did_you_mean(name, known)}; it reports: {', '.join(known)}"


def _path(path: str, own: dict[str, Any], training: TrainingConfig | None) -> str:
    field, _, rest = path.partition(".")
    if field in own or training is None:
        return path
    return f"training_config.{place_of(training, field)}" + (f".{rest}" if rest else "")


def _given(options: RLNaming, kind: type[LoraConfig] | type[RLConfig]) -> dict[str, Any]:
    values = options.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if name in kind.model_fields}
