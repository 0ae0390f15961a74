"""Learning-rate schedules: pure functions of the step. A schedule never leaves [0, peak]."""

from __future__ import annotations

import math

from crucible.ir import LoraConfig

__all__ = ["learning_rate"]


def learning_rate(config: LoraConfig, step: int, total_steps: int) -> float:
    """Return the learning rate of one optimiser step.

    The warm-up rises in equal parts and reaches the peak at step `warmup_steps`, so no step is wasted at rate 0. After
    it `linear` and `cosine` fall from the peak towards 0, which they would reach one step behind the last.

    Args:
        config: Peak rate, schedule and warm-up.
        step: The step, from 1.
        total_steps: Steps of the whole training, at least 1; later steps have rate 0, or the peak if constant.
    """
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    progress = (step - 1 - config.warmup_steps) / max(total_steps - config.warmup_steps, 1)
    progress = min(max(progress, 0.0), 1.0)
    if config.schedule == "linear":
        return config.learning_rate * (1.0 - progress)
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
    return config.learning_rate
