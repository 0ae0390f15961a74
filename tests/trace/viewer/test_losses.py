"""Which losses of a chain become which lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crucible.trace import Chain, Event
from crucible.trace.training.history import from_training_metrics
from crucible.trace.viewer.losses import Line, loss_lines


def _drawn(lines: list[Line]) -> dict[tuple[str, str], list[tuple[float, float, int]]]:
    return {(line.measure, line.unit): [(p.place, p.loss, p.event) for p in line.points] for line in lines}


def _event(type: str = "loss_computed", **metadata: object) -> Event:  # noqa: A002  # the field's name
    return Event.new(type, "a", "b", metadata=metadata)


def test_loss_stands_where_the_event_says() -> None:
    """A step comes before an epoch, an epoch before the order of the events, also inside `metrics`."""
    events = [
        _event(loss=3, step=10, epoch=1),
        _event("epoch_completed", train_loss=2.5, val_loss=2.6, epoch=1),
        _event(loss_value=2.0),
        _event("metric_recorded", metrics={"loss": 1.5, "step": 20}),
        _event(loss_value=1.0),
    ]
    assert _drawn(loss_lines(events)) == {
        ("loss", "step"): [(10, 3, 0), (20, 1.5, 3)],
        ("loss", "epoch"): [(1, 2.5, 1)],
        ("validation loss", "epoch"): [(1, 2.6, 1)],
        ("loss", "event"): [(1, 2.0, 2), (2, 1.0, 4)],
    }


def test_points_are_sorted_by_place_and_ties_by_the_chain() -> None:
    """Events out of order, or trained twice, give one line from left to right."""
    events = [_event(loss=1, step=2), _event(loss=2, step=1), _event(loss=3, step=2)]
    assert _drawn(loss_lines(events)) == {("loss", "step"): [(1, 2, 1), (2, 1, 0), (2, 3, 2)]}


def test_a_line_for_each_experiment_stage_and_model() -> None:
    """Losses of different trainings are never joined."""
    events = [
        Event.new(
            "loss_computed", "a", "b", metadata={"loss": 1, "step": 1, "model": model}, stage_id=s, experiment_id=e
        )
        for model, s, e in [("m", "s", "e"), ("n", "s", "e"), ("m", "t", "e"), ("m", "s", "f"), ("m", "s", "e")]
    ]
    assert [len(line.points) for line in loss_lines(events)] == [2, 1, 1, 1]


def test_what_is_no_finite_number_is_counted_not_drawn() -> None:
    """NaN, words and booleans are left out, and the line says how many; their order in the line still counts."""
    events = [_event(loss=value) for value in (math.nan, "nan", True, math.inf, 10**400, 0.5)]
    (line,) = loss_lines(events)
    assert (line.left_out, line.points[0].place, line.points[0].loss) == (5, 6.0, 0.5)


def test_summary_of_a_training_is_drawn_as_what_it_is() -> None:
    """The first and last batch, the best validation and the final loss have lines of their own."""
    done = _event(
        "training_completed",
        batches={"first_step": 1, "first_loss": 4.5, "last_step": 200, "last_loss": 0.1},
        validation={"best_loss": 0.2, "best_step": 150},
        final_loss=0.15,
        steps=200,
    )
    assert _drawn(loss_lines([done])) == {
        ("loss, first and last step", "step"): [(1, 4.5, 0), (200, 0.1, 0)],
        ("best validation loss", "step"): [(150, 0.2, 0)],
        ("final loss", "step"): [(200, 0.15, 0)],
    }


def test_a_loss_elsewhere_counts_only_with_its_place() -> None:
    """A decision that names a step and a loss is drawn; a loaded model that mentions one without a place is not."""
    events = [_event("decision_made", validation_loss=0.4, step=80), _event("model_loaded", loss=0.3, steps=1000)]
    assert _drawn(loss_lines(events)) == {("validation loss", "step"): [(80, 0.4, 0)]}


def test_a_batch_is_not_placed_by_its_epoch() -> None:
    """The numbers of batches begin anew with every epoch, so they are drawn in their order."""
    events = [_event("batch_processed", loss=1.0, batch=n, epoch=e) for e in (1, 2) for n in (1, 2)]
    assert [place for place, _, _ in _drawn(loss_lines(events))["loss", "event"]] == [1, 2, 3, 4]


def test_trainings_are_told_apart_by_the_event_that_opened_them() -> None:
    """Two trainings whose epochs name no model are two lines, with the models that their beginnings name."""
    chain = Chain("two trainings")
    for model, base in (("resnet", 0.9), ("vit", 0.2)):
        rows = [{"epoch": epoch, "loss": base - 0.01 * epoch} for epoch in (1, 2, 3)]
        chain.extend(from_training_metrics(rows, model=model))
    lines = [line for line in loss_lines(chain) if line.measure == "loss"]
    assert [(line.lane.model, line.lane.training, len(line.points)) for line in lines] == [
        ("resnet", 0, 3),
        ("vit", 5, 3),
    ]


def test_a_training_encloses_through_any_depth_and_the_nearest_counts() -> None:
    """Stages between a training and its losses do not matter, nor do long chains, cycles and lost parents."""
    outer = Event.new("training_started", "outer", "r", id="outer", metadata={"model_name": "a", "worker": "w0"})
    inner = Event.new("training_started", "inner", "r", id="inner", parent_id="outer")
    deep = [
        Event.new("stage_started", "s", "r", id=f"s{n}", parent_id=f"s{n - 1}" if n else "outer") for n in range(5000)
    ]
    parents = ("s4999", "inner", "outer", "circle", "gone", None)
    losses = [Event.new("loss_computed", "l", "r", metadata={"loss": 1, "step": 1}, parent_id=name) for name in parents]
    circle = Event.new("stage_started", "c", "r", id="circle", parent_id="circle")
    events = [*losses, *reversed(deep), circle, inner, outer]
    places = {event.id: place for place, event in enumerate(events)}
    lines = loss_lines(events)
    assert [(line.lane.training, line.lane.model, line.lane.worker, len(line.points)) for line in lines] == [
        (places["outer"], "a", "w0", 2),
        (places["inner"], None, None, 1),
        (None, None, None, 3),
    ]


def test_workers_and_ranks_have_lines_of_their_own() -> None:
    """What each worker, and each rank of it, measured is one line, whatever kind of value names it."""
    known: list[dict[str, Any]] = [
        {"worker": "w0", "rank": 0},
        {"worker": "w0", "rank": 1},
        {"worker": "w1", "rank": 1},
        {"rank": [1]},
        {},
    ]
    events = [_event(loss=1, step=step, **each) for each in known for step in (1, 2)]
    lines = loss_lines(events)
    assert [(line.lane.worker, line.lane.rank) for line in lines] == [
        ("w0", "0"),
        ("w0", "1"),
        ("w1", "1"),
        (None, "[1]"),
        (None, None),
    ]
    assert {len(line.points) for line in lines} == {2}


def test_numbers_of_other_libraries_are_numbers() -> None:
    """A loss and a step as numpy has them are drawn."""
    (line,) = loss_lines([_event(loss=np.float32(0.5), step=np.int64(3))])
    assert (line.points[0].place, line.points[0].loss) == (3, 0.5)
