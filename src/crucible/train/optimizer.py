"""What an optimiser step is asked for: the configuration's optimiser with the learning rate of that step."""

from __future__ import annotations

from crucible.backends import AdamParams, OptimizerParams, RmspropParams, SgdParams
from crucible.ir import LoraConfig

__all__ = ["step_params"]


def step_params(config: LoraConfig, learning_rate: float) -> OptimizerParams:
    """Return the settings of one step.

    The weight decay of `adamw` is taken off the weights themselves; that of the others is part of the gradient.

    Args:
        config: Which optimiser, its decay rates, its weight decay, the largest gradient norm.
        learning_rate: Of this step, 0 or more.
    """
    decay, clip = config.weight_decay, config.grad_clip_norm
    if config.optimizer == "sgd":
        return SgdParams(learning_rate=learning_rate, momentum=config.momentum, weight_decay=decay, grad_clip_norm=clip)
    if config.optimizer == "rmsprop":
        return RmspropParams(
            learning_rate=learning_rate,
            momentum=config.momentum,
            eps=config.eps,
            weight_decay=decay,
            grad_clip_norm=clip,
        )
    return AdamParams(
        learning_rate=learning_rate,
        beta1=config.beta1,
        beta2=config.beta2,
        eps=config.eps,
        weight_decay=decay,
        grad_clip_norm=clip,
        decoupled=config.optimizer == "adamw",
    )
