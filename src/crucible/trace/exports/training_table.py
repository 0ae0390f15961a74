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
            _SUPERSEDED: 0,
        }
        self.metrics: dict[str, Any] = {}
        self.own: frozenset[str] = frozenset()  # metrics that the epoch itself states
        self.stepwise: set[str] = set()  # metrics that were measured at a step, of which a later one takes the place
        self.superseded = 0

    def agrees(self, metrics: Mapping[str, Any], *, is_stepwise: bool = False) -> bool:
        """Whether none of the metrics is known here with another value, unless that gives way to them."""
        return all(
            name not in self.metrics or _same(self.metrics[name], value) or (is_stepwise and name in self.stepwise)
            for name, value in metrics.items()
        )

    def take(self, metrics: Mapping[str, Any], *, is_stepwise: bool) -> None:
        """Keep measurements that agree; a later step's in the place of an earlier one's."""
        for name, value in metrics.items():
            self.superseded += name in self.metrics and not _same(self.metrics[name], value)
            self.metrics[name] = value
            if is_stepwise:
                self.stepwise.add(name)

    def absorb(self, other: _Row) -> bool:
        """Take over what another row measured, but for what contradicts; whether nothing is left there."""
        for name, value in list(other.metrics.items()):
            is_other = name in self.metrics and not _same(self.metrics[name], value)
            if is_other and name not in other.stepwise:
                continue
            self.superseded += is_other
            if name not in self.own:
                self.metrics[name] = value
            del other.metrics[name]
        self.stepwise |= other.stepwise
        self.superseded += other.superseded
        other.superseded = 0
        return not other.metrics


class _Book:
    """The rows, and by lane the one that measurements may still join."""

    def __init__(self) -> None:
        self._rows: dict[_Row, None] = {}  # in order
        self._last: dict[Lane, _Row] = {}
        self._waiting: dict[Lane, _Row] = {}  # measured before the epoch was completed

    def complete(self, lane: Lane, row: _Row, metrics: dict[str, Any]) -> None:
        row.metrics, row.own = metrics, frozenset(metrics)
        waiting = self._waiting.pop(lane, None)
        if waiting is not None and row.absorb(waiting):
            del self._rows[waiting]
        self._rows[row] = None
        self._last[lane] = row

    def measure(self, lane: Lane, fresh: _Row, metrics: dict[str, Any], *, is_stepwise: bool) -> None:
        last, waiting = self._last.get(lane), self._waiting.get(lane)
        if waiting is not None and waiting.agrees(metrics, is_stepwise=is_stepwise):
            row = waiting
        elif last is not None and last.agrees(metrics):
            row = last
        else:  # of a repeated epoch, this is the next time
            row = self._waiting[lane] = fresh
            self._rows[row] = None
        row.take(metrics, is_stepwise=is_stepwise)

    def rows(self) -> list[dict[str, Any]]:
        for lane, waiting in self._waiting.items():
            last = self._last.get(lane)  # there was no next time: these were later steps of the last
            if last is not None and waiting.stepwise and last.absorb(waiting):
                del self._rows[waiting]
        names = dict.fromkeys(name for row in self._rows for name, value in row.metrics.items() if is_number(value))
        for row in self._rows:
            row.fixed[_SUPERSEDED] = row.superseded
        nothing = {_SUPERSEDED: 0}
        absent = [name for name in _OPTIONAL if all(row.fixed[name] == nothing.get(name) for row in self._rows)]
        fixed = [name for name in _FIXED if name not in absent]
        titles = {name: f"metadata.{name}" if name in _FIXED else name for name in names}
        return [
            {name: row.fixed[name] for name in fixed} | {title: row.metrics.get(name) for name, title in titles.items()}
            for row in self._rows
        ]


def _model(event: Event, training: Event | None) -> Any:
    told = [each.metadata.get(name) for each in (training, event) if each for name in ("model", "model_name")]
    return next((number_of(value) for value in told if value is not None), None)


def _same(one: Any, other: Any) -> bool:
    return plain(one) == plain(other)  # NaN is itself
