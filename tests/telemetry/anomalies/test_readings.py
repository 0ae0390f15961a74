"""From events and points to the numbers that are watched."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crucible.store import StoredEvent
from crucible.telemetry.anomalies import At, Point
from crucible.telemetry.anomalies.readings import Reader, Reading, number_of


def read(metrics: list[str], item: StoredEvent | Point, **options: Any) -> list[Reading]:
    """Return the readings of an item."""
    return list(Reader(metrics, **options).read(item))


def test_a_field_is_found_wherever_it_is() -> None:
    """Latency and cost beside the event, others among measurements, fields and metadata, in that order."""
    event = StoredEvent(
        "req.stop",
        7,
        measurements={"step": 3, "tokens": 5, "reward": 1.5},
        metadata={"depth": 2, "note": "x"},
        fields={"tokens": 9, "perplexity": 3.25},
        event_id="e1",
        latency_ms=12.0,
    )
    found = read(["latency_ms", "cost_usd", "tokens", "perplexity", "depth", "note", "absent"], event)
    assert [(each.metric, each.value) for each in found] == [
        ("latency_ms", 12.0),
        ("tokens", 5.0),
        ("perplexity", 3.25),
        ("depth", 2.0),
    ]
    assert {each.at for each in found} == {At(3, 7, "e1")}
    assert {each.group for each in found} == {"req.stop"}


def test_streams_of_a_field_are_told_apart() -> None:
    """By the event's name and its model unless said otherwise; what an event lacks is left out."""
    event = StoredEvent("a.stop", 1, metadata={"model": "m"}, latency_ms=1.0, condition="control", fields={"user": 7})
    assert read(["latency_ms"], event)[0].group == "a.stop model=m"
    assert read(["latency_ms"], event, group_by=["condition", "user", "none"])[0].group == "condition=control user=7"
    assert read(["latency_ms"], event, group_by=[])[0].group == ""


def test_a_measurement_of_one_event_is_a_series() -> None:
    """Each model has its own, named as the store names it; a label in the metric wants that model only."""
    event = StoredEvent("t.stop", 1, measurements={"loss": 0.5}, metadata={"model": "a"})
    plain = StoredEvent("t.stop", 1, measurements={"loss": 0.25})
    other = StoredEvent("u.stop", 1, measurements={"loss": 0.5})
    assert [each.metric for each in read(["t.stop:loss"], event)] == ["t.stop:loss[model=a]"]
    assert [each.metric for each in read(["t.stop:loss"], plain)] == ["t.stop:loss"]
    assert [each.metric for each in read(["t.stop:loss[model=a]"], event)] == ["t.stop:loss[model=a]"]
    assert read(["t.stop:loss[model=b]"], event) == read(["t.stop:loss[model=a]"], plain) == []
    assert read(["t.stop:loss"], other) == []


def test_a_point_is_of_its_series() -> None:
    """A logged series by its name, that of an event with or without its model."""
    point = Point("t.stop:loss[model=a]", 0.5, 3, 9)
    assert read(["t.stop:loss"], point) == [Reading("t.stop:loss[model=a]", "", 0.5, At(3, 9))]
    assert [each.metric for each in read(["t.stop:loss[model=a]"], point)] == ["t.stop:loss[model=a]"]
    assert [each.metric for each in read(["loss"], Point("loss", 1.0))] == ["loss"]
    assert read(["loss"], point) == read(["t.stop"], point) == read(["los"], Point("loss", 1.0)) == []


def test_made_up_series_names_do_not_fill_the_memory() -> None:
    """What is known of names is bounded; a name that came too late is still read rightly."""
    reader = Reader(["loss"])
    assert not any(list(reader.read(Point(f"x{place}", 1.0))) for place in range(10_050))
    assert len(reader._series) == 10_000
    assert len(list(reader.read(Point("loss", 1.0)))) == 1


class _Hostile:
    """Raises whatever it is asked."""

    ndim = 0

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __float__(self) -> float:
        raise RuntimeError("no")

    def item(self) -> float:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [None, True, "3", b"3", [1.0], {}, 10**400, _Hostile(), object()])
def test_what_is_no_number_is_no_reading(value: Any) -> None:
    """And nothing that an event holds raises."""
    assert number_of(value) is None
    event = StoredEvent("a", 1, measurements={"x": value, "step": value}, metadata={"model": value})
    assert read(["x", "a:x"], event) == []
    assert len(read(["y"], StoredEvent("a", 1, measurements={"y": 1.0}, metadata={"model": value}))) == 1


def test_foreign_numbers_are_numbers() -> None:
    """NumPy's, also an array without dimensions; NaN and infinities too."""
    numpy = pytest.importorskip("numpy")
    assert [number_of(value) for value in (numpy.float32(0.5), numpy.int64(3), numpy.array(2.5), 7)] == [0.5, 3, 2.5, 7]
    assert number_of(numpy.array([1.0])) is None
    assert number_of(math.inf) == math.inf
    assert read(["x"], StoredEvent("a", 1, measurements={"x": 1.0, "step": numpy.int32(4)}))[0].at.step == 4
