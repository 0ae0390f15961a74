"""The supervised loop: batches in a seeded order, one optimiser step each, validation and a checkpoint now and then.

Where the loop stands is in the `TrainState` alone, and every random choice depends on the seed and that state, so a
loop that goes on from a checkpoint does what one that never stopped would have done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import islice

from crucible import events
from crucible.backends import AdamParams, Session
from crucible.data import batches
from crucible.errors import Cancelled, NonFiniteLoss
from crucible.ir import LoraConfig
from crucible.pipeline import check_cancelled
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.examples import Example, TrainingData, mean_weighted
from crucible.train.records import StepRecord
from crucible.train.schedule import learning_rate

__all__ = ["SupervisedLoop", "mean_loss", "steps_in_all"]


def steps_in_all(config: LoraConfig, items: int) -> int:
    """Return how many optimiser steps a training takes: `max_steps`, or fewer where `epochs` ends it before.

    Args:
        config: Both limits and the batch size.
        items: Training items, at least 1.
    """
    if config.epochs is None:
        return config.max_steps
    return min(config.max_steps, config.epochs * math.ceil(items / config.batch_size))


def mean_loss(session: Session, examples: Sequence[Example], batch_size: int) -> float:
    """Return the mean negative log-likelihood in nats per trained token, dropout off.

    Args:
        session: The model.
        examples: What to score, at least one.
        batch_size: Examples a request.
    """
    requests = [session.forward([example.datum for example in part]) for part in batches(examples, batch_size)]
    total = 0.0
    for request in requests:
        check_cancelled()
        total += request.result().loss
    return total / sum(example.trained_tokens for example in examples)


class SupervisedLoop:
    """One training under way.

    Args:
        session: The adapter in training.
        data: What it trains on and is validated on.
        config: How.
        state: Where it stands; changed by every step.
        checkpoints: Where it saves.
        model: Name of the adapter, for events.
    """

    def __init__(
        self,
        session: Session,
        data: TrainingData,
        config: LoraConfig,
        state: TrainState,
        checkpoints: CheckpointFolder,
        *,
        model: str,
    ) -> None:
        self._session = session
        self._data = data
        self._config = config
        self._state = state
        self._checkpoints = checkpoints
        self._model = model
        self._total = steps_in_all(config, len(data.train))

    def run(self) -> None:
        """Train from where the state stands to the last step.

        Raises:
            NonFiniteLoss: The loss or the gradient is no longer a number.
            Cancelled: The run was asked to stop; a checkpoint of the last step is left behind.
            StoreError: A checkpoint cannot be written.
        """
        try:
            if self._is_validation_missing():
                self._validate_and_save()
            while self._state.step < self._total:
                self._epoch()
        except Cancelled:
            if self._state.step > (self._checkpoints.newest_step() or 0):
                self._checkpoints.save(self._session, self._state, validation_loss=None)
            raise

    def _epoch(self) -> None:
        """Train on what is left of the current epoch, or of the training."""
        state, number = self._state, self._state.epoch
        per_epoch = math.ceil(len(self._data.train) / self._config.batch_size)
        metadata = {"model": self._model, "epoch": number, "total_steps": self._total}
        with events.span("crucible_train.epoch", metadata) as span:
            order = batches(self._data.train, self._config.batch_size, self._config.seed, number)
            first = len(state.history)
            for batch in islice(order, state.position, min(per_epoch, state.position + self._total - state.step)):
                check_cancelled()
                self._step(batch)
                if state.position == per_epoch:
                    state.epoch, state.position = number + 1, 0
                if self._is_due():
                    self._validate_and_save()
            losses = [record["loss"] for record in state.history[first:]]
            span.measure(loss=sum(losses) / len(losses), epoch=number, steps=len(losses))

    def _is_due(self) -> bool:
        return self._state.step % self._config.checkpoint_interval == 0 or self._state.step == self._total

    def _is_validation_missing(self) -> bool:
        """Whether the training was stopped between a step and the validation that was due after it."""
        if not (self._data.validation and self._state.step and self._is_due()):
            return False
        return not self._state.validation or self._state.validation[-1]["step"] != self._state.step

    def _step(self, batch: list[Example]) -> None:
        """Take one optimiser step on a batch and write it down."""
        state, config = self._state, self._config
        started = time.monotonic_ns()
        number = state.step + 1
        output = self._session.forward_backward(mean_weighted(batch)).result()
        if not math.isfinite(output.loss):
            raise self._non_finite(f"the loss became {output.loss}", batch)
        rate = learning_rate(config, number, self._total)
        try:
            norm = self._session.optim_step(_adam(config, rate)).result().gradient_norm
        except NonFiniteLoss as error:
            raise self._non_finite(f"the loss is {output.loss:.4g} but {error}", batch) from error
        tokens = sum(len(example.datum) for example in batch)
        state.history.append(
            StepRecord(
                step=number,
                epoch=state.epoch,
                loss=output.loss,
                learning_rate=rate,
                gradient_norm=norm,
                tokens=tokens,
            )
        )
        state.step, state.position, state.tokens = number, state.position + 1, state.tokens + tokens
        events.emit(
            "crucible_train.batch.stop",
            {
                "step": number,
                "loss": output.loss,
                "gradient_norm": norm,
                "learning_rate": rate,
                "tokens": tokens,
                "duration_ns": time.monotonic_ns() - started,
            },
            {"model": self._model, "total_steps": self._total, "epoch": state.epoch},
        )

    def _validate_and_save(self) -> None:
        state = self._state
        loss: float | None = None
        if self._data.validation:
            loss = mean_loss(self._session, self._data.validation, self._config.batch_size)
            if not math.isfinite(loss):
                raise NonFiniteLoss(
                    f"the validation loss became {loss} at step {state.step}; {self._last_good()}", step=state.step
                )
            state.validation.append({"step": state.step, "loss": loss})
            events.emit(
                "crucible_train.validation.stop",
                {"step": state.step, "loss": loss},
                {"model": self._model, "items": len(self._data.validation)},
            )
        self._checkpoints.save(self._session, state, validation_loss=loss)

    def _non_finite(self, what: str, batch: list[Example]) -> NonFiniteLoss:
        step = self._state.step + 1
        ids = ", ".join(example.item_id for example in batch)
        return NonFiniteLoss(f"{what} at step {step}, on the items {ids}; {self._last_good()}", step=step)

    def _last_good(self) -> str:
        newest = self._checkpoints.newest_step()
        if newest is None:
            return "no checkpoint was saved before it; lower the learning rate"
        return f"the last good checkpoint is {self._checkpoints.path(newest)}; lower the learning rate"


def _adam(config: LoraConfig, rate: float) -> AdamParams:
    return AdamParams(
        learning_rate=rate,
        beta1=config.beta1,
        beta2=config.beta2,
        eps=config.eps,
        weight_decay=config.weight_decay,
        grad_clip_norm=config.grad_clip_norm,
    )
