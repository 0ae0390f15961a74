"""What a caller may be told while a training goes on: the end of a step, of an epoch, a checkpoint on disk.

Callbacks run on the training's own thread, in the order of registration, between two optimiser steps: the session has
done what was told and nothing more. One that raises fails the training.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from crucible.backends import Sampler
from crucible.errors import TrainError
from crucible.pipeline import run_sync
from crucible.pipeline.cancel import is_stop
from crucible.train.records import Checkpoint, EpochRecord, StepRecord

__all__ = ["Callbacks", "Listeners", "Measure"]

T = TypeVar("T")
Measure = Callable[[Sampler], float]
"""Measures the weights as they are at a validation, such as by asking them a few questions."""


class Callbacks(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told what. Each may be a plain function or a coroutine function, and what it returns is not used.

    A coroutine is run to its end, in an event loop of its own, before the training goes on.

    Attributes:
        on_step_end: Called after each optimiser step. The next step is then not sent ahead, which costs a remote
            backend one round trip a step.
        on_epoch_end: Called at the end of each pass over the items, also of one that the training's end cut short.
        on_checkpoint: Called when a checkpoint is on disk, whole.
    """

    on_step_end: Callable[[StepRecord], Any] | None = None
    on_epoch_end: Callable[[EpochRecord], Any] | None = None
    on_checkpoint: Callable[[Checkpoint], Any] | None = None


class Listeners:
    """Tells every registered callback.

    Args:
        callbacks: One record or several; of several, the first is told first.
        measures: Measurements by name, taken at every validation.

    Attributes:
        have_failed: One of them raised, so that the training ends through no fault of its own.
    """

    def __init__(
        self, callbacks: Callbacks | Sequence[Callbacks] = (), measures: Mapping[str, Measure] | None = None
    ) -> None:
        every = (callbacks,) if isinstance(callbacks, Callbacks) else tuple(callbacks)
        self._step = [each.on_step_end for each in every if each.on_step_end is not None]
        self._epoch = [each.on_epoch_end for each in every if each.on_epoch_end is not None]
        self._checkpoint = [each.on_checkpoint for each in every if each.on_checkpoint is not None]
        self._measures = dict(measures or {})
        self.have_failed = False

    @property
    def hear_steps(self) -> bool:
        """Whether somebody wants to be told of every step."""
        return bool(self._step)

    def step_end(self, record: StepRecord) -> None:
        """Tell of an optimiser step; each listener gets a copy of its own."""
        for call in self._step:
            self._tell("callback on_step_end", call, cast("StepRecord", dict(record)), record["step"])

    def epoch_end(self, record: EpochRecord, step: int) -> None:
        """Tell of the end of an epoch."""
        for call in self._epoch:
            self._tell("callback on_epoch_end", call, cast("EpochRecord", dict(record)), step)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Tell of a checkpoint."""
        for call in self._checkpoint:
            self._tell("callback on_checkpoint", call, checkpoint, checkpoint.step)

    def measured(self, sample_with: Callable[[], Sampler], step: int) -> dict[str, float]:
        """Return what the measures say of the current weights; no sampler is made where there is no measure.

        Raises:
            TrainError: A measure raised, or returned no finite number.
        """
        if not self._measures:
            return {}
        sampler = sample_with()
        found = {name: self._tell(f'measure "{name}"', call, sampler, step) for name, call in self._measures.items()}
        for name, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                self.have_failed = True
                raise TrainError(
                    f'the measure "{name}" must return a finite number, got {value!r} at step {step}', step=step
                )
        return {name: float(value) for name, value in found.items()}

    def _tell(self, what: str, call: Callable[[T], Any], value: T, step: int) -> Any:
        """Call a stranger's function, and say whose fault it is where it fails.

        Raises:
            TrainError: It raised; the cause is chained. What stops a run, such as `Cancelled`, goes through.
        """
        try:
            returned = call(value)
            return run_sync(returned) if inspect.iscoroutine(returned) else returned
        except Exception as error:
            if is_stop(error):
                raise
            self.have_failed = True
            name = getattr(call, "__qualname__", type(call).__name__)
            raise TrainError(
                f"the {what} ({name}) failed at step {step}: {type(error).__name__}: {error}", step=step
            ) from error
