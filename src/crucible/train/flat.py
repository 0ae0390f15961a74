"""The supervised training to read first: every call in sight, one after another, nothing around it.

`loop.TrainingLoop` is the full one. It takes the same steps with the same numbers, and adds what a long training
needs: checkpoints, resume, validation, early stopping, callbacks, events, and steps that are sent ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import closing

from crucible.backends import Backend, LocalBackend, Sampler
from crucible.data import Item, batches
from crucible.errors import NonFiniteLoss
from crucible.ir import LoraConfig
from crucible.train.examples import mean_weighted, prepare
from crucible.train.optimizer import step_params
from crucible.train.schedule import learning_rate
from crucible.train.windows import steps_in_all

__all__ = ["train_flat"]


def train_flat(
    config: LoraConfig, items: Iterable[Item], backend: Backend | None = None
) -> tuple[list[float], Sampler]:
    """Train an adapter and return the loss of every step, and a sampler of the last weights.

    The losses are those of `Trainer.train` (`loop.TrainingLoop`), to the bit on a CPU: means per trained token,
    before each step. Nothing is kept on disk; `keep`, validations, early stopping and quality targets are left out.

    Args:
        config: How to train.
        items: Items with answers, or conversations.
        backend: Where the model lives; None: this machine.

    Raises:
        DataError: The items cannot be trained on.
        NonFiniteLoss: The loss became NaN or infinite.
    """
    with closing((backend or LocalBackend()).start_session(config)) as session:
        data = prepare(items, session.tokenizer, config, session.window)
        total = steps_in_all(config, len(data.train))
        losses: list[float] = []
        epoch = 0
        while len(losses) < total:
            order = list(batches(data.train, config.batch_size, config.seed, epoch))
            epoch += 1
            for start in range(0, len(order), config.accumulation_steps):
                window = order[start : start + config.accumulation_steps]
                trained = sum(example.trained_tokens for batch in window for example in batch)
                loss = 0.0
                for batch in window:
                    loss += session.forward_backward(mean_weighted(batch, trained), config.loss).result().loss
                step = len(losses) + 1
                if not math.isfinite(loss):
                    raise NonFiniteLoss(f"the loss became {loss} at step {step}", step=step)
                session.optim_step(step_params(config, learning_rate(config, step, total))).result()
                losses.append(loss)
                if step == total:
                    break
        return losses, session.create_sampler()
