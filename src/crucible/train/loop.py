"""The loop of every training: one optimiser step a window, validations and checkpoints between two of them.

Where the loop stands is in the `TrainState` alone, and every random choice depends on the seed and that state, so a
loop that goes on from a checkpoint does what one that never stopped would have done. What is optimised is an
`Objective`. Checkpoints are taken between iterations, never inside of one; of a supervised training each step is one.
`flat.train_flat` is the same training in sixty lines, to read first.

A step is sent before the one ahead of it has answered, where nobody is to look at the weights in between: the session
keeps the order, so the numbers are the same, and a remote one never waits for the next request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
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
from crucible.train.non_finite import check_measured, check_present, gradient_failed, loss_failed
from crucible.train.objective import Objective
from crucible.train.optimizer import step_params
from crucible.train.records import Checkpoint, StepRecord
from crucible.train.schedule import learning_rate
from crucible.train.step_errors import naming_step
from crucible.train.telling import Pace, epoch_record, tell_epoch, tell_step, tell_stopped
from crucible.train.validating import Validator
from crucible.train.windows import Window

__all__ = ["TrainingLoop"]


class _Flight(msgspec.Struct, frozen=True):
    """A step that was sent and has not been answered yet; its iteration began after the step `began`."""

    number: int
    began: int
    window: Window
    rate: float
    sent_ns: int
    losses: list[SessionFuture[ForwardBackwardOutput]]
    stepped: SessionFuture[OptimStepOutput]


class TrainingLoop:
    """One training under way.

    Args:
        session: The adapter in training.
        objective: What it is trained for.
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
        objective: Objective,
        config: LoraConfig,
        state: TrainState,
        checkpoints: CheckpointFolder,
        *,
        model: str,
        listeners: Listeners | None = None,
    ) -> None:
        self._session = session
        self._objective = objective
        self._config = config
        self._state = state
        self._checkpoints = checkpoints
        self._model = model
        self._listeners = listeners or Listeners()
        self._total = objective.total_steps
        self._save_every = config.save_every or config.checkpoint_interval
        self._watched = watched(config, objective.best_by)
        self._validator = Validator(session, objective, config, self._listeners, model=model)
        self._flight: _Flight | None = None
        self._began = state.step  # of the iteration of the next step to be sent
        self.stopped: str | None = None
        self.pace = Pace()

    def run(self) -> None:
        """Train from where the state stands to the last step, or to where early stopping ends it.

        Raises:
            NonFiniteLoss: The loss or the gradient is no longer a number.
            TrainError: A callback or a measure raised, and a checkpoint of the last iteration is left behind; or the
                objective has no more to train on before the last step.
            BackendError: A request failed; the message names the step, which is `step` of the error.
            Cancelled: The run was asked to stop; a checkpoint is left behind then, too.
            StoreError: A checkpoint cannot be written.
        """
        state = self._state
        try:
            with self._windows() as source:
                self._catch_up()
                while state.step < self._total and self.stopped is None:
                    self._epoch(source)
        except (Cancelled, TrainError) as error:
            if isinstance(error, Cancelled) or self._listeners.have_failed:
                self._leave_checkpoint()
            raise

    @contextmanager
    def _windows(self) -> Generator[Iterator[Window]]:
        """Give what the steps train on: made ahead on a thread of its own, unless it depends on the weights."""
        made = self._objective.windows(self._session, self._state)
        if self._objective.looks_at_weights:
            with closing(self._one_by_one(made)) as source:
                yield source
        else:
            with prefetch(made) as ahead:
                yield ahead

    def _one_by_one(self, made: Iterator[Window]) -> Generator[Window]:
        """Yield windows as they are asked for; what makes them is closed at the end, if it can be."""
        try:
            while True:
                with naming_step(self._state.step + 1):
                    window = next(made, None)
                if window is None:
                    return
                yield window
        finally:
            if isinstance(made, Generator):
                made.close()

    def _catch_up(self) -> None:
        """Do what is due before the next step: the first validation, or one that the training was stopped before."""
        state = self._state
        if state.step == 0:
            if state.initial_loss is not None:
                check_present("the loss", state.initial_loss, 0, self._checkpoints)
            self._validator.measure_untrained(state, self._checkpoints)
        elif self._validator.is_due(state.step, self._iteration_began(), self._total) and not self._is_validated():
            self._validate_and_save()
        else:
            self.stopped = self._why_to_stop()

    def _epoch(self, source: Iterator[Window]) -> None:
        """Train on what is left of the current epoch, or of the training."""
        number, before, first = self._state.epoch, self.pace.mark(), self._state.step + 1
        metadata = {"model": self._model, "epoch": number, "total_steps": self._total}
        if self._objective.loss_function:
            metadata["loss_function"] = self._objective.loss_function
        with events.span("crucible_train.epoch", metadata) as span:
            for window in source:
                if self._is_between_iterations():
                    check_cancelled()
                flight = self._send(window)
                if self._is_looked_at(flight):
                    self._land()
                    self._validate_and_save()
                elif window.ends_iteration and self._objective.looks_at_weights:
                    self._land()
                if window.ends_epoch or flight.number == self._total or self.stopped is not None:
                    break
            self._land()
            if self._state.step < first:
                raise TrainError(
                    f"{self._objective.kind}: there is nothing left to train on after step {self._state.step} of "
                    f"{self._total}",
                    step=self._state.step,
                )
            steps = takewhile(lambda record: record["epoch"] == number, reversed(self._state.history))
            record = epoch_record(steps, number)
            tell_epoch(span, record, self.pace.since(before), self._session.device)
        self._listeners.epoch_end(record, self._state.step)

    # --- one optimiser step ---

    def _send(self, window: Window) -> _Flight:
        """Send a step, then read the answer to the one before; return the step."""
        before, sent_ns = self._flight, time.monotonic_ns()
        number = (before.number if before else self._state.step) + 1
        rate = learning_rate(self._config, number, self._total)
        with naming_step(number):
            losses = [self._objective.send(self._session, batch) for batch in window.batches]
            stepped = self._session.optim_step(step_params(self._config, rate))
        flight = self._flight = _Flight(number, self._began, window, rate, sent_ns, losses, stepped)
        if window.ends_iteration:
            self._began = number
        if before is not None:
            self._read(before)
        return flight

    def _land(self) -> None:
        """Read the answer to the step that is under way, if one is."""
        flight, self._flight = self._flight, None
        if flight is not None:
            self._read(flight)

    def _read(self, flight: _Flight) -> None:
        """Wait for a step, write it down, and tell it."""
        state, window = self._state, flight.window
        with naming_step(flight.number):
            outputs, loss, norm = self._answers(flight)
            hooked = flight.stepped.result().metrics  # what the session's gradient hooks found
            metrics = {**window.metrics, **self._objective.measured(window, outputs), **hooked}
            check_measured(metrics, flight.number)
        record = StepRecord(
            step=flight.number,
            epoch=window.epoch,
            loss=loss,
            learning_rate=flight.rate,
            gradient_norm=norm,
            tokens=window.tokens,
        )
        if metrics:
            record["metrics"] = metrics
        state.history.append(record)
        state.step, state.tokens, state.began = flight.number, state.tokens + window.tokens, flight.began
        state.epoch, state.position = (window.epoch + 1, 0) if window.ends_epoch else (window.epoch, window.position)
        if window.extra is not None:
            state.extra = dict(window.extra)
        pace = self.pace.step(window.tokens, flight.sent_ns)
        name = self._objective.loss_function
        tell_step(record, pace, self._session.device, model=self._model, total_steps=self._total, loss_function=name)
        self._listeners.step_end(record)

    def _answers(self, flight: _Flight) -> tuple[list[ForwardBackwardOutput], float, float]:
        """Return the answers, the loss of a step, a sum over its batches, and the norm of its gradient.

        Raises:
            NonFiniteLoss: One is no number. A session does not step with such a gradient, so the weights are as before.
        """
        outputs: list[ForwardBackwardOutput] = []
        loss = 0.0
        for batch, future in zip(flight.window.batches, flight.losses, strict=True):
            try:
                output = future.result()
            except NonFiniteLoss as error:  # of a loss that is computed here, between a pass and its gradient
                raise gradient_failed(str(error), None, flight.number, batch.item_ids, self._checkpoints) from error
            if not math.isfinite(output.loss):
                raise loss_failed(output.loss, flight.number, batch.item_ids, self._checkpoints)
            outputs.append(output)
            loss += output.loss
        try:
            return outputs, loss, flight.stepped.result().gradient_norm
        except NonFiniteLoss as error:
            every = [item_id for batch in flight.window.batches for item_id in batch.item_ids]
            raise gradient_failed(str(error), loss, flight.number, every, self._checkpoints) from error

    # --- between two iterations ---

    def _is_looked_at(self, flight: _Flight) -> bool:
        """Whether something is to see the weights as they are after a step, so that the next one must wait."""
        if not flight.window.ends_iteration:
            return False
        step, began = flight.number, flight.began
        due = self._validator.is_due(step, began, self._total) or self._is_save_due(step, began)
        return due or self._listeners.hear_steps

    def _is_between_iterations(self) -> bool:
        """Whether the next step to be sent begins an iteration."""
        return self._began == (self._flight.number if self._flight else self._state.step)

    def _iteration_began(self) -> int:
        """Return the step after which the iteration that the state is at the end of began."""
        began = self._state.began
        return self._state.step - 1 if began is None else began

    def _is_save_due(self, step: int, began: int) -> bool:
        return step // self._save_every > began // self._save_every or step == self._total

    def _is_validated(self) -> bool:
        validation = self._state.validation
        return bool(validation) and validation[-1]["step"] == self._state.step

    def _validate_and_save(self) -> None:
        """Do what is due after the step just taken; the best weights so far are saved whether or not a save is due."""
        state, began = self._state, self._iteration_began()
        save = self._is_save_due(state.step, began)
        if self._validator.is_due(state.step, began, self._total):
            self._validator.validate(state, self._checkpoints)
            best = best_of(state.validation, *self._watched)
            save = save or (self._config.keep == "best" and best is state.validation[-1])
            self.stopped = self._why_to_stop()
        if self.stopped is not None:
            tell_stopped(self.stopped, state, self._watched, model=self._model, total_steps=self._total)
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
        """Keep what was trained since the last checkpoint, the step under way included; nothing inside an iteration."""
        self._land()
        if self._is_between_iterations() and self._state.step > (self._checkpoints.newest_step() or 0):
            self._save()
