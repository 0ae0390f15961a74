"""Events of kept weights: checkpoints saved and loaded, early stopping, models saved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

from crucible.trace.event import Event, EventFields
from crucible.trace.training.making import event_of, given, mapping, text, whole
from crucible.trace.training.making import path as as_path

__all__ = ["checkpoint_loaded", "checkpoint_saved", "early_stopped", "model_saved"]


def checkpoint_saved(
    path: str | os.PathLike[str],
    *,
    metrics: Mapping[str, Any] | None = None,
    epoch: int | None = None,
    step: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `checkpoint_saved`.

    Args:
        path: Where it lies.
        metrics: What was measured with it.
        epoch: The epoch after which it was saved.
        step: The step after which it was saved.
        **fields: Any other field of `Event`.
    """
    where = as_path("path", path)
    computed = {"path": where, **given(mapping, metrics=metrics), **given(whole, epoch=epoch, step=step)}
    return event_of("checkpoint_saved", f"Checkpoint saved to {where}", "Model checkpoint saved", computed, fields)


def checkpoint_loaded(
    path: str | os.PathLike[str], *, resume_epoch: int | None = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `checkpoint_loaded`.

    Args:
        path: Where it lies.
        resume_epoch: The epoch at which training goes on.
        **fields: Any other field of `Event`.
    """
    where = as_path("path", path)
    computed = {"path": where, **given(whole, resume_epoch=resume_epoch)}
    words = f"Checkpoint loaded from {where}"
    return event_of("checkpoint_loaded", words, "Model checkpoint loaded", computed, fields)


def early_stopped(
    reasoning: str,
    *,
    best_epoch: int | None = None,
    patience: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make an `early_stopped`.

    Args:
        reasoning: Why, such as `no better for 3 epochs`.
        best_epoch: The epoch that was best.
        patience: Epochs without improvement that were allowed.
        **fields: Any other field of `Event`.
    """
    computed = given(whole, best_epoch=best_epoch, patience=patience)
    return event_of("early_stopped", "Training stopped early", reasoning, computed, fields)


def model_saved(
    path: str | os.PathLike[str],
    *,
    model_name: str | None = None,
    version: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `model_saved`.

    Args:
        path: Where it lies.
        model_name: The model.
        version: Its version.
        metrics: What was measured with it.
        **fields: Any other field of `Event`.
    """
    where = as_path("path", path)
    about = given(text, model_name=model_name, version=version) | given(mapping, metrics=metrics)
    return event_of("model_saved", f"Model saved to {where}", "Finished model saved", {"path": where, **about}, fields)
