"""From an event to its row and its points."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from crucible.events import Event, Scope
from crucible.telemetry.series import points_of, seen, series_name


def event(measurements: dict[str, Any], metadata: dict[str, Any] | None = None) -> Event:
    """Return an event of a training step."""
    return Event("train.batch.stop", measurements, metadata or {}, 77, Scope("r", "e", "train", 2), "s2", "s1")


def points(measurements: dict[str, Any], metadata: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the points of an event without its run and time."""
    found = list(points_of("r", seen(event(measurements, metadata))))
    assert all((run, at) == ("r", 77) for run, *_, at in found)
    return [(name, step, value) for _, name, step, value, _ in found]


def test_a_series_is_named_after_event_measurement_and_model() -> None:
    """The name is the one that the documentation gives."""
    assert series_name("train.batch.stop", "loss", "rank16") == "train.batch.stop:loss[model=rank16]"
    assert series_name("train.batch.stop", "loss") == "train.batch.stop:loss"


def test_what_was_seen_does_not_change_any_more() -> None:
    """An emitter may use its dict again for the next step."""
    measurements = {"step": 1, "loss": 0.5}
    entry = seen(event(measurements))
    measurements["loss"] = 9.0
    assert [point[3] for point in points_of("r", entry)] == [0.5]


def test_every_number_of_a_step_is_a_point() -> None:
    """Counts and durations too, but not words, truth values or the step itself."""
    measured = {"step": 4, "loss": math.inf, "tokens": 12, "done": True, "note": "x", "nothing": None, "list": [1.0]}
    assert points(measured, {"model": "tuned"}) == [
        ("train.batch.stop:loss[model=tuned]", 4, math.inf),
        ("train.batch.stop:tokens[model=tuned]", 4, 12.0),
    ]


@pytest.mark.parametrize("step", [None, True, 1.0, "1", 2**63, -(2**64)])
def test_without_a_whole_step_there_are_no_points(step: Any) -> None:
    """A step is an integer that a database can hold."""
    assert points({"step": step, "loss": 1.0}) == []
    assert points({"loss": 1.0}) == []


def test_foreign_numbers_are_numbers() -> None:
    """NumPy's and those of a tensor of one element; an array, or an integer beyond a float, is none."""
    numpy = pytest.importorskip("numpy")

    class Tensor(msgspec.Struct):
        ndim: int
        value: Any

        def item(self) -> Any:
            return self.value

    measured = {
        "step": numpy.int64(3),
        "a": numpy.float32(0.5),
        "b": numpy.int32(2),
        "c": Tensor(0, 0.25),
        "d": Tensor(1, 0.25),
        "e": Tensor(0, True),
        "f": numpy.array([1.0]),
        "g": 10**400,
    }
    assert points(measured) == [
        ("train.batch.stop:a", 3, 0.5),
        ("train.batch.stop:b", 3, 2.0),
        ("train.batch.stop:c", 3, 0.25),
    ]
