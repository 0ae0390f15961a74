"""How trainings go: losses, epoch and throughput, one model apart from another.

Last and best are by time of the event, not of arrival, so a replay from the store says the same.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from crucible.store import StoredEvent
from crucible.telemetry.streaming.measured import measured

__all__ = ["TRAINING_EVENTS", "LossSummary", "TrainingProgress", "TrainingSummary", "Trainings"]

TRAINING_EVENTS = {
    "crucible_train.batch.stop": "batch",
    "crucible_train.epoch.stop": "epoch",
    "crucible_train.validation.stop": "validation",
}
"""Names of the events that tell how a training goes."""

_MOST_MODELS = 100
_OTHERS = "(other)"


class LossSummary(msgspec.Struct, frozen=True):
    """How a loss went, in the unit in which it was emitted.

    Args:
        count: Losses seen, NaN and infinities included.
        not_finite: NaN and infinities; they are never the best.
        last: The latest, which may be NaN.
        last_step: Its step; None if it had none.
        best: The smallest, the earliest of equal ones; None if none was finite.
        best_step: Its step.
        best_epoch: Its epoch.
    """

    count: int = 0
    not_finite: int = 0
    last: float | None = None
    last_step: float | None = None
    best: float | None = None
    best_step: float | None = None
    best_epoch: float | None = None


class TrainingSummary(msgspec.Struct, frozen=True):
    """How the training of a model goes.

    Args:
        model: Its label; None where events have none.
        epoch: Epoch of the latest event that told one.
        loss: Of batches; of epochs, where no batch told one.
        validation: Validation loss.
        tokens: Tokens of the batches.
        tokens_per_s: Tokens by seconds of the batches that told both; None if none did.
        last_tokens_per_s: The same of the latest such batch, or what it told itself.
    """

    model: str | None
    epoch: float | None
    loss: LossSummary
    validation: LossSummary
    tokens: float
    tokens_per_s: float | None
    last_tokens_per_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return msgspec.to_builtins(self)


class _Latest:
    """The value with the latest time."""

    __slots__ = ("at_ns", "step", "value")

    def __init__(self) -> None:
        self.at_ns: int | None = None
        self.value: float | None = None
        self.step: float | None = None

    def offer(self, at_ns: int | None, value: float | None, step: float | None = None) -> None:
        if at_ns is not None and value is not None and (self.at_ns is None or at_ns >= self.at_ns):
            self.at_ns, self.value, self.step = at_ns, value, step


class _Loss:
    """The last and the best of a loss."""

    __slots__ = ("best", "count", "last", "not_finite")

    def __init__(self) -> None:
        self.count = 0
        self.not_finite = 0
        self.last = _Latest()
        self.best: tuple[float, int, float | None, float | None] | None = None  # loss, time, step, epoch

    def add(self, at_ns: int, value: float, step: float | None, epoch: float | None) -> None:
        self.count += 1
        self.last.offer(at_ns, value, step)
        if not math.isfinite(value):
            self.not_finite += 1
        elif self.best is None or (value, at_ns) < self.best[:2]:
            self.best = value, at_ns, step, epoch

    def merge(self, other: _Loss) -> None:
        self.count += other.count
        self.not_finite += other.not_finite
        self.last.offer(other.last.at_ns, other.last.value, other.last.step)
        if other.best is not None and (self.best is None or other.best[:2] < self.best[:2]):
            self.best = other.best

    def summary(self) -> LossSummary:
        best, _, step, epoch = self.best or (None, None, None, None)
        return LossSummary(self.count, self.not_finite, self.last.value, self.last.step, best, step, epoch)


class TrainingProgress:
    """What the events of one model's training told so far."""

    __slots__ = ("_batch", "_epoch", "_epochs", "_seconds", "_speed", "_timed_tokens", "_tokens", "_validation")

    def __init__(self) -> None:
        self._batch, self._epochs, self._validation = _Loss(), _Loss(), _Loss()
        self._epoch, self._speed = _Latest(), _Latest()
        self._tokens = 0.0
        self._timed_tokens = 0.0
        self._seconds = 0.0

    def add(self, kind: str, record: StoredEvent) -> None:
        """Take in an event of a kind of `TRAINING_EVENTS`."""
        fields, at_ns = record.fields, record.timestamp_ns
        step, epoch = measured(fields.get("step")), measured(fields.get("epoch"))
        loss, validation = measured(fields.get("loss")), measured(fields.get("val_loss"))
        if kind == "validation":
            loss, validation = None, loss if validation is None else validation
        self._epoch.offer(at_ns, epoch)
        if loss is not None:
            (self._batch if kind == "batch" else self._epochs).add(at_ns, loss, step, epoch)
        if validation is not None:
            self._validation.add(at_ns, validation, step, epoch)
        if kind == "batch":
            self._add_speed(record)

    def _add_speed(self, record: StoredEvent) -> None:
        tokens, told = measured(record.fields.get("tokens")), measured(record.fields.get("tokens_per_s"))
        if tokens is None or not math.isfinite(tokens):
            self._speed.offer(record.timestamp_ns, told)
            return
        self._tokens += tokens
        seconds = (measured(record.latency_ms) or 0.0) / 1e3
        if math.isfinite(seconds) and seconds > 0.0:
            self._timed_tokens += tokens
            self._seconds += seconds
            told = tokens / seconds if told is None else told
        self._speed.offer(record.timestamp_ns, told)

    def merge(self, other: TrainingProgress) -> None:
        """Take in everything that another one saw; the other stays as it is."""
        self._batch.merge(other._batch)
        self._epochs.merge(other._epochs)
        self._validation.merge(other._validation)
        self._epoch.offer(other._epoch.at_ns, other._epoch.value)
        self._speed.offer(other._speed.at_ns, other._speed.value)
        self._tokens += other._tokens
        self._timed_tokens += other._timed_tokens
        self._seconds += other._seconds

    def summary(self, model: str | None) -> TrainingSummary:
        """Return how it goes now."""
        return TrainingSummary(
            model=model,
            epoch=self._epoch.value,
            loss=(self._batch if self._batch.count else self._epochs).summary(),
            validation=self._validation.summary(),
            tokens=self._tokens,
            tokens_per_s=self._timed_tokens / self._seconds if self._seconds else None,
            last_tokens_per_s=self._speed.value,
        )


class Trainings:
    """The trainings of a recording, by the model that their events name; after 100 the others are one."""

    __slots__ = ("_by_model",)

    def __init__(self) -> None:
        self._by_model: dict[str | None, TrainingProgress] = {}

    def add(self, kind: str, record: StoredEvent) -> None:
        """Take in an event of a kind of `TRAINING_EVENTS`."""
        model: Any = record.fields.get("model")
        self._of(None if model is None else str(model)).add(kind, record)

    def _of(self, model: str | None) -> TrainingProgress:
        if model not in self._by_model and len(self._by_model) >= _MOST_MODELS:
            model = _OTHERS
        return self._by_model.setdefault(model, TrainingProgress())

    def merge(self, other: Trainings) -> None:
        """Take in everything that another one saw; the other stays as it is."""
        for model, progress in list(other._by_model.items()):
            self._of(model).merge(progress)

    def copy(self) -> Trainings:
        """Return one that goes on from here by itself."""
        twin = Trainings()
        twin.merge(self)
        return twin

    def summaries(self) -> tuple[TrainingSummary, ...]:
        """Return how each goes now, in order of the labels."""
        labels = sorted(self._by_model, key=lambda label: (label is not None, label or ""))
        return tuple(self._by_model[label].summary(label) for label in labels)
