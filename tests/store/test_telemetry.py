"""Events and series are written in bulk and read back, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from crucible.errors import StoreError
from crucible.store import EventRow, Store, encode, event_row


def row(run_id: str, name: str, at: int = 1, **measurements: float) -> EventRow:
    """Return the row of an event."""
    texts = {"measurements_json": encode(measurements), "metadata_json": encode({"model": "tuned"})}
    return event_row(run_id, name, at, stage="train", stage_index=2, span_id="s1", **texts)


def test_events_come_back_in_order(store: Store, opened: Callable[[], Store]) -> None:
    """All fields are read back by another connection, in the order of writing whatever the clock said."""
    store.telemetry.write_events([row("r", "b", at=9, loss=math.nan), row("other", "b"), row("r", "a", at=2**60)])
    found = opened().telemetry.events("r")
    assert [event.name for event in found] == ["b", "a"]
    first = found[0]
    assert (first.timestamp_ns, first.stage, first.stage_index) == (9, "train", 2)
    assert (first.span_id, first.parent_span_id, first.metadata) == ("s1", None, {"model": "tuned"})
    assert math.isnan(first.measurements["loss"])


def test_events_are_found_by_name_and_counted(store: Store) -> None:
    """A limit gives the last ones."""
    store.telemetry.write_events([row("r", name, at=at) for at, name in enumerate(["x", "y", "x", "x"])])
    assert [event.timestamp_ns for event in store.telemetry.events("r", "x", limit=2)] == [2, 3]
    assert store.telemetry.event_counts("r") == {"x": 3, "y": 1}
    assert store.telemetry.event_counts("unknown") == {}


def test_points_are_read_by_step(store: Store, opened: Callable[[], Store]) -> None:
    """A series is sorted by step, whatever the order of writing."""
    store.telemetry.write_events([], [("r", "loss", step, step / 2, 0) for step in (3, 1, 2)])
    assert opened().telemetry.points("r", "loss") == [(1, 0.5), (2, 1.0), (3, 1.5)]


def test_a_repeated_step_replaces_the_point(store: Store, opened: Callable[[], Store]) -> None:
    """A resumed run that does steps again leaves one point a step: the last, within one batch and across processes."""
    store.telemetry.write_events([], [("r", "loss", 1, 1.0, 0), ("r", "loss", 2, 2.0, 0), ("r", "loss", 2, 2.5, 0)])
    opened().telemetry.write_events([], [("r", "loss", 2, 7.0, 1), ("r", "loss", 3, 8.0, 1)])
    assert store.telemetry.points("r", "loss") == [(1, 1.0), (2, 7.0), (3, 8.0)]


def test_series_belong_to_their_run(store: Store) -> None:
    """The same name in two runs is two series."""
    store.telemetry.write_events([], [("r", "loss", 1, 1.0, 0), ("s", "loss", 1, 2.0, 0), ("r", "acc", 1, 3.0, 0)])
    assert store.telemetry.series("r") == ["acc", "loss"]
    assert store.telemetry.points("s", "loss") == [(1, 2.0)]
    assert store.telemetry.series("unknown") == []


def test_numbers_that_are_not_finite_survive(store: Store) -> None:
    """NaN and the infinities are values like others; so are extreme steps."""
    values = [math.nan, math.inf, -math.inf, 5e-324]
    points = [("r", "loss", step, value, 0) for step, value in enumerate(values)]
    store.telemetry.write_events([], [*points, ("r", "loss", 2**63 - 1, 1.0, 0)])
    found = store.telemetry.points("r", "loss")
    assert math.isnan(found[0][1])
    assert found[1:] == [(1, math.inf), (2, -math.inf), (3, 5e-324), (2**63 - 1, 1.0)]


def test_an_unknown_series_is_answered_with_known_ones(store: Store) -> None:
    """A typo is not an empty series."""
    with pytest.raises(StoreError, match="nothing with a step was recorded"):
        store.telemetry.points("r", "loss")
    store.telemetry.write_events([], [("r", "train:loss[model=a]", 1, 1.0, 0)])
    with pytest.raises(StoreError, match=r'no series "train:los"; did you mean train:loss\[model=a\]'):
        store.telemetry.points("r", "train:los")


def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    """A bad row takes its batch with it, says so, and leaves the store usable, new series included."""
    bad = ("r", "loss", "one", 1.0, 0)
    with pytest.raises(StoreError, match="cannot save telemetry"):
        store.telemetry.write_events([row("r", "x")], [("r", "fresh", 1, 1.0, 0), bad, ("r", "x", None, 1.0, 0)])  # type: ignore[list-item]
    assert store.telemetry.events("r") == []
    assert store.telemetry.series("r") == []
    store.telemetry.write_events([row("r", "x")], [("r", "fresh", 1, 1.0, 0)])
    assert store.telemetry.points("r", "fresh") == [(1, 1.0)]
