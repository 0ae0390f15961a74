"""Validation: what the weights are worth on what is held out, measured without touching a gradient, and told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from crucible import events
from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.data import batches
from crucible.ir import LoraConfig
from crucible.pipeline import check_cancelled
from crucible.train.callbacks import Listeners
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.examples import Example
from crucible.train.non_finite import check_measured, check_present
from crucible.train.objective import Objective, Validated
from crucible.train.quality import assess
from crucible.train.records import ValidationRecord
from crucible.train.telling import Pace, costs

__all__ = ["Validator", "mean_loss"]

_AHEAD = 4  # requests sent before the first is answered; more only lengthen the wait after a cancel


def mean_loss(session: Session, examples: Sequence[Example], batch_size: int, loss: str = "cross_entropy") -> float:
    """Return the mean loss per trained token (of cross_entropy: nats), dropout off.

    Args:
        session: The model.
        examples: What to score, at least one.
        batch_size: Examples a request.
        loss: Name of the loss.

    Raises:
        Cancelled: The run was asked to stop; a few requests are still answered.
    """
    parts = batches(examples, batch_size)
    sent: deque[SessionFuture[ForwardBackwardOutput]] = deque()
    total = 0.0
    while True:
        check_cancelled()
        for part in islice(parts, _AHEAD - len(sent)):
            sent.append(session.forward([example.datum for example in part], loss))
        if not sent:
            return total / sum(example.trained_tokens for example in examples)
        total += sent.popleft().result().loss


class Validator:
    """Validates one training.

    Args:
        session: The adapter in training.
        objective: What it is trained for; where nothing is held out, nothing is measured.
        config: Intervals, quality targets.
        listeners: The caller's own measures.
        model: Name of the adapter, for events.
    """

    def __init__(
        self, session: Session, objective: Objective, config: LoraConfig, listeners: Listeners, *, model: str
    ) -> None:
        self._session = session
        self._objective = objective
        self._held_out = objective.material.held_out
        self._config = config
        self._listeners = listeners
        self._model = model
        self._every = config.eval_every or config.save_every or config.checkpoint_interval

    def is_due(self, step: int, began: int, total_steps: int) -> bool:
        """Whether there is something to validate after the iteration that ended with a step.

        Args:
            step: Its last step.
            began: The step after which it began.
            total_steps: Of the training.
        """
        return self._held_out > 0 and (step // self._every > began // self._every or step == total_steps)

    def measure_untrained(self, state: TrainState, checkpoints: CheckpointFolder) -> None:
        """Measure before the first step, for the beginning of the curve; no checkpoint stands for it.

        Raises:
            NonFiniteLoss: The loss is no number.
        """
        if self._held_out and state.initial_validation is None and state.initial_validation_loss is None:
            started_ns = time.monotonic_ns()
            found, pace = self._measure(state, checkpoints)
            state.initial_validation_loss, state.initial_validation = found.loss, _metrics(found)
            self._tell(0, found.loss, time.monotonic_ns() - started_ns, pace, _metrics(found))

    def validate(self, state: TrainState, checkpoints: CheckpointFolder) -> None:
        """Measure the weights as they are and write it down.

        Args:
            state: Where the training stands; gets one more record.
            checkpoints: Those of the training, for the message.

        Raises:
            NonFiniteLoss: The loss is no number.
            TrainError: A measure of the caller raised.
        """
        started_ns = time.monotonic_ns()
        found, pace = self._measure(state, checkpoints)
        metrics = _metrics(found) | self._since(state)
        metrics |= self._listeners.measured(self._session.create_sampler, state.step)
        record = ValidationRecord(step=state.step, metrics=metrics)
        if found.loss is not None:
            record = ValidationRecord(step=state.step, loss=found.loss, metrics=metrics)
        state.validation.append(record)
        self._tell(state.step, found.loss, time.monotonic_ns() - started_ns, pace, metrics)

    def _measure(self, state: TrainState, checkpoints: CheckpointFolder) -> tuple[Validated, Pace]:
        """Return what was found, and how fast; the caller's own measures are no part of that."""
        started_ns = time.monotonic_ns()
        found = self._objective.validate(self._session)
        pace = Pace(found.tokens, time.monotonic_ns() - started_ns)
        if found.loss is not None:
            check_present("the validation loss", found.loss, state.step, checkpoints)
        check_measured(found.metrics, state.step)
        return found, pace

    def _since(self, state: TrainState) -> dict[str, float]:
        """Return the means over the steps since the validation before."""
        steps = state.history[state.validation[-1]["step"] if state.validation else 0 :]
        if not steps:
            return {}
        return {name: sum(record[name] for record in steps) / len(steps) for name in ("loss", "gradient_norm")}

    def _tell(self, step: int, loss: float | None, took_ns: int, pace: Pace, metrics: Mapping[str, float]) -> None:
        metadata: dict[str, object] = {"model": self._model, "items": self._held_out, "metrics": dict(metrics)}
        if self._objective.loss_function:
            metadata["loss_function"] = self._objective.loss_function
        targets = {name: wanted for name, wanted in (self._config.quality_targets or {}).items() if name in metrics}
        if targets:
            report = assess(targets, metrics)
            metadata |= {"quality": report.summary, "missed": [each.metric for each in report.missed]}
        measured = {"step": step, "duration_ns": took_ns, **costs(pace, self._session.device)}
        if loss is not None:
            measured["loss"] = loss
        events.emit("crucible_train.validation.stop", measured, metadata)


def _metrics(found: Validated) -> dict[str, float]:
    return {**({} if found.loss is None else {"validation_loss": found.loss}), **found.metrics}
