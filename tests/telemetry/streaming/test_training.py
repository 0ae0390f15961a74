"""How trainings go."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crucible.store import StoredEvent
from crucible.telemetry.streaming import TrainingSummary
from crucible.telemetry.streaming.training import TRAINING_EVENTS, Trainings

BATCH, EPOCH, VALIDATION = TRAINING_EVENTS


def event(name: str, at_ns: int, latency_ms: Any = None, **fields: Any) -> StoredEvent:
    """Return a record of a training."""
    return StoredEvent(name, at_ns, latency_ms=latency_ms, fields=fields)


def trainings(*records: StoredEvent) -> Trainings:
    """Return the progress that records tell."""
    progress = Trainings()
    for record in records:
        progress.add(TRAINING_EVENTS[record.name], record)
    return progress


def only(*records: StoredEvent) -> TrainingSummary:
    """Return the summary of the one model that records tell of."""
    (summary,) = trainings(*records).summaries()
    return summary


def test_last_and_best_loss() -> None:
    """The best is the smallest, the earliest of equal ones; each with its step."""
    summary = only(
        event(BATCH, 1, loss=2.0, step=1, epoch=0),
        event(BATCH, 2, loss=1.0, step=2, epoch=0),
        event(BATCH, 3, loss=1.0, step=3, epoch=1),
        event(BATCH, 4, loss=1.5, step=4, epoch=1),
    )
    loss = summary.loss
    assert (loss.count, loss.last, loss.last_step) == (4, 1.5, 4.0)
    assert (loss.best, loss.best_step, loss.best_epoch) == (1.0, 2.0, 0.0)
    assert summary.epoch == 1.0


def test_a_replay_by_time_says_the_same() -> None:
    """Last is by time of the event, not by arrival; of one time, the later arrival."""
    records = [event(BATCH, at, loss=float(at), step=at, epoch=at) for at in (5, 3, 9, 1)]
    assert only(*records) == only(*sorted(records, key=lambda record: record.timestamp_ns))
    assert only(*records).loss.last == 9.0
    assert only(event(BATCH, 1, loss=1.0), event(BATCH, 1, loss=2.0)).loss.last == 2.0


def test_a_loss_that_is_no_number_is_the_last_but_never_the_best() -> None:
    """A diverged training says so."""
    loss = only(event(BATCH, 1, loss=2.0), event(BATCH, 2, loss=-math.inf), event(BATCH, 3, loss=math.nan)).loss
    assert loss.last is not None
    assert math.isnan(loss.last)
    assert (loss.best, loss.not_finite, loss.count) == (2.0, 2, 3)


def test_epochs_speak_where_batches_are_silent() -> None:
    """A mean of an epoch is not mixed with losses of batches."""
    assert only(event(EPOCH, 1, loss=3.0, epoch=0)).loss.last == 3.0
    assert only(event(EPOCH, 1, loss=3.0), event(BATCH, 0, loss=5.0)).loss.last == 5.0


def test_validation_loss() -> None:
    """From the validation's own event or an epoch's `val_loss`."""
    summary = only(event(VALIDATION, 1, loss=2.0, step=10), event(EPOCH, 2, loss=1.0, val_loss=1.5, epoch=3))
    assert (summary.validation.best, summary.validation.best_epoch, summary.validation.count) == (1.5, 3.0, 2)
    assert summary.loss.last == 1.0


def test_throughput_is_of_batches_that_told_both() -> None:
    """Tokens by seconds; a batch without a duration counts its tokens only."""
    summary = only(
        event(BATCH, 1, latency_ms=500.0, tokens=100),
        event(BATCH, 2, latency_ms=1500.0, tokens=500),
        event(BATCH, 3, tokens=50),
    )
    assert (summary.tokens, summary.tokens_per_s) == (650.0, 300.0)
    assert summary.last_tokens_per_s == pytest.approx(500 / 1.5)


def test_throughput_as_told() -> None:
    """What the trainer measured itself is the last one."""
    summary = only(event(BATCH, 1, latency_ms=1000.0, tokens=10, tokens_per_s=12.5), event(EPOCH, 2, loss=1.0))
    assert (summary.last_tokens_per_s, summary.tokens_per_s) == (12.5, 10.0)
    assert only(event(BATCH, 1, tokens_per_s=9.0)).last_tokens_per_s == 9.0
    assert only(event(BATCH, 1, latency_ms=0.0, tokens=5)).tokens_per_s is None
    assert only(event(BATCH, 1, latency_ms=math.inf, tokens=5)).tokens_per_s is None


@pytest.mark.parametrize("bad", ["x", None, True, 10**400, [1.0], object()])
def test_what_is_no_number_is_not_told(bad: Any) -> None:
    """It is left out, and raises nothing."""
    summary = only(event(BATCH, 1, latency_ms=bad, loss=bad, step=bad, epoch=bad, tokens=bad, tokens_per_s=bad))
    assert (summary.loss.count, summary.epoch, summary.tokens, summary.last_tokens_per_s) == (0, None, 0.0, None)


def test_models_are_kept_apart() -> None:
    """A run that trains two never mixes their losses; after a hundred the others are one."""
    progress = trainings(
        event(BATCH, 1, loss=1.0, model="b"), event(BATCH, 2, loss=2.0), event(BATCH, 3, loss=3.0, model="a")
    )
    assert [(s.model, s.loss.last) for s in progress.summaries()] == [(None, 2.0), ("a", 3.0), ("b", 1.0)]
    many = trainings(*(event(BATCH, i, loss=1.0, model=f"m{i}") for i in range(150)))
    assert len(many.summaries()) == 101
    assert {s.model: s.loss.count for s in many.summaries()}["(other)"] == 50


def test_parts_merge_to_the_whole() -> None:
    """Models that both know, and those that one does; the part stays as it was."""
    a = [event(BATCH, 4, latency_ms=100.0, loss=2.0, step=4, tokens=7), event(EPOCH, 6, loss=1.0, epoch=1)]
    b = [event(BATCH, 2, latency_ms=100.0, loss=math.nan, tokens=1), event(VALIDATION, 3, loss=0.5, model="x")]
    one, two = trainings(*a), trainings(*b)
    one.merge(two)
    assert one.summaries() == trainings(*a, *b).summaries()
    assert repr(two.summaries()) == repr(trainings(*b).summaries())
    twin = one.copy()
    twin.add("batch", event(BATCH, 9, loss=0.1))
    assert one.summaries() != twin.summaries()


def test_plain_data() -> None:
    """Nested by loss."""
    told = only(event(BATCH, 1, loss=2.0, step=1)).to_dict()
    assert told["loss"]["last"] == 2.0
    assert told["validation"]["last"] is None
