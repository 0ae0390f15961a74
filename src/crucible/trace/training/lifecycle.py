"""Events of a training's course: its start and end, epochs, batches, hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from crucible.trace.event import Event, EventFields
from crucible.trace.plain import plain
from crucible.trace.training.making import computed_over, event_of, given, mapping, number, present, text, whole

__all__ = [
    "batch_processed",
    "epoch_completed",
    "epoch_started",
    "hyperparameter_tuned",
    "training_completed",
    "training_failed",
    "training_started",
]


def training_started(
    decision: str,
    reasoning: str,
    *,
    model_name: str | None = None,
    dataset: str | None = None,
    config: Mapping[str, Any] | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `training_started`.

    Args:
        decision: What is trained, and how.
        reasoning: Why.
        model_name: The model.
        dataset: What it is trained on.
        config: Settings of the training.
        **fields: Any other field of `Event`.
    """
    computed = given(text, model_name=model_name, dataset=dataset) | given(mapping, config=config)
    return event_of("training_started", decision, reasoning, computed, fields)


def training_completed(
    decision: str,
    reasoning: str,
    *,
    final_loss: float | None = None,
    final_accuracy: float | None = None,
    total_epochs: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `training_completed`.

    Args:
        decision: What came out.
        reasoning: Why it ended.
        final_loss: The last loss.
        final_accuracy: The last accuracy, from 0 to 1.
        total_epochs: Epochs done.
        **fields: Any other field of `Event`.
    """
    measured = given(number, final_loss=final_loss, final_accuracy=final_accuracy)
    computed = measured | given(whole, total_epochs=total_epochs)
    return event_of("training_completed", decision, reasoning, computed, fields)


def training_failed(
    decision: str,
    reasoning: str,
    *,
    error_type: str | None = None,
    error: str | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `training_failed`.

    Args:
        decision: What failed.
        reasoning: Why.
        error_type: Name of the error's class.
        error: The error's message.
        epoch: The epoch in which it failed.
        step: The step at which it failed.
        **fields: Any other field of `Event`.
    """
    computed = given(text, error_type=error_type, error=error) | given(whole, epoch=epoch, step=step)
    return event_of("training_failed", decision, reasoning, computed, fields)


def epoch_started(epoch: int, *, total_epochs: int | None = None, **fields: Unpack[EventFields]) -> Event:
    """Make an `epoch_started`.

    Args:
        epoch: Its number, as the caller counts.
        total_epochs: How many are planned.
        **fields: Any other field of `Event`.
    """
    epoch = whole("epoch", epoch)
    computed = {"epoch": epoch, **given(whole, total_epochs=total_epochs)}
    return event_of("epoch_started", f"Epoch {epoch} started", "Training epoch begun", computed, fields)


def epoch_completed(epoch: int, metrics: Mapping[str, Any], **fields: Unpack[EventFields]) -> Event:
    """Make an `epoch_completed`.

    Args:
        epoch: Its number, as the caller counts.
        metrics: What was measured; each becomes a key of the metadata.
        **fields: Any other field of `Event`.
    """
    epoch = whole("epoch", epoch)
    computed = computed_over({"epoch": epoch}, mapping("metrics", metrics))
    return event_of("epoch_completed", f"Epoch {epoch} completed", "Training epoch finished", computed, fields)


def batch_processed(
    batch: int, metrics: Mapping[str, Any], *, epoch: int | None = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `batch_processed`.

    Args:
        batch: Its number, as the caller counts.
        metrics: What was measured; each becomes a key of the metadata.
        epoch: The epoch in which it was.
        **fields: Any other field of `Event`.
    """
    batch = whole("batch", batch)
    computed = computed_over({"batch": batch, **given(whole, epoch=epoch)}, mapping("metrics", metrics))
    return event_of("batch_processed", f"Batch {batch} processed", "Training batch finished", computed, fields)


def hyperparameter_tuned(
    name: str, value: Any, reasoning: str, *, previous: Any = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `hyperparameter_tuned`.

    Args:
        name: Which one, such as `learning_rate`.
        value: What it is now.
        reasoning: Why.
        previous: What it was, if it had a value.
        **fields: Any other field of `Event`.
    """
    name = text("name", name)
    computed = {"name": name, "value": plain(value), **present(previous=previous)}
    return event_of("hyperparameter_tuned", f"{name} set to {plain(value)}", reasoning, computed, fields)
