"""The supervised loop: batches in a seeded order, one optimiser step a window of them, validations and checkpoints.

Where the loop stands is in the `TrainState` alone, and every random choice depends on the seed and that state, so a
loop that goes on from a checkpoint does what one that never stopped would have done. Checkpoints are taken between
optimiser steps, never inside of one. `flat.train_flat` is the same training in sixty lines, to read first.

A step is sent before the one ahead of it has answered, where nobody is to look at the weights in between: the session
keeps the order, so the numbers are the same, and a remote one never waits for the next request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import takewhile

import msgspec

from crucible import events
from crucible.backends import ForwardBackwardOutput, OptimStepOutput, Session, SessionFuture
from crucible.data.batching import prefetch
from crucible.errors import Cancelled, NonFiniteLoss, TrainError
from crucible.ir import LoraConfig
from crucible.pipeline import check_cancelled
from crucible.train.callbacks import Listeners
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.early_stopping import best_of, gave_up, watched
from crucible.train.examples import TrainingData
from crucible.train.non_finite import check_present, gradient_failed, loss_failed
from crucible.train.optimizer import step_params
from crucible.train.records import Checkpoint, StepRecord
from crucible.train.schedule import learning_rate
from crucible.train.telling import Pace, epoch_record, tell_epoch, tell_step, tell_stopped
from crucible.train.validating import Validator
from crucible.train.windows import Window, steps_in_all, windows

__all__ = ["SupervisedLoop"]


class _Flight(msgspec.Struct, frozen=True):
    """A step that was sent and has not been answered yet."""

    number: int
    window: Window
    rate: float
    sent_ns: int
    losses: list[SessionFuture[ForwardBackwardOutput]]
    stepped: SessionFuture[OptimStepOutput]


class SupervisedLoop:
    """One training under way.

    Args:
        session: The adapter in training.
        data: What it trains on and is validated on.
        config: How.
        state: Where it stands; changed by every step.
        checkpoints: Where it saves.
        model: Name of the adapter, for events.
        listeners: Whom to tell, and what to measure at validations.

    Attributes:
        stopped: Why early stopping ended it; None where it did not.
        pace: How fast the steps that this process took were.
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
        listeners: Listeners | None = None,
    ) -> None:
        self._session = session
        self._data = data
        self._config = config
        self._state = state
        self._checkpoints = checkpoints
        self._model = model
        self._listeners = listeners or Listeners()
        self._total = steps_in_all(config, len(data.train))
        self._save_every = config.save_every or config.checkpoint_interval
        self._validator = Validator(session, data, config, self._listeners, model=model)
        self._flight: _Flight | None = None
        self.stopped: str | None = None
        self.pace = Pace()

    def run(self) -> None:
        """Train from where the state stands to the last step, or to where early stopping ends it.

        Raises:
            NonFiniteLoss: The loss or the gradient is no longer a number.
            TrainError: A callback or a measure raised; a checkpoint of the last step is left behind.
            Cancelled: The run was asked to stop; so is one then.
            StoreError: A checkpoint cannot be written.
        """
        state = self._state
        ahead = windows(self._data.train, self._config, epoch=state.epoch, position=state.position)
        try:
            with prefetch(ahead) as source:
                self._catch_up()
                while state.step < self._total and self.stopped is None:
                    self._epoch(source)
        except (Cancelled, TrainError) as error:
            if isinstance(error, Cancelled) or self._listeners.have_failed:
                self._leave_checkpoint()
            raise

    def _catch_up(self) -> None:
        """Do what is due before the next step: the first validation, or one that the training was stopped before."""
        state = self._state
        if state.step == 0:
            check_present("the loss", state.initial_loss, 0, self._checkpoints)
            self._validator.measure_untrained(state, self._checkpoints)
        elif self._validator.is_due(state.step, self._total) and not self._is_validated():
            self._validate_and_save()
        else:
            self.stopped = self._why_to_stop()

    def _epoch(self, source: Iterator[Window]) -> None:
        """Train on what is left of the current epoch, or of the training."""
        number, before = self._state.epoch, self.pace.mark()
        metadata = {"model": self._model, "epoch": number, "total_steps": self._total}
        with events.span("crucible_train.epoch", metadata) as span:
            for window in source:
                check_cancelled()
                step = self._send(window)
                if self._is_looked_at(step):
                    self._land()
                    self._validate_and_save()
                if window.ends_epoch or step == self._total or self.stopped is not None:
                    break
            self._land()
            steps = takewhile(lambda record: record["epoch"] == number, reversed(self._state.history))
            record = epoch_record(steps, number)
            tell_epoch(span, record, self.pace.since(before), self._session.device)
        self._listeners.epoch_end(record, self._state.step)

    # --- one optimiser step ---

    def _send(self, window: Window) -> int:
        """Send a step, then read the answer to the one before; return its number."""
        before, sent_ns = self._flight, time.monotonic_ns()
        number = (before.number if before else self._state.step) + 1
        rate = learning_rate(self._config, number, self._total)
        losses = [self._session.forward_backward(batch.data, self._config.loss) for batch in window.batches]
        stepped = self._session.optim_step(step_params(self._config, rate))
        self._flight = _Flight(number, window, rate, sent_ns, losses, stepped)
        if before is not None:
            self._read(before)
        return number

    def _land(self) -> None:
        """Read the answer to the step that is under way, if one is."""
        flight, self._flight = self._flight, None
        if flight is not None:
            self._read(flight)

    def _read(self, flight: _Flight) -> None:
        """Wait for a step, write it down, and tell it."""
        state, window = self._state, flight.window
        loss, norm = self._answers(flight)
        record = StepRecord(
            step=flight.number,
            epoch=window.epoch,
            loss=loss,
            learning_rate=flight.rate,
            gradient_norm=norm,
            tokens=window.tokens,
        )
        state.history.append(record)
        state.step, state.tokens = flight.number, state.tokens + window.tokens
        state.epoch, state.position = (window.epoch + 1, 0) if window.ends_epoch else (window.epoch, window.position)
        pace = self.pace.step(window.tokens, flight.sent_ns)
        tell_step(record, pace, self._session.device, model=self._model, total_steps=self._total)
        self._listeners.step_end(record)

    def _answers(self, flight: _Flight) -> tuple[float, float]:
        """Return the loss of a step, a mean per trained token, and the norm of its gradient.

        Raises:
            NonFiniteLoss: One is no number. A session does not step with such a gradient, so the weights are as before.
        """
        loss = 0.0
        for batch, future in zip(flight.window.batches, flight.losses, strict=True):
            part = future.result().loss
            if not math.isfinite(part):
                raise loss_failed(part, flight.number, batch.item_ids, self._checkpoints)
            loss += part
        try:
            return loss, flight.stepped.result().gradient_norm
        except NonFiniteLoss as error:
            every = [item_id for batch in flight.window.batches for item_id in batch.item_ids]
            raise gradient_failed(str(error), loss, flight.number, every, self._checkpoints) from error

    # --- between two steps ---

    def _is_looked_at(self, step: int) -> bool:
        """Whether something is to see the weights as they are after a step, so that the next one must wait."""
        due = self._validator.is_due(step, self._total) or self._is_save_due(step)
        return due or self._listeners.hear_steps

    def _is_save_due(self, step: int) -> bool:
        return step % self._save_every == 0 or step == self._total

    def _is_validated(self) -> bool:
        validation = self._state.validation
        return bool(validation) and validation[-1]["step"] == self._state.step

    def _validate_and_save(self) -> None:
        """Do what is due after the step just taken; the best weights so far are saved whether or not a save is due."""
        state = self._state
        save = self._is_save_due(state.step)
        if self._validator.is_due(state.step, self._total):
            self._validator.validate(state, self._checkpoints)
            best = best_of(state.validation, *watched(self._config))
            save = save or (self._config.keep == "best" and best is state.validation[-1])
            self.stopped = self._why_to_stop()
        if self.stopped is not None:
            tell_stopped(self.stopped, state, self._config, model=self._model, total_steps=self._total)
        if save or self.stopped is not None:
            self._listeners.checkpoint(self._save())

    def _why_to_stop(self) -> str | None:
        """Return why early stopping ends the training now; None where it goes on, or has no step left to end."""
        stopping = self._config.early_stopping
        if stopping is None or self._state.step >= self._total:
            return None
        return gave_up(self._state.validation, stopping)

    def _save(self) -> Checkpoint:
        metrics = self._state.validation[-1].get("metrics", {}) if self._is_validated() else {}
        return self._checkpoints.save(self._session, self._state, metrics=metrics)

    def _leave_checkpoint(self) -> None:
        """Keep what was trained since the last checkpoint, the step under way included."""
        self._land()
        if self._state.step > (self._checkpoints.newest_step() or 0):
            self._save()
