"""What a training optimises: the part in which supervised, preference, reinforcement and distillation differ.

`loop.TrainingLoop` carries out any `Objective` and gives it resume, checkpoints, validations, early stopping, quality
targets, callbacks and events. An objective makes the windows of the steps, turns each batch into a request, and says
what was measured. It keeps no state of its own that a resumed training would miss: that goes into `Window.extra`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from crucible.backends import ForwardBackwardOutput, Session, SessionFuture
from crucible.train.keeping.choice import Mode
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window

__all__ = ["Material", "Objective", "Validated"]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What a training reads, in numbers.

    Attributes:
        items: Items, pairs or problems that it trains on, at least 1.
        held_out: Those that validations go by; 0: nothing is validated.
        truncated: Items whose prompt was shortened to fit, held-out ones included.
        refused: Items left out because they did not fit or say nothing.
        digest: SHA-256 of the items, so that a resumed training notices other data.
        synthetic: Items are made up.
    """

    items: int
    digest: str
    held_out: int = 0
    truncated: int = 0
    refused: int = 0
    synthetic: bool = False


class Validated(msgspec.Struct, frozen=True):
    """What a validation found.

    Attributes:
        loss: On what is held out, dropout off; None where the objective's validation has no loss.
        metrics: What else was measured, by name; finite numbers.
        tokens: Tokens that were read or written for it, for the pace.
    """

    loss: float | None
    metrics: Mapping[str, float] = {}
    tokens: int = 0


class Objective(Protocol):
    """What one training optimises. A class that names this one as its base gets the defaults below.

    Attributes:
        kind: One word, such as `supervised`: for events, and so that no training goes on as one of another kind.
        loss_function: Name of the loss whose mean per token a step's loss is, for events: of `cross_entropy` telemetry
            computes a perplexity. Empty where it is anything else.
        material: What it reads, in numbers.
        total_steps: Optimiser steps of the whole training, at least 1.
        looks_at_weights: Windows are made with the weights of the moment, as rollouts are. Then no window is made
            before the last iteration's steps were answered, and none on another thread.
        best_by: What tells which validation is best, and its mode, where early stopping names nothing.
        reports: Names of all that `validate` measures; with `validation_loss` where it has a loss.
        identity: What beside configuration and data must be equal for a resumed training to be the same one.
    """

    kind: str
    loss_function: str = ""
    material: Material
    total_steps: int
    looks_at_weights: bool = False
    best_by: tuple[str, Mode] = ("validation_loss", "min")
    reports: tuple[str, ...] = ("validation_loss",)
    identity: Mapping[str, Any] = {}

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Yield what each optimiser step trains on, from where the state stands; without end, or until the last step.

        Args:
            session: The adapter in training; its weights may be looked at where `looks_at_weights` says so.
            state: Where the training stands when this is called; not to be changed. What a window says in `epoch`,
                `position` and `extra` is written into it once its step is taken.
        """
        ...

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit one batch of a window; the losses of all of them add up to the loss of the step."""
        ...

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> Mapping[str, float]:
        """Return the metrics of a step that was taken, beside its loss; finite numbers by flat names such as `rl/kl`.

        Args:
            window: What it was trained on; its own `metrics` come first.
            outputs: One answer a batch.
        """
        del window, outputs
        return {}

    def sample_loss(self, session: Session) -> float | None:
        """Return the loss on a fixed sample, dropout off, before the first step and after the last; None: has none."""
        del session
        return None

    def validate(self, session: Session) -> Validated:
        """Measure the weights as they are on what is held out; called only where `material.held_out` is above 0.

        The same weights give the same numbers, and nothing of the session's gradient or dropout is touched.
        """
        ...
