"""Early stopping: functions of the validations, and a training that ends by them, says why, and hands out the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.data import Item, make_tickets
from crucible.errors import TrainError
from crucible.ir import EarlyStoppingConfig, LoraConfig
from crucible.train import Trainer, TrainResult, ValidationRecord
from crucible.train.early_stopping import best_of, gave_up

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]
Shape = Callable[[LoraConfig, Path, Sequence[float]], Trainer]


def validations(*losses: float, **other: Sequence[float]) -> list[ValidationRecord]:
    """Return a validation every 10 steps."""
    return [
        {"step": 10 * place, "loss": loss, "metrics": {name: values[place - 1] for name, values in other.items()}}
        for place, loss in enumerate(losses, 1)
    ]


def stopping(**values: Any) -> EarlyStoppingConfig:
    """Return when to stop."""
    return EarlyStoppingConfig(**values)


@pytest.mark.parametrize(
    ("losses", "values", "stops_at"),
    [
        ([3, 2, 1, 0.5], {"patience": 1}, None),
        ([3, 2, 2.5, 1], {"patience": 1}, 3),
        ([3, 2, 2, 1], {"patience": 1}, 3),  # as good is no better
        ([3, 2, 2.5, 2.6, 1], {"patience": 2}, 4),
        ([3, 2.5, 2.1, 1.8], {"patience": 1, "min_delta": 0.45}, 3),
        ([3, 2.9, 2.8, 2.7, 2.4], {"patience": 4, "min_delta": 0.5}, None),  # small gains add up to one that counts
        ([1, 2, 3, 2], {"patience": 1, "mode": "max"}, 4),
        ([math.nan, math.nan], {"patience": 2}, 2),
        ([2, math.nan, 1], {"patience": 2}, None),
    ],
)
def test_it_is_time_after_patience_validations_without_a_gain(
    losses: list[float], values: dict[str, Any], stops_at: int | None
) -> None:
    """Each further validation is judged with those before it; the first that says so ends the training."""
    found = [place for place in range(1, len(losses) + 1) if gave_up(validations(*losses[:place]), stopping(**values))]
    assert (found[0] if found else None) == stops_at


def test_another_metric_may_be_watched() -> None:
    """What a validation reports beside its loss."""
    records = validations(1, 2, 3, accuracy=[0.1, 0.5, 0.4])
    assert gave_up(records, stopping(metric="accuracy", mode="max", patience=2)) is None
    assert gave_up(records, stopping(metric="accuracy", mode="max", patience=1)) == (
        "accuracy has not got better since step 20 (0.5), in 1 validation (patience 1)"
    )
    assert best_of(records, "accuracy", "max") == records[1]


def test_the_best_is_the_earliest_among_equals_and_never_nan() -> None:
    """Lowest or highest by mode; without a number there is none."""
    records = validations(2, math.nan, 1, 1, 3)
    assert best_of(records) == records[2]
    assert best_of(records, mode="max") == records[4]
    assert best_of([]) is None
    assert best_of(validations(math.nan)) is None


def train(trainer: Trainer, **options: Any) -> TrainResult:
    """Train on tickets and close."""
    with trainer:
        return trainer.train(make_tickets(24, seed=0), **options)


CURVE = [9, 9, 5, 9, 3, 9, 4, 9, 3.5, 9, 3.2, 9, 1]
"""Validation loss after n steps; measured every 2, the best is at step 4, and patience 3 is over at step 10."""


def test_a_training_ends_when_it_is_time_and_hands_out_the_best(
    configure: Configure, shaped: Shape, tmp_path: Path
) -> None:
    """It ends at step 10 of 20, keeps step 4, and the trace says why and which."""
    config = configure(max_steps=20, validation_fraction=0.3, early_stopping=stopping(patience=3))
    with events.collect("cruc*") as found:
        result = train(shaped(config, tmp_path, CURVE))
    assert (result.steps, result.stopped_early, result.kept.step) == (10, True, 4)
    assert result.best_checkpoint == result.kept
    assert result.stop_reason == "validation_loss has not got better since step 4 (3), in 3 validations (patience 3)"
    assert [checkpoint.step for checkpoint in result.checkpoints] == [4, 8, 10]
    told = {event.metadata.get("type"): event.metadata for event in found}
    assert told["early_stopped"]["decision"] == "stopped at step 10 of 20"
    assert told["early_stopped"]["reasoning"] == f"{result.stop_reason}; step 4 is best (3)"
    assert told["early_stopped"]["alternatives"] == ["go on to step 20"]
    stop = next(event for event in found if event.name == "crucible_train.training.stop")
    assert stop.metadata["stopped_early"] is True


def test_without_reason_it_goes_on_to_the_last_step(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """Nothing is said of stopping then."""
    config = configure(max_steps=6, validation_fraction=0.3, early_stopping=stopping(patience=3))
    result = train(shaped(config, tmp_path, [5, 4, 3, 2, 1, 0.5, 0.2]))
    assert (result.steps, result.stopped_early, result.stop_reason) == (6, False, "all 6 steps are taken")


def test_at_the_last_step_nothing_is_stopped_early(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """The patience is over where the training is, too: all its steps were taken, also when it is looked at again."""
    config = configure(max_steps=6, validation_fraction=0.3, early_stopping=stopping(patience=2))
    for resume in (False, True):
        with events.collect("crucible_trace.decision.made") as found:
            result = train(shaped(config, tmp_path, [1]), resume=resume)
        assert (result.steps, result.stopped_early, result.stop_reason) == (6, False, "all 6 steps are taken")
        assert not any(event.metadata["decision"].startswith("stopped") for event in found)


def test_a_stopped_training_that_goes_on_stays_stopped(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """Killed between its end and its result, it takes no further step and gives the same result."""
    config = configure(max_steps=20, validation_fraction=0.3, early_stopping=stopping(patience=3))
    first = train(shaped(config, tmp_path, CURVE))
    with events.collect("crucible_train.batch.stop") as found:
        again = train(shaped(config, tmp_path, CURVE[10:11]), resume=True)
    assert found == []
    assert (again.stopped_early, again.stop_reason, again.kept) == (True, first.stop_reason, first.kept)


def test_interrupted_before_it_is_time_it_ends_at_the_same_step(
    configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """The validations so far are in the checkpoint, so the patience that is used up is known."""
    stop_soon = stopping(patience=2, min_delta=5.0)
    config = configure(max_steps=20, checkpoint_interval=3, validation_fraction=0.3, early_stopping=stop_soon)
    whole = train_real(config, items, tmp_path / "whole")
    assert (whole.stopped_early, whole.steps) == (True, 9)
    with stopping_at(7):
        train_real(config, items, tmp_path / "cut")
    resumed = train_real(config, items, tmp_path / "cut", resume=True)
    assert (resumed.history, resumed.validation) == (whole.history, whole.validation)
    assert (resumed.stop_reason, resumed.kept.step) == (whole.stop_reason, whole.kept.step)


def train_real(config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False) -> TrainResult:
    """Train a real adapter and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return trainer.train(items, resume=resume)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_fraction": 0.0}, "early_stopping needs held-out items to go by; set validation_fraction above 0"),
        ({"early_stopping": stopping(metric="acuracy")}, 'names "acuracy", which this training does not report'),
        ({"early_stopping": stopping(metric="final_loss")}, "it reports: validation_loss, validation_perplexity"),
    ],
)
def test_what_could_never_be_decided_is_refused_before_training(
    configure: Configure, items: list[Item], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """No held-out items, or a metric that no validation reports: an error that names the known ones."""
    values = {"validation_fraction": 0.3, "early_stopping": stopping(), **changes}
    with events.collect("crucible_train.*") as found, pytest.raises(TrainError, match=message):
        train_real(configure(**values), items, tmp_path)
    assert found == []
