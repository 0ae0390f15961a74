"""Supervised training as an objective: answers to be given, batches in a seeded order, a loss by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.ir import LoraConfig
from crucible.train.examples import TrainingData
from crucible.train.objective import Material, Objective, Validated
from crucible.train.training_record import TrainState
from crucible.train.validating import mean_loss
from crucible.train.windows import Batch, Window, steps_in_all, windows

__all__ = ["Supervised"]

_SAMPLE: Final = 32  # training items on which the loss before and after is measured
_LARGEST_LOSS: Final = 709.0  # beyond it exp overflows


class Supervised(Objective):
    """Training on answers.

    Args:
        data: What to train on and to validate on.
        config: Batch size, batches a step, steps, loss, seed.
    """

    kind = "supervised"

    def __init__(self, data: TrainingData, config: LoraConfig) -> None:
        self._data = data
        self._config = config
        self.total_steps = steps_in_all(config, len(data.train))
        self.loss_function = config.loss
        self.material = Material(
            items=len(data.train),
            held_out=len(data.validation),
            truncated=data.truncated,
            refused=data.refused,
            digest=data.digest,
            synthetic=data.synthetic,
        )
        if config.loss == "cross_entropy":
            self.reports = ("validation_loss", "validation_perplexity")

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Yield the batches of each step, epoch after epoch without end, from where the state stands."""
        del session
        return windows(self._data.train, self._config, epoch=state.epoch, position=state.position)

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit a batch to the configured loss."""
        return session.forward_backward(batch.data, self._config.loss)

    def sample_loss(self, session: Session) -> float:
        """Return the mean loss per trained token of the first training items."""
        return mean_loss(session, self._data.train[:_SAMPLE], self._config.batch_size, self._config.loss)

    def validate(self, session: Session) -> Validated:
        """Return the mean loss per trained token of the held-out items, and of cross-entropy the perplexity."""
        held_out = self._data.validation
        loss = mean_loss(session, held_out, self._config.batch_size, self._config.loss)
        metrics: dict[str, float] = {}
        if self._config.loss == "cross_entropy":  # of nats; another loss has none
            metrics["validation_perplexity"] = math.exp(min(loss, _LARGEST_LOSS))
        return Validated(loss, metrics, sum(len(example.datum) for example in held_out))
