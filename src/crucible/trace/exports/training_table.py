"""The measurements of a chain's trainings, a row an epoch: `training_table`.

A row is one `epoch_completed`; two of them never share a row, so a resumed epoch has two. What was measured for the
epoch by other events joins its row within the same lane: training, experiment, stage, worker and rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.trace.chain import Chain
from crucible.trace.event import Event, format_timestamp
from crucible.trace.exports.lanes import WORKERS, Lane, Lanes, Trainings
from crucible.trace.exports.measured import (
    epoch_of,
    has_step,
    is_number,
    metrics_of,
    number_of,
    recorded,
    validation,
)
from crucible.trace.plain import plain
from crucible.trace.vocabulary import canonical_type

__all__ = ["training_table"]

_TRAINING = ("model", "training_id")
_SUPERSEDED = "superseded"
_OPTIONAL = (*_TRAINING, *WORKERS, _SUPERSEDED)
_FIXED = ("experiment_id", "stage_id", *_TRAINING, *WORKERS, "epoch", "timestamp", "event_id", _SUPERSEDED)
_MEASURING = {"validation_run": validation, "metric_recorded": recorded}


def training_table(chain: Chain) -> list[dict[str, Any]]:
    """Return one row an epoch, in the order in which the epochs were completed; all rows have the same keys.

    The keys are `experiment_id`, `stage_id`, `model` and `training_id`, `worker` and `rank`, `epoch`, `timestamp`,
    `event_id` and `superseded`, then each metric in order of appearance: the keys of `metadata`, and of `metrics` in
    it, that are a number in any row. `training_id` is the id of the `training_started` that encloses the epoch, `model`
    the one that it names, or the epoch itself does; these four and `superseded` are left out where no row has them.

    `validation_run` and `metric_recorded` events with the number of the epoch join its row; validation metrics are
    called `val_…`. Of measurements that state a `step`, the last is kept, unless the epoch itself says otherwise, and
    `superseded` counts the values that gave way; a resumed epoch has its own. Of measurements without a step that
    contradict what the row has, each makes a row of its own, and so do those of an epoch that was never completed: rows
    without `event_id`. What a row lacks is None; numbers are plain ints and floats; NaN and infinities are floats, also
    where the chain has them as words.

    Args:
        chain: A chain without epochs gives an empty list.
    """
    trainings = Trainings(chain)
    kinds = [(event, canonical_type(event.type)) for event in chain]
    completed = [event for event, kind in kinds if kind == "epoch_completed"]
    measured = [event for event, kind in kinds if kind in _MEASURING and epoch_of(event.metadata) is not None]
    lanes = Lanes(completed, measured, trainings)
    book = _Book()
    for event, kind in kinds:
        if kind == "epoch_completed":
            row = _Row(event, trainings.around(event), is_completed=True)
            book.complete(lanes.of_completed(event), row, metrics_of(event.metadata))
        elif kind in _MEASURING and epoch_of(event.metadata) is not None:
            row = _Row(event, trainings.around(event), is_completed=False)
            book.measure(lanes.of_measured(event), row, _MEASURING[kind](event), is_stepwise=has_step(event))
    return book.rows()


class _Row:
    def __init__(self, event: Event, training: Event | None, *, is_completed: bool) -> None:
        self.fixed: dict[str, Any] = {
            "experiment_id": event.experiment_id,
            "stage_id": event.stage_id,
            "model": _model(event, training),
            "training_id": None if training is None else training.id,
            **{name: number_of(event.metadata.get(name)) for name in WORKERS},
            "epoch": epoch_of(event.metadata),
            "timestamp": format_timestamp(event.timestamp),
            "event_id": event.id if is_completed else None,
        }
        self.metrics: dict[str, Any] = {}
        self.stepwise: set[str] = set()  # metrics of which a later step's value takes the place
        self.superseded = 0

    def agrees(self, metrics: Mapping[str, Any]) -> bool:
        """Whether none of the metrics is known here with another value."""
        return all(name not in self.metrics or _same(self.metrics[name], value) for name, value in metrics.items())

    def take(self, metrics: Mapping[str, Any], *, is_stepwise: bool) -> None:
        """Keep measurements; of one that is known here with another value, the later."""
        for name, value in metrics.items():
            self.superseded += name in self.metrics and not _same(self.metrics[name], value)
            self.metrics[name] = value
            if is_stepwise:
                self.stepwise.add(name)

    def absorb(self, earlier: _Row) -> bool:
        """Take over what was measured step by step, and what is not known here; whether nothing else is left there."""
        for name, value in list(earlier.metrics.items()):
            is_other = name in self.metrics and not _same(self.metrics[name], value)
            if is_other and name not in earlier.stepwise:
                continue
            if is_other and name in self.stepwise:
                self.metrics[name] = value
            self.superseded += is_other
            self.metrics.setdefault(name, value)
            self.stepwise |= {name} & earlier.stepwise - self.metrics.keys()
            del earlier.metrics[name]
        self.superseded += earlier.superseded
        earlier.superseded = 0
        return not earlier.metrics


class _Book:
    """The rows, and by lane the one that measurements may still join."""

    def __init__(self) -> None:
        self._rows: dict[_Row, None] = {}  # in order
        self._last: dict[Lane, _Row] = {}
        self._waiting: dict[Lane, _Row] = {}  # measured before the epoch was completed
