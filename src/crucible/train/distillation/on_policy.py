"""Distillation on what the student says itself: a token gains by how much likelier the teacher finds it.

An iteration is one optimiser step: the weights of the moment answer the step's prompts, the teachers score the answers.
What is drawn depends on the seed and the place in the data alone, so a resumed training draws the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.data import batches
from crucible.data.order import draw_seed
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train.distillation.settings import DistillConfig
from crucible.train.distillation.student_samples import Prompt, StudentSamples, draw
from crucible.train.distillation.teacher import Teacher
from crucible.train.examples import Example
from crucible.train.objective import Material, Objective, Validated
from crucible.train.rl.divergence import sample_train_divergence
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window, steps_in_all

__all__ = ["OnPolicy", "scaled"]

_SAMPLE: Final = 32  # prompts on which the divergence before and after is measured
_OWN: Final = "importance_sampling"
_ANSWERS: Final = "cross_entropy"


class OnPolicy(Objective):
    """Training on the student's own answers towards a teacher.

    Args:
        prompts: What the student is asked in training.
        held_out: What it is asked at validations.
        config: Prompts a batch, batches a step, steps, seed.
        settings: How the student is distilled.
        teachers: One or several.
        material: What it reads, in numbers.
        identity: What tells the teachers and settings from others.
        answers: By item, the items' own answers; needed where alpha is below 1.
    """

    kind = "distillation"
    looks_at_weights = True
    reports = ("validation_loss",)

    def __init__(
        self,
        prompts: Sequence[Prompt],
        held_out: Sequence[Prompt],
        config: LoraConfig,
        settings: DistillConfig,
        teachers: Sequence[Teacher],
        *,
        material: Material,
        identity: Mapping[str, Any],
        answers: Mapping[str, Example] | None = None,
    ) -> None:
        self._prompts = tuple(prompts)
        self._held_out = tuple(held_out)
        self._config = config
        self._settings = settings
        self._teachers = tuple(teachers)
        self._answers = answers or {}
        self.material = material
        self.identity = identity
        self.total_steps = steps_in_all(config, len(self._prompts))

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Yield the student's answers to the prompts of each step, drawn with the weights before that step."""
        epoch, position = state.epoch, state.position
        per_epoch = -(-len(self._prompts) // self._config.batch_size)
        while True:
            order = batches(self._prompts, self._config.batch_size, self._config.seed, epoch)
            rest = islice(order, position, None)
            while chosen := list(islice(rest, self._config.accumulation_steps)):
                seed = draw_seed(self._config.seed, f"distillation/{epoch}/{position}")
                position += len(chosen)
                yield self._window(session, chosen, seed, epoch, position, ends_epoch=position == per_epoch)
            epoch, position = epoch + 1, 0

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit the student's answers with their advantages, or the items' own answers."""
        return session.forward_backward(batch.data, batch.beside)

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> dict[str, float]:
        """Return how far the weights in training are from those that drew the answers, as far as the session says."""
        own = [(b, out) for b, out in zip(window.batches, outputs, strict=True) if b.beside == _OWN]
        data = [datum for batch, _ in own for datum in batch.data]
        found = sample_train_divergence(data, [each for _, output in own for each in output.logprobs])
        return {f"distill/{name}": value for name, value in found.items()}

    def sample_loss(self, session: Session) -> float:
        """Return the divergence from the teachers on the first prompts, nats a token."""
        return self._divergence(session, self._prompts[:_SAMPLE]).reverse_kl

    def validate(self, session: Session) -> Validated:
        """Return the divergence from the teachers on the held-out prompts, nats a token."""
        found = self._divergence(session, self._held_out)
        return Validated(found.reverse_kl, {}, found.tokens)

    def _divergence(self, session: Session, prompts: Sequence[Prompt]) -> StudentSamples:
        return self._draw(session, prompts, draw_seed(self._config.seed, "distillation/measured"))

    def _draw(self, session: Session, prompts: Sequence[Prompt], seed: int) -> StudentSamples:
        return draw(
            session.create_sampler(),
            self._teachers,
            prompts,
            group_size=self._settings.group_size,
            max_tokens=self._settings.max_tokens,
            kl_discount=self._settings.kl_discount,
            seed=seed,
        )

    def _window(
        self, session: Session, chosen: list[list[Prompt]], seed: int, epoch: int, position: int, *, ends_epoch: bool
    ) -> Window:
        prompts = [prompt for batch in chosen for prompt in batch]
        samples = self._draw(session, prompts, seed)
        made = list(self._own_batches(chosen, samples))
        if self._settings.alpha < 1:
            made += self._answer_batches(chosen)
        metrics = {"distill/reverse_kl": samples.reverse_kl, "distill/answer_tokens": float(samples.tokens)}
        if samples.failed:
            metrics["distill/failed"] = float(samples.failed)
        tokens = sum(len(datum) for batch in made for datum in batch.data)
        return Window(epoch, position, ends_epoch, tuple(made), tokens, metrics=metrics)

    def _own_batches(self, chosen: list[list[Prompt]], samples: StudentSamples) -> Iterator[Batch]:
        """Yield the student's answers, a batch of prompts at a time; their weights sum to alpha over all batches."""
        start = 0
        for batch in chosen:
            there = [n for n, place in enumerate(samples.prompts) if start <= place < start + len(batch)]
            ids = tuple(batch[samples.prompts[n] - start].item_id for n in there)
            start += len(batch)
            if there:
                data = scaled([samples.data[n] for n in there], self._settings.alpha / samples.tokens)
                yield Batch(data, tuple(dict.fromkeys(ids)), _OWN)

    def _answer_batches(self, chosen: list[list[Prompt]]) -> Iterator[Batch]:
        """Yield the items' own answers; their weights sum to 1 - alpha over all batches."""
        total = sum(self._answers[prompt.item_id].trained_tokens for batch in chosen for prompt in batch)
        for batch in chosen:
            data = [self._answers[prompt.item_id].datum for prompt in batch]
            ids = tuple(prompt.item_id for prompt in batch)
            yield Batch(scaled(data, (1 - self._settings.alpha) / total), ids, _ANSWERS)


def scaled(data: Sequence[Datum], factor: float) -> list[Datum]:
    """Return the data with every weight multiplied by a factor."""
    return [
        msgspec.structs.replace(datum, weights=tuple(weight * factor for weight in datum.weights)) for datum in data
    ]
