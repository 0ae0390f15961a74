"""What a training_config asks for and training cannot do, each by its path with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from crucible.backends.device import DEVICES
from crucible.data.base_refusals import model_problems, unsupported_device
from crucible.errors import SpecErrors
from crucible.ir import LoraConfig, OptimizerConfig, SchedulerConfig, TrainingConfig, did_you_mean
from crucible.ir.wording_text import show
from crucible.train.translation import PLAIN, loss_of, optimizer_of, optimizer_values, scheduler_values

__all__ = ["training_problems"]

Problem = tuple[str, str]

_METRICS: Final = ("loss", "accuracy")
_OPTIMIZERS: Final = ("adam", "adamw")
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
        *_metrics(training, is_evaluated=is_evaluated),
        *_device(training, own),
        *_scheduler(training),
        *_options(training),
    ]
    return found + [(f"training_config.{path}", message) for path, message in more]


def _optimizer(training: TrainingConfig, own: Mapping[str, Any]) -> Iterator[Problem]:
    optimizer = optimizer_of(training)
    path = "optimizer.name" if isinstance(training.optimizer, OptimizerConfig) else "optimizer"
    if optimizer.name not in _OPTIMIZERS:
        hint = did_you_mean(optimizer.name, _OPTIMIZERS)
        yield path, f"{show(optimizer.name)} is not supported; use adam or adamw{hint}"
        return
    said = {**optimizer_values(training), **(training.options or {}), **own}
    decay = said.get("weight_decay")
    if optimizer.name == "adam" and decay:
        yield path, f"adam has no decoupled weight decay; use adamw with weight_decay {decay}"
    if optimizer.momentum is not None:
        yield "optimizer.momentum", f"{optimizer.name} has no momentum beside beta1; leave it out"
    default = TrainingConfig.model_fields["learning_rate"].default
    if optimizer.learning_rate is not None and training.learning_rate not in (default, optimizer.learning_rate):
        message = f"learning_rate is {training.learning_rate:g} in training_config; say it once"
        yield "optimizer.learning_rate", message


def _loss(training: TrainingConfig) -> Iterator[Problem]:
    loss, is_plain = loss_of(training), isinstance(training.loss_function, str)
    if loss.name != "cross_entropy":
        path = "loss_function" if is_plain else "loss_function.name"
        yield path, f"{show(loss.name)} is not supported; use cross_entropy"
    if loss.label_smoothing:
        yield "loss_function.label_smoothing", "label_smoothing is not supported; leave it out"


def _metrics(training: TrainingConfig, *, is_evaluated: bool) -> Iterator[Problem]:
    """Refuse metrics that nothing follows; the two of the default say what there is, and ask for nothing."""
    known = ", ".join(_METRICS)
    if not training.metrics:
        yield "metrics", "must name at least one metric: the loss is always followed; leave it out"
    asks_for_accuracy = set(training.metrics) != set(_METRICS)
    for place, metric in enumerate(training.metrics):
        if metric not in _METRICS:
            message = f"{show(metric)} is not known; training follows: {known} (accuracy by the evaluate stage)"
            yield f"metrics[{place}]", message
        elif metric == "accuracy" and asks_for_accuracy and not is_evaluated:
            yield f"metrics[{place}]", "nothing follows it: add the stage `evaluate`, or leave it out"


def _device(training: TrainingConfig, own: Mapping[str, Any]) -> Iterator[Problem]:
    if "device" not in own and training.device not in DEVICES:
        yield "device", unsupported_device(training.device)
    if training.mixed_precision:
        yield "mixed_precision", "is not supported; set it to false"
    if training.early_stopping is not None:
        yield "early_stopping", "is not supported; leave it out: keep: best hands out the best checkpoint"


def _scheduler(training: TrainingConfig) -> Iterator[Problem]:
    scheduler = training.scheduler
    if isinstance(scheduler, SchedulerConfig):
        if scheduler.name not in _SCHEDULES:
            hint = did_you_mean(scheduler.name, _SCHEDULES)
            yield "scheduler.name", f"{show(scheduler.name)} is not supported; use {', '.join(_SCHEDULES)}{hint}"
    elif scheduler is not None:
        try:
            SchedulerConfig.read(scheduler)
        except SpecErrors as errors:
            reason = "; ".join(str(error) for error in errors.errors)
            yield "scheduler", f"does not fit SchedulerConfig ({reason}); it has: name, warmup_steps"


def _options(training: TrainingConfig) -> Iterator[Problem]:
    options = training.options or {}
    typed = dict.fromkeys(optimizer_values(training), "optimizer")
    typed |= dict.fromkeys(scheduler_values(training), "scheduler")
    for name in options:
        path = f"options.{name}"
        if name not in LoraConfig.model_fields:
            hint = did_you_mean(name, LoraConfig.model_fields)
            yield path, f"unknown key{hint}; it takes the options of supervised_train"
        elif name in {"base_model", *PLAIN.values()} and not (name == "epochs" and "max_steps" in options):
            yield path, "is a field of training_config; say it there"
        elif name in typed:
            yield path, f"is said by training_config.{typed[name]} too; say it once"
