"""What a training_config asks for and training cannot do, each by its path with what to do.

What depends on a stage's own options as well is for `feasibility`, which looks at the configuration they make together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from crucible.backends.device import DEVICES
from crucible.data.base_refusals import model_problems, unsupported_device
from crucible.errors import SpecErrors
from crucible.ir import (
    EarlyStoppingConfig,
    LoraConfig,
    Model,
    OptimizerConfig,
    SchedulerConfig,
    TrainingConfig,
    did_you_mean,
)
from crucible.ir.spelling import in_first_names, names_of
from crucible.ir.wording_text import show
from crucible.train.translation import FIELDS, loss_of, optimizer_of, optimizer_values, scheduler_values, values_of

__all__ = ["training_problems"]

Problem = tuple[str, str]

_METRICS: Final = ("loss", "accuracy")
_HELD_OUT: Final = ("validation_loss", "validation_perplexity")
_OPTIMIZERS: Final[tuple[str, ...]] = get_args(LoraConfig.model_fields["optimizer"].annotation)
_SCHEDULES: Final[tuple[str, ...]] = get_args(LoraConfig.model_fields["schedule"].annotation)


def training_problems(training: TrainingConfig, own: Mapping[str, Any], *, is_evaluated: bool = True) -> list[Problem]:
    """Return every problem as (path, what to do), in the order of the document's fields.

    Args:
        training: The document's.
        own: What the stage itself was told, by field of `LoraConfig`; it makes up for the document.
        is_evaluated: Whether a stage of the run evaluates, which is what follows the accuracy.
    """
    found = [] if "base_model" in own else model_problems(training.model_ref, "training_config.model_ref")
    more = [
        *_optimizer(training, own),
        *_loss(training),
        *_metrics(training, own, is_evaluated=is_evaluated),
        *_device(training, own),
        *_typed("early_stopping", training.early_stopping, EarlyStoppingConfig),
        *_scheduler(training, own),
        *_options(training),
    ]
    return found + [(f"training_config.{path}", message) for path, message in more]


def _optimizer(training: TrainingConfig, own: Mapping[str, Any]) -> Iterator[Problem]:
    optimizer = optimizer_of(training)
    path = "optimizer.name" if isinstance(training.optimizer, OptimizerConfig) else "optimizer"
    if optimizer.name not in _OPTIMIZERS and "optimizer" not in own:
        hint = did_you_mean(optimizer.name, _OPTIMIZERS)
        yield path, f"{show(optimizer.name)} is not supported; use {', '.join(_OPTIMIZERS)}{hint}"
    default = TrainingConfig.model_fields["learning_rate"].default
    if optimizer.learning_rate is not None and training.learning_rate not in (default, optimizer.learning_rate):
        message = f"learning_rate is {training.learning_rate:g} in training_config; say it once"
        yield "optimizer.learning_rate", message


def _loss(training: TrainingConfig) -> Iterator[Problem]:
    if loss_of(training).label_smoothing:
        message = "label_smoothing is not supported: the losses look at the targets' own probabilities; leave it out"
        yield "loss_function.label_smoothing", message


def _metrics(training: TrainingConfig, own: Mapping[str, Any], *, is_evaluated: bool) -> Iterator[Problem]:
    """Refuse metrics that nothing follows; the two of the default say what there is, and ask for nothing."""
    values = {**values_of(training), **own}
    held_out = _HELD_OUT if values["loss"] == "cross_entropy" else _HELD_OUT[:1]
    followed = ("loss", "gradient_norm", *(held_out if values.get("validation_fraction") else ()))
    if not training.metrics:
        yield "metrics", "must name at least one metric: the loss is always followed; leave it out"
    asks_for_accuracy = set(training.metrics) != set(_METRICS)
    for place, metric in enumerate(training.metrics):
        if metric == "accuracy":
            if asks_for_accuracy and not is_evaluated:
                yield f"metrics[{place}]", "nothing follows it: add the stage `evaluate`, or leave it out"
        elif metric in held_out and metric not in followed:
            yield f"metrics[{place}]", f"{metric} needs held-out items; set validation_split above 0, or leave it out"
        elif metric not in followed:
            known = ", ".join((*followed, "accuracy"))
            hint = did_you_mean(metric, (*followed, "accuracy"))
            message = f"{show(metric)} is not known; training follows: {known} (accuracy by the evaluate stage){hint}"
            yield f"metrics[{place}]", message


def _device(training: TrainingConfig, own: Mapping[str, Any]) -> Iterator[Problem]:
    if "device" not in own and training.device not in DEVICES:
        yield "device", unsupported_device(training.device)


def _scheduler(training: TrainingConfig, own: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _typed("scheduler", training.scheduler, SchedulerConfig)
    scheduler = training.scheduler
    if isinstance(scheduler, SchedulerConfig) and scheduler.name not in _SCHEDULES and "schedule" not in own:
        hint = did_you_mean(scheduler.name, _SCHEDULES)
        yield "scheduler.name", f"{show(scheduler.name)} is not supported; use {', '.join(_SCHEDULES)}{hint}"


def _typed(path: str, given: Model | Mapping[str, Any] | None, kind: type[Model]) -> Iterator[Problem]:
    """Refuse a part that was kept as a plain map because it fits no type."""
    if given is None or isinstance(given, Model):
        return
    try:
        kind.read(given)
    except SpecErrors as errors:
        reason = "; ".join(str(error) for error in errors.errors)
        fields = ", ".join(name for name in kind.model_fields if name != "extra")
        yield path, f"does not fit {kind.__name__} ({reason}); it has: {fields}"


def _options(training: TrainingConfig) -> Iterator[Problem]:
    options = training.options or {}
    typed = dict.fromkeys(optimizer_values(training), "optimizer")
    typed |= dict.fromkeys(scheduler_values(training), "scheduler")
    known = [each for name, field in LoraConfig.model_fields.items() for each in names_of(name, field)]
    for given in options:
        path = f"options.{given}"
        (name,) = in_first_names(LoraConfig, {given: None})
        if name not in LoraConfig.model_fields:
            yield path, f"unknown key{did_you_mean(given, known)}; it takes the options of supervised_train"
        elif name in FIELDS and not (name == "epochs" and "max_steps" in options):
            place = FIELDS[name]
            yield path, f"is a field of training_config{'' if place == given else f' ({place})'}; say it there"
        elif name != given and name in options:
            yield path, f"is another name of {name}, which is given, too; leave one of them out"
        elif name in typed:
            yield path, f"is said by training_config.{typed[name]} too; say it once"
