"""Preference training as an objective of the loop: two answers a place, one custom loss a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.ir import LoraConfig, to_dict
from crucible.train.objective import Material, Objective, Validated
from crucible.train.preference.places import PreferenceData, Preferred
from crucible.train.preference.scoring import Sums, score_answers
from crucible.train.preference.settings import PreferenceConfig
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window, steps_in_all, turns

__all__ = ["Preference", "validation_metrics"]

_SAMPLE: Final = 32  # places on which the loss before and after is measured
_RANKED: Final = ("accuracy", "margin", "chosen_reward", "rejected_reward")
_JUDGED: Final = ("divergence", "desirable_reward", "undesirable_reward")


def validation_metrics(settings: PreferenceConfig, held_out: Sequence[Preferred] | None = None) -> tuple[str, ...]:
    """Return the names of what a validation measures.

    Args:
        settings: Which loss.
        held_out: What is held out; ties alone are not ranked, and a reward needs an answer of its kind. None: not known
            yet, so that all names are returned.
    """
    names = _RANKED if settings.takes_pairs else _JUDGED
    if held_out is not None and settings.takes_pairs:
        names = () if all(place.is_tie for place in held_out) else names
    elif held_out is not None:
        verdicts = {place.desirable for place in held_out}
        lacking = {name for name, verdict in (("desirable", True), ("undesirable", False)) if verdict not in verdicts}
        names = tuple(name for name in names if name.removesuffix("_reward") not in lacking)
    return ("validation_loss", *(f"validation_{name}" for name in names))


class Preference(Objective):
    """Training on preferences.

    Args:
        data: What to train on and to validate on.
        references: Sums of the reference for all places, those of training first; zeros where the loss has none.
        config: Batch size, batches a step, steps, seed.
        settings: Loss, beta, ties.
        reference: What the sums are of, for the identity of the training.
    """

    kind = "preference"

    def __init__(
        self,
        data: PreferenceData,
        references: Sequence[Sums],
        config: LoraConfig,
        settings: PreferenceConfig,
        *,
        reference: str,
    ) -> None:
        count = len(data.train)
        self._train = tuple(zip(data.train, references[:count], strict=True))
        self._held_out = tuple(zip(data.validation, references[count:], strict=True))
        self._config = config
        self._settings = settings
        self._prefix = "dpo" if settings.takes_pairs else "kto"
        self.total_steps = steps_in_all(config, count)
        self.reports = validation_metrics(settings, data.validation or None)
        self.identity: Mapping[str, Any] = {"preference": to_dict(settings), "reference": reference}
        self.material = Material(
            items=count,
            held_out=len(data.validation),
            truncated=data.counts.truncated,
            refused=data.counts.refused,
            digest=data.digest,
            synthetic=data.synthetic,
        )

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Yield the places of each step, epoch after epoch without end, from where the state stands."""
        from crucible.train.preference.losses import Placed

        del session
        for turn in turns(self._train, self._config, epoch=state.epoch, position=state.position):
            total = sum(map(len, turn.batches))
            made = tuple(
                Batch(
                    [datum for place, _ in batch for datum in (place.first, place.second)],
                    tuple(place.item_id for place, _ in batch),
                    Placed(tuple(place for place, _ in batch), tuple(sums for _, sums in batch), total),
                )
                for batch in turn.batches
            )
            tokens = sum(place.tokens for batch in turn.batches for place, _ in batch)
            yield Window(turn.epoch, turn.position, turn.ends_epoch, made, tokens)

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit a batch to the preference loss."""
        from crucible.train.preference.losses import custom_loss

        return session.forward_backward_custom(batch.data, custom_loss(batch.beside, self._settings))

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> Mapping[str, float]:
        """Return the means over a step's places: `dpo/accuracy`, `dpo/margin` and so on, or those of kto."""
        del window
        return {f"{self._prefix}/{name}": value for name, value in self._means([each.metrics for each in outputs])}

    def sample_loss(self, session: Session) -> float:
        """Return the mean loss of the first training places."""
        return self._measure(session, self._train[:_SAMPLE])[0]

    def validate(self, session: Session) -> Validated:
        """Return the mean loss of the held-out places, how often the chosen answer is ahead, and by how much."""
        loss, found = self._measure(session, self._held_out)
        metrics = {f"validation_{name}": value for name, value in self._means([found])}
        return Validated(loss, metrics, sum(place.tokens for place, _ in self._held_out))

    def _measure(self, session: Session, chosen: Sequence[tuple[Preferred, Sums]]) -> tuple[float, Mapping[str, float]]:
        import torch

        from crucible.train.preference.losses import Placed, loss_of

        places = tuple(place for place, _ in chosen)
        policy = torch.tensor(score_answers(session, places, self._config.batch_size), dtype=torch.float64)  # (N, 2)
        placed = Placed(places, tuple(sums for _, sums in chosen), len(places))
        loss, found = loss_of(placed, policy, self._settings)
        return float(loss), found

    def _means(self, parts: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, float]]:
        """Yield the mean of each measurement over several batches; one that nothing was measured for is left out."""
        for name in _RANKED if self._settings.takes_pairs else _JUDGED:
            count = sum(part[f"{name}:n"] for part in parts)
            if count:
                yield name, sum(part[name] for part in parts) / count
