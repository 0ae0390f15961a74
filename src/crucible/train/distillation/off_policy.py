"""Distillation on answers that are there: at each of their tokens the student moves to the teacher's probabilities."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.data import batches
from crucible.ir import LoraConfig
from crucible.pipeline import check_cancelled
from crucible.text import Datum
from crucible.train.distillation.settings import DistillConfig
from crucible.train.distillation.targets import Key, TopTargets, soft_datum
from crucible.train.examples import Example, TrainingData
from crucible.train.objective import Material, Objective, Validated
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window, steps_in_all, windows

if TYPE_CHECKING:
    from crucible.train.distillation.losses import SoftTargetLoss  # PyTorch

__all__ = ["OffPolicy", "loss_of"]

_SAMPLE: Final = 32  # training items on which the loss before and after is measured
_AHEAD: Final = 4  # requests sent before the first is answered


def loss_of(settings: DistillConfig) -> SoftTargetLoss:
    """Return the loss that the settings describe."""
    from crucible.train.distillation.losses import SoftTargetLoss

    return SoftTargetLoss(
        settings.top_k + 1,
        settings.alpha,
        settings.divergence,
        settings.kept_rest,
        settings.temperature if settings.kept_rest == "renormalised" else 1.0,
    )


class OffPolicy(Objective):
    """Training on answers towards a teacher's probabilities.

    Args:
        data: What to train on and to validate on.
        config: Batch size, batches a step, steps, seed.
        settings: How the student is distilled.
        targets: What the teachers say of the data; None: only the answers count (alpha 0).
        identity: What tells the teachers and settings from others.
    """

    kind = "distillation"

    def __init__(
        self,
        data: TrainingData,
        config: LoraConfig,
        settings: DistillConfig,
        targets: Mapping[Key, TopTargets] | None,
        *,
        identity: Mapping[str, Any],
    ) -> None:
        self._data = data
        self._config = config
        self._settings = settings
        self._targets = targets
        self._loss: SoftTargetLoss | str = "cross_entropy" if targets is None else loss_of(settings)
        self.total_steps = steps_in_all(config, len(data.train))
        self.identity = identity
        self.material = Material(
            items=len(data.train),
            held_out=len(data.validation),
            truncated=data.truncated,
            refused=data.refused,
            digest=data.digest,
            synthetic=data.synthetic,
        )
        self.reports = ("validation_loss", *(f"validation_{name}" for name in self._parts()))

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Yield the batches of each step, epoch after epoch without end, from where the state stands."""
        del session
        return windows(self._data.train, self._config, epoch=state.epoch, position=state.position)

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit a batch with the teacher's candidates beside its tokens."""
        return session.forward_backward([self._soft(datum) for datum in batch.data], self._loss)

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> dict[str, float]:
        """Return the divergence from the teacher and the answers' cross-entropy, in nats per trained token."""
        del window
        sums = {name: [output.metrics.get(f"loss/{name}:sum") for output in outputs] for name in self._parts()}
        return {
            f"distill/{name}": sum(value for value in values if value is not None)
            for name, values in sums.items()
            if None not in values
        }

    def sample_loss(self, session: Session) -> float:
        """Return the loss per trained token of the first training items."""
        return self._mean(session, self._data.train[:_SAMPLE])[0]

    def validate(self, session: Session) -> Validated:
        """Return the loss per trained token of the held-out items, and its parts."""
        held_out = self._data.validation
        loss, parts = self._mean(session, held_out)
        metrics = {f"validation_{name}": value for name, value in parts.items()}
        return Validated(loss, metrics, sum(len(example.datum) for example in held_out))

    def _parts(self) -> tuple[str, ...]:
        return () if self._targets is None else (self._settings.divergence, "cross_entropy")

    def _soft(self, datum: Datum) -> Datum:
        return datum if self._targets is None else soft_datum(datum, self._targets)

    def _mean(self, session: Session, examples: Sequence[Example]) -> tuple[float, dict[str, float]]:
        """Return the loss and its parts, means per trained token, dropout off."""
        parts = batches(examples, self._config.batch_size)
        sent: deque[SessionFuture[ForwardBackwardOutput]] = deque()
        loss, sums = 0.0, dict.fromkeys(self._parts(), 0.0)
        while True:
            check_cancelled()
            for part in islice(parts, _AHEAD - len(sent)):
                sent.append(session.forward([self._soft(example.datum) for example in part], self._loss))
            if not sent:
                break
            output = sent.popleft().result()
            loss += output.loss
            for name in sums:
                sums[name] += output.metrics[f"loss/{name}:sum"]
        tokens = sum(example.trained_tokens for example in examples)
        return loss / tokens, {name: value / tokens for name, value in sums.items()}
