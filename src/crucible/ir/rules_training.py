"""Rules of training: what is watched must be measured, and a run tells how it ended."""

from __future__ import annotations

from collections.abc import Iterable

from crucible.ir.issue import Issue
from crucible.ir.lora import LoraConfig
from crucible.ir.rules import error, rule, warning
from crucible.ir.training import EarlyStoppingConfig, OptimizerConfig, TrainingConfig, TrainingRun

__all__ = ["early_stopping", "ending", "held_out", "learning_rate"]

_HELD_OUT = ("validation_", "val_", "eval_")


@rule(TrainingConfig)
def early_stopping(config: TrainingConfig) -> Iterable[Issue]:
    """A metric of held-out examples needs examples that are held out."""
    stopping = config.early_stopping
    if (
        isinstance(stopping, EarlyStoppingConfig)
        and stopping.metric.startswith(_HELD_OUT)
        and not config.validation_split
    ):
        message = (
            f"early_stopping watches {stopping.metric}, and validation_split holds no examples out to measure it on"
        )
        yield warning("early_stopping", "mismatch", message)


@rule(LoraConfig)
def held_out(config: LoraConfig) -> Iterable[Issue]:
    """Validations need items that are held out."""
    if config.validation_fraction == 0:
        for name in ("eval_every", "early_stopping"):
            if getattr(config, name) is not None:
                message = f"{name} needs held-out items to go by; set validation_fraction above 0"
                yield error(name, "mismatch", message)


@rule(TrainingConfig)
def learning_rate(config: TrainingConfig) -> Iterable[Issue]:
    """The learning rate is said once."""
    optimizer = config.optimizer
    default = TrainingConfig.model_fields["learning_rate"].default  # the full form of a document always says it
    if isinstance(optimizer, OptimizerConfig) and config.learning_rate != default:
        other = optimizer.learning_rate
        if other is not None and other != config.learning_rate:
            message = (
                f"learning_rate must be that of the training ({config.learning_rate:g}), or left out, got {other:g}"
            )
            yield error("optimizer.learning_rate", "mismatch", message)


@rule(TrainingRun)
def ending(run: TrainingRun) -> Iterable[Issue]:
    """Time goes forward, and a run that ended says when and why."""
    if run.started_at and run.completed_at and run.completed_at < run.started_at:
        message = f"completed_at must not be before started_at, got {run.completed_at.isoformat()}"
        yield error("completed_at", "order", message)
    if run.status == "failed" and not run.error_message:
        yield warning("error_message", "missing", "error_message should say why, because status is failed")
    if run.status == "completed" and run.completed_at is None:
        yield warning("completed_at", "missing", "completed_at should say when, because status is completed")
    if run.status in ("pending", "running") and run.completed_at is not None:
        message = (
            f"completed_at is set, and status is {run.status}: a run that has ended is completed, failed or cancelled"
        )
        yield warning("completed_at", "mismatch", message)
