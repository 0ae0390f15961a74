"""What is said where a loss or a gradient is no number: the step, the items, and the last checkpoint that is good.

A checkpoint is written before anybody has computed a loss with its weights, so the newest one may hold the very weights
that give none. Good are those that a later step or a validation got a number from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.errors import NonFiniteLoss
from crucible.train.checkpoints import CheckpointFolder

__all__ = ["check_present", "gradient_failed", "loss_failed"]


def loss_failed(loss: float, step: int, item_ids: Sequence[str], checkpoints: CheckpointFolder) -> NonFiniteLoss:
    """Return the error for a batch's loss that is no number: the weights after the step before it gave it."""
    good = _last_good(checkpoints, step - 1)
    return NonFiniteLoss(
        f"the loss became {loss} at step {step}, on the items {', '.join(item_ids)}; {good}", step=step
    )


def gradient_failed(
    what: str, loss: float, step: int, item_ids: Sequence[str], checkpoints: CheckpointFolder
) -> NonFiniteLoss:
    """Return the error for a gradient that is no number, though the loss is one.

    Args:
        what: What is wrong with it, in words.
        loss: Of the step.
        step: The step that was not taken.
        item_ids: All that the gradient is of.
        checkpoints: Those of the training.
    """
    said = f"the loss is {loss:.4g} but {what} at step {step}, on the items {', '.join(item_ids)}"
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


def _last_good(checkpoints: CheckpointFolder, below: int) -> str:
    """Return in words which checkpoint is good: the newest before a step, or one that was validated."""
    there = checkpoints.checkpoints()
    good = [each for each in there if each.step < below or "validation_loss" in each.metrics]
    if good:
        return f"the last good checkpoint is {good[-1].local_path}; lower the learning rate"
    if there:
        return f"no good checkpoint was saved before it: {there[-1].local_path} holds the weights that gave it"
    return "no checkpoint was saved before it; lower the learning rate"
