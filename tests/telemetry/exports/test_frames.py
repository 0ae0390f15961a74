"""Events and points as data frames."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import pytest

from crucible.errors import MissingExtra
from crucible.store import StoredEvent
from crucible.telemetry.exports import (
    POINT_COLUMNS,
    Anonymizer,
    points_to_pandas,
    points_to_polars,
    to_pandas,
    to_polars,
)

Make = Callable[..., StoredEvent]
needs_polars = pytest.mark.skipif(importlib.util.find_spec("polars") is None, reason="needs polars")


@pytest.fixture
def events(record: Make) -> list[StoredEvent]:
    """Three events of which each lacks something."""
    return [
        record(0, measurements={"loss": 0.5}, success=True, metadata={"step": 1}),
        record(1, measurements={"loss": math.nan}, metadata={"mixed": [1]}),
        record(2, metadata={"mixed": "text"}, fields={"user_id": "alice"}),
    ]


def test_pandas_frame_is_typed(events: list[StoredEvent]) -> None:
    """Times are in UTC, numbers are numbers, a missing bool or integer is `<NA>`, mixed values are JSON."""
    frame = to_pandas(iter(events))
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert types["timestamp"] == "datetime64[ns, UTC]"
    assert (types["measurement_loss"], types["success"], types["metadata_step"]) == ("float64", "boolean", "Int64")
    assert [moment.value for moment in frame["timestamp"]] == [event.timestamp_ns for event in events]
    assert frame["metadata_step"].isna().tolist() == [False, True, True]
    assert frame["metadata_mixed"].tolist() == [None, "[1]", '"text"']
    assert frame["event_name"].nunique() == 1


def test_pandas_frame_can_be_anonymous(events: list[StoredEvent]) -> None:
    """The anonymiser works for frames too."""
    assert to_pandas(events, anonymizer=Anonymizer())["user_id"].isna().all()


def test_empty_frames_have_columns() -> None:
    """No event and no point give a frame without rows, of the same types."""
    assert str(to_pandas([]).dtypes["timestamp"]) == "datetime64[ns, UTC]"
    frame = points_to_pandas([], run_id="r")
    assert (len(frame), tuple(frame.columns)) == (0, POINT_COLUMNS)


def test_points_as_pandas() -> None:
    """Every point is a row; values are doubles."""
    frame = points_to_pandas([("a", 1, 2, 3), ("b", 2, math.inf, 4)], run_id="r")
    assert frame["series"].tolist() == ["a", "b"]
    assert frame["value"].tolist() == [2.0, math.inf]
    assert [moment.value for moment in frame["timestamp"]] == [3, 4]


@pytest.mark.skipif(importlib.util.find_spec("polars") is not None, reason="polars is installed")
@pytest.mark.parametrize("call", [lambda: to_polars([]), lambda: points_to_polars([], run_id="r")])
def test_missing_polars_names_the_extra(call: Callable[[], Any]) -> None:
    """Without polars the error says what to install."""
    with pytest.raises(MissingExtra, match=r"pip install 'crucible-ml\[frames\]'"):
        call()


@needs_polars
def test_polars_frame_is_typed(events: list[StoredEvent]) -> None:
    """Times are in UTC, and a NaN is told from a value that is missing."""
    frame = to_polars(events)
    types = {name: str(kind) for name, kind in frame.schema.items()}
    assert types["timestamp"] == "Datetime(time_unit='ns', time_zone='UTC')"
    assert (types["measurement_loss"], types["success"], types["metadata_step"]) == ("Float64", "Boolean", "Int64")
    assert frame["measurement_loss"].is_nan().to_list() == [False, True, None]
    assert to_polars([]).height == 0


@needs_polars
def test_points_as_polars() -> None:
    """Every point is a row; times keep their nanoseconds."""
    frame = points_to_polars([("a", 1, 2, 3)], run_id="r")
    assert frame.drop("timestamp").row(0) == ("r", "a", 1, 2.0)
    assert frame["timestamp"].to_physical().to_list() == [3]
