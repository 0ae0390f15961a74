"""The options of the stage `distillation`, what they make together, and what of them cannot be carried out.

They are derived from `LoraConfig` and `DistillConfig`, so they cannot drift from them. One name is in both: `alpha` is
the teacher's share here, and the adapter's scale goes by its other name, `lora_alpha`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field, create_model

from crucible.ir import Experiment, LoraConfig, Model, did_you_mean
from crucible.ir.model import Seq
from crucible.ir.wording_text import show
from crucible.train.distillation.opening import OF_THE_RUN
from crucible.train.distillation.settings import DistillConfig, config_refusals
from crucible.train.earlier import earlier_model_problem
from crucible.train.reported import reported_metrics
from crucible.train.resolution import SupervisedTrainOptions, TrainNaming, optional_fields, problems, resolve
from crucible.train.translation import place_of

__all__ = ["DistillNaming", "DistillationOptions", "TeacherRef", "distillation_problems", "resolve_distillation"]

Problem = tuple[str, str]

_TEACHER: Final = (
    "A base model (built-in name, folder or hub id), a folder with a saved adapter, or sampler.<model> of this run."
)
_AT_THE_END: Final = ("initial_loss", "final_loss", "loss_reduction", "steps")


class TeacherRef(Model):
    """One of several teachers."""

    model: str = Field(min_length=1, description=_TEACHER)
    weight: float = Field(default=1.0, gt=0, description="Its share beside the others'; they need not sum to 1.")


class DistillNaming(TrainNaming):
    """The options of `distillation` beside those of `LoraConfig` and `DistillConfig`."""

    model: str = Field(
        default="distilled", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the result, for evaluate."
    )
    teacher_model: str | None = Field(default=None, min_length=1, description=_TEACHER)
    teachers: Seq[TeacherRef] | None = Field(
        default=None, min_length=1, description="Several teachers, whose probabilities are mixed by their weights."
    )
    student_model: str | None = Field(
        default=None, min_length=1, description="Base model of the student: another name of base_model."
    )
    targets_cache: str | None = Field(
        default=None,
        min_length=1,
        description="Off-policy: folder to keep what teachers say for other runs; null: in the run.",
    )

    @property
    def asked_teachers(self) -> tuple[TeacherRef, ...]:
        """Every teacher that is named, by either option."""
        one = () if self.teacher_model is None else (TeacherRef(model=self.teacher_model),)
        return (*one, *(self.teachers or ()))


def _fields() -> dict[str, Any]:
    lora = optional_fields(LoraConfig)
    kind, field = lora.pop("alpha")
    lora["lora_alpha"] = kind, Field(default=None, description=field.description)
    return {**lora, **optional_fields(DistillConfig)}


DistillationOptions: Final[type[DistillNaming]] = create_model(
    "DistillationOptions", __base__=DistillNaming, __doc__="Options of `distillation`.", **_fields()
)
"""Options of `distillation`: every field of `LoraConfig` and `DistillConfig`, None where not given, and the names."""


def resolve_distillation(
    experiment: Experiment, options: DistillNaming, items: int
) -> tuple[LoraConfig, DistillConfig]:
    """Return how the student is trained, and how it is distilled.

    Args:
        experiment: The document.
        options: The stage's.
        items: Items in the dataset, at least 1.

    Raises:
        SpecErrors: The values do not fit, such as a missing base model.
    """
    return resolve(experiment, _as_training(options), items), _settings(options)


def distillation_problems(experiment: Experiment, options: DistillNaming) -> list[Problem]:
    """Return what of a document's distillation cannot be carried out, as (path, message)."""
    found = [(_own_path(path, options), message) for path, message in problems(experiment, _as_training(options))]
    about_metrics = ("quality_targets", "early_stopping.metric", "training_config.options.quality_targets")
    found = [(path, message) for path, message in found if path not in about_metrics]
    settings = _settings(options)
    followed = experiment.training_config.metrics if experiment.training_config is not None else ()
    if "validation_perplexity" in followed:
        said = "validation_perplexity is not reported by a distillation, whose loss is a divergence; leave it out"
        found.append(("training_config.metrics", said))
    found += [*settings.problems(), *_students(options), *_teachers(experiment, options)]
    if settings.mode == "on_policy" and options.targets_cache is not None:
        found.append(
            ("targets_cache", "keeps nothing in mode: on_policy, whose answers are new each time; leave it out")
        )
    try:
        config = resolve(experiment, _as_training(options), items=1)
    except ValueError:
        return found  # it is said above why
    return [
        *found,
        *(_placed(experiment, options, *each) for each in config_refusals(config, settings)),
        *_metrics(config, settings),
    ]


def _placed(experiment: Experiment, options: DistillNaming, field: str, message: str) -> Problem:
    training = experiment.training_config
    place = None if training is None or getattr(options, field) is not None else place_of(training, field)
    return (field if place is None else f"training_config.{place}"), message


def _settings(options: DistillNaming) -> DistillConfig:
    given = options.model_dump(mode="json", exclude_none=True)
    return DistillConfig.read({name: given[name] for name in DistillConfig.model_fields if name in given})


def _as_training(options: DistillNaming) -> TrainNaming:
    """Return the options that are those of a training, by the names that they have there."""
    given = options.model_dump(mode="json", exclude_none=True)
    own = {name: given[name] for name in LoraConfig.model_fields if name in given and name != "alpha"}
    if "lora_alpha" in given:
        own["alpha"] = given["lora_alpha"]
    if options.student_model is not None:
        own["base_model"] = options.student_model
    naming = {name: given[name] for name in TrainNaming.model_fields}
    return SupervisedTrainOptions.model_validate({**naming, **own})


def _own_path(path: str, options: DistillNaming) -> str:
    if path == "alpha":
        return "lora_alpha"
    return "student_model" if path == "base_model" and options.student_model is not None else path


def _students(options: DistillNaming) -> Iterator[Problem]:
    base: str | None = getattr(options, "base_model", None)
    if None not in (base, options.student_model) and base != options.student_model:
        yield "student_model", f"is {options.student_model} and base_model is {base}; they mean the same, say it once"


def _teachers(experiment: Experiment, options: DistillNaming) -> Iterator[Problem]:
    if not options.asked_teachers:
        yield "teacher_model", f"is required, or teachers: whom to learn from. {_TEACHER}"
    if options.teacher_model is not None and options.teachers is not None:
        yield "teachers", "teacher_model is given, too; name every teacher in one of them"
    for place, teacher in enumerate(options.asked_teachers):
        wanted = teacher.model.removeprefix(OF_THE_RUN)
        if wanted == teacher.model:
            continue
        path = "teacher_model" if options.teachers is None else f"teachers[{place}].model"
        problem = None if wanted == "base" else earlier_model_problem(experiment, wanted, options.model)
        if problem is not None:
            yield path, problem


def _metrics(config: LoraConfig, settings: DistillConfig) -> Iterator[Problem]:
    parts = () if settings.mode == "on_policy" or settings.alpha == 0 else (settings.divergence, "cross_entropy")
    reports = ("validation_loss", *(f"validation_{part}" for part in parts))
    validated = reported_metrics(reports, held_out=config.validation_fraction > 0)
    for name in config.quality_targets or {}:
        if name not in (known := (*validated, *_AT_THE_END)):
            yield "quality_targets", _unknown(name, known)
    stopping = config.early_stopping
    if stopping is not None and validated and stopping.metric not in validated:
        yield "early_stopping.metric", _unknown(stopping.metric, validated)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    return (
        f"{show(name)} is not reported by this distillation{did_you_mean(name, known)}; it reports: {', '.join(known)}"
    )
