"""What is said where a loss or a gradient is no number: the step, the items, and the last checkpoint that is good.

A checkpoint is written before anybody has computed a loss with its weights, so the newest one may hold the very weights
that give none. Good are those that a later step or a validation got a number from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from crucible.errors import NonFiniteLoss
from crucible.train.checkpoints import CheckpointFolder

__all__ = ["check_measured", "check_present", "gradient_failed", "loss_failed"]


_AGAIN: Final = "train into another workspace with a lower learning_rate"
_FROM_THERE: Final = "(Trainer.start(..., adapter=<that checkpoint>) begins with its weights)"


def loss_failed(loss: float, step: int, item_ids: Sequence[str], checkpoints: CheckpointFolder) -> NonFiniteLoss:
    """Return the error for a batch's loss that is no number: the weights after the step before it gave it."""
    good = _last_good(checkpoints, step - 1)
    return NonFiniteLoss(
        f"the loss became {loss} at step {step}, on the items {', '.join(item_ids)}; {good}", step=step
    )


def gradient_failed(
    what: str, loss: float | None, step: int, item_ids: Sequence[str], checkpoints: CheckpointFolder
) -> NonFiniteLoss:
    """Return the error for a gradient that is no number, or for a loss that was refused where it was computed.

    Args:
        what: What is wrong with it, in words.
        loss: Of the step, where that is a number; None where it is what is wrong.
        step: The step that was not taken.
        item_ids: All that the gradient is of.
        checkpoints: Those of the training.
    """
    but = "" if loss is None else f"the loss is {loss:.4g} but "
    said = f"{but}{what} at step {step}, on the items {', '.join(item_ids)}"
    return NonFiniteLoss(f"{said}; {_last_good(checkpoints, step)}", step=step)


def check_present(what: str, loss: float, step: int, checkpoints: CheckpointFolder) -> None:
    """Refuse a loss of the present weights that is no number.

    Args:
        what: Which loss it is, in words.
        loss: The loss.
        step: Steps taken so far.
        checkpoints: Those of the training.

    Raises:
        NonFiniteLoss: It is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    if step == 0:
        raise NonFiniteLoss(f"{what} is {loss} before the first step; look at the base model and the items", step=0)
    raise NonFiniteLoss(f"{what} became {loss} at step {step}; {_last_good(checkpoints, step)}", step=step)


def check_measured(metrics: Mapping[str, float], step: int) -> None:
    """Refuse a metric of an objective that is no finite number, before it is written anywhere.

    Raises:
        NonFiniteLoss: One is NaN or infinite, or no number at all.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFiniteLoss(f"{name} became {value} at step {step}", step=step)


def _last_good(checkpoints: CheckpointFolder, below: int) -> str:
    """Return in words which checkpoint is good: the newest before a step, or one that was validated."""
    there = checkpoints.checkpoints()
    good = [each for each in there if each.step < below or "validation_loss" in each.metrics]
    if good:
        found = f"the last good checkpoint is {good[-1].local_path}; to resume would take the same steps again"
        return f"{found}, so {_AGAIN} {_FROM_THERE}"
    if there:
        found = f"no good checkpoint was saved before it: {there[-1].local_path} holds the weights that gave it"
        return f"{found}; {_AGAIN}"
    return f"no checkpoint was saved before it; {_AGAIN}"
