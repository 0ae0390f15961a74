"""Validation: what the weights are worth on the held-out items, measured without touching a gradient, and told."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

from crucible import events
from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.data import batches
from crucible.ir import LoraConfig
from crucible.pipeline import check_cancelled
from crucible.train.callbacks import Listeners
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.examples import Example, TrainingData
from crucible.train.non_finite import check_present
from crucible.train.quality import assess
from crucible.train.records import ValidationRecord
from crucible.train.telling import Pace, costs

__all__ = ["Validator", "mean_loss"]

_AHEAD = 4  # requests sent before the first is answered; more only lengthen the wait after a cancel
_LARGEST_LOSS = 709.0  # beyond it exp overflows


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
        data: With the held-out items; without any, nothing is measured.
        config: Batch size, loss, intervals, quality targets.
        listeners: The caller's own measures.
        model: Name of the adapter, for events.
    """

    def __init__(
        self, session: Session, data: TrainingData, config: LoraConfig, listeners: Listeners, *, model: str
    ) -> None:
        self._session = session
        self._examples = data.validation
        self._config = config
        self._listeners = listeners
        self._model = model
        self._every = config.eval_every or config.save_every or config.checkpoint_interval

    def is_due(self, step: int, total_steps: int) -> bool:
        """Whether there is something to validate after a step."""
        return bool(self._examples) and (step % self._every == 0 or step == total_steps)

    def measure_untrained(self, state: TrainState, checkpoints: CheckpointFolder) -> None:
        """Measure before the first step, for the beginning of the curve; no checkpoint stands for it.

        Raises:
            NonFiniteLoss: The loss is no number.
        """
        if self._examples and state.initial_validation_loss is None:
            started_ns = time.monotonic_ns()
            loss, pace = self._loss()
            check_present("the validation loss", loss, 0, checkpoints)
            state.initial_validation_loss = loss
            self._tell(0, loss, time.monotonic_ns() - started_ns, pace, {"validation_loss": loss})

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
        loss, pace = self._loss()
        check_present("the validation loss", loss, state.step, checkpoints)
        metrics = self._metrics(state, loss) | self._listeners.measured(self._session.create_sampler, state.step)
        state.validation.append(ValidationRecord(step=state.step, loss=loss, metrics=metrics))
        self._tell(state.step, loss, time.monotonic_ns() - started_ns, pace, metrics)

    def _loss(self) -> tuple[float, Pace]:
        """Return the loss, and how fast it was computed; the caller's own measures are no part of that."""
        started_ns = time.monotonic_ns()
        loss = mean_loss(self._session, self._examples, self._config.batch_size, self._config.loss)
        tokens = sum(len(example.datum) for example in self._examples)
        return loss, Pace(tokens, time.monotonic_ns() - started_ns)

    def _metrics(self, state: TrainState, loss: float) -> dict[str, float]:
        metrics = {"validation_loss": loss}
        if self._config.loss == "cross_entropy":  # of nats; another loss has none
            metrics["validation_perplexity"] = math.exp(min(loss, _LARGEST_LOSS))
        since = state.validation[-1]["step"] if state.validation else 0
        steps = state.history[since:]
        if steps:
            for name in ("loss", "gradient_norm"):
                metrics[name] = sum(record[name] for record in steps) / len(steps)
        return metrics

    def _tell(self, step: int, loss: float, took_ns: int, pace: Pace, metrics: dict[str, float]) -> None:
        metadata: dict[str, object] = {"model": self._model, "items": len(self._examples), "metrics": metrics}
        targets = {name: wanted for name, wanted in (self._config.quality_targets or {}).items() if name in metrics}
        if targets:
            report = assess(targets, metrics)
            metadata |= {"quality": report.summary, "missed": [each.metric for each in report.missed]}
        events.emit(
            "crucible_train.validation.stop",
            {
                "step": step,
                "loss": loss,
                "duration_ns": took_ns,
                **costs(pace, self._session.device),
            },
            metadata,
        )
