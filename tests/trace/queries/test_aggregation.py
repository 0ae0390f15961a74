"""`aggregate_by` and its reducers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.trace import Chain, Event
from crucible.trace.queries import aggregate_by, count, mean_confidence


def chain_of(values: Iterable[Any], **fields: Any) -> Chain:
    """Return a chain whose events carry these values as `metadata.v`; a value of None is left out."""
    chain = Chain("grouped")
    for value in values:
        metadata = {} if value is None else {"v": value}
        chain.add(Event.new("loss_computed", "d", "r", metadata=metadata, **fields))
    return chain


def test_a_field() -> None:
    """Events are grouped by a field, in order of first appearance, and a group is the list of its events."""
    chain = Chain("g")
    for name, stage in [("a", "s2"), ("b", "s1"), ("c", "s2"), ("d", None)]:
        chain.add(Event.new("loss_computed", "d", "r", id=name, stage_id=stage))
    groups = aggregate_by(chain, "stage_id")
    assert {key: [event.id for event in events] for key, events in groups.items()} == {"s2": ["a", "c"], "s1": ["b"]}
    assert list(groups) == ["s2", "s1"]
    assert aggregate_by(chain, "stage_id", count, include_missing=True) == {"s2": 2, "s1": 1, None: 1}


def test_every_field() -> None:
    """Every field of an event can be grouped by, and the category of its type."""
    chain = chain_of(
        [1], alternatives=["x", "y"], depends_on=["z"], confidence=0.5, timestamp=datetime(2026, 1, 1, tzinfo=UTC)
    )
    expected = {"type": "loss_computed", "confidence": 0.5, "alternatives": '["x","y"]', "metadata": '{"v":1}'}
    expected |= {"category": "metrics", "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}  # type: ignore[dict-item]
    for field, key in expected.items():
        assert aggregate_by(chain, field, count) == {key: 1}
    for field in Event.__struct_fields__:
        assert sum(aggregate_by(chain, field, count, include_missing=True).values()) == 1


def test_metadata_path() -> None:
    """A path leads into the metadata; lists and objects are keyed by their JSON text with sorted keys."""
    values = [{"x": [1]}, {"x": [2]}, {"x": [1]}, {"y": 0}, {"b": 1, "a": 2}, {"a": 2, "b": 1}]
    assert aggregate_by(chain_of(values), "metadata.v.x[0]", count) == {1: 2, 2: 1}
    assert aggregate_by(chain_of(values), "metadata.v.x", count) == {"[1]": 2, "[2]": 1}
    assert aggregate_by(chain_of(values), "metadata.v", count)['{"a":2,"b":1}'] == 2


def test_look_alikes_are_not_merged() -> None:
    """True is not 1, a list is not the text that looks like it, and NaN is one group; 1 and 1.0 are the same."""
    values = [1, True, 1.0, False, [1], "[1]", (1,), math.nan, math.nan, "1"]
    assert aggregate_by(chain_of(values), "metadata.v", count) == {
        1: 2,
        "bool true": 1,
        False: 1,
        "[1]": 2,
        "str [1]": 1,
        '"nan"': 2,
        "1": 1,
    }


def test_odd_values() -> None:
    """What JSON cannot carry is grouped by its nearest JSON value."""
    groups = aggregate_by(chain_of([object, {1, 2}, {3: 4}, 10**30, "\ud800"]), "metadata.v", count)
    assert sum(groups.values()) == 5


@pytest.mark.parametrize(
    ("field", "said"), [("stage", 'did you mean "stage_id"'), ("content", "group by"), ("metadata.", "path")]
)
def test_unknown_field(field: str, said: str) -> None:
    """An unknown field is an error that says what may have been meant, never an empty answer."""
    with pytest.raises(SpecError, match=said):
        aggregate_by(chain_of([1]), field)


def test_mean_confidence() -> None:
    """The mean is over the events that state a confidence; None if none does."""
    chain = chain_of([1, 1, 2], confidence=None)
    chain.add(Event.new("loss_computed", "d", "r", metadata={"v": 1}, confidence=0.25))
    chain.add(Event.new("loss_computed", "d", "r", metadata={"v": 1}, confidence=0.75))
    assert aggregate_by(chain, "metadata.v", mean_confidence) == {1: 0.5, 2: None}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from([0.0, 1.0, "0", "true", "[]", "{}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(_VALUES))
def test_no_event_is_lost(values: list[Any]) -> None:
    """The groups, with that of the missing, hold every event once."""
    chain = chain_of(values)
    groups = aggregate_by(chain, "metadata.v", include_missing=True)
    assert sorted(event.id for events in groups.values() for event in events) == sorted(event.id for event in chain)
    assert aggregate_by(chain, "metadata.v", count) == {k: len(v) for k, v in groups.items() if k is not None}
