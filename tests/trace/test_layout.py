"""Writing and reading events quickly gives what the tolerant way gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecErrors
from crucible.trace import Chain, Event
from crucible.trace.layout import Row, event_of, written

WORDS = st.text(max_size=8)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    Event.new,
    st.text(min_size=1, max_size=5),
    WORDS,
    WORDS,
    timestamp=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)
    | st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    alternatives=st.lists(WORDS, max_size=2),
    confidence=st.none() | st.floats(0, 1) | st.integers(0, 1),
    metadata=st.dictionaries(WORDS, VALUES, max_size=3),
    parent_id=st.none() | WORDS,
    depends_on=st.lists(WORDS, max_size=2),
)


@settings(deadline=None)
@given(EVENTS)
def test_same_text_and_event(event: Event) -> None:
    """The text is that of `to_dict`, byte for byte, and both readers make the same event of it."""
    kept, text = written(event)
    assert kept is event
    assert text == msgspec.json.encode(event.to_dict())
    assert event_of(msgspec.json.decode(text, type=Row)) == event == Event.from_dict(msgspec.json.decode(text))


def outcome(read: Callable[[], Chain]) -> Chain | list[str]:
    """Return what was read, or its problems."""
    try:
        return read()
    except SpecErrors as problems:
        return [str(problem) for problem in problems.errors]


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": "85%"},
        {"confidence": 2},
        {"timestamp": "2026-01-01T00:00:00"},
        {"timestamp": "2026-01-01T00:00:00.5+05:30"},
        {"timestamp": "0001-01-01T00:00:00+05:30"},
        {"id": ""},
        {"id": None},
        {"id": 5},
        {"type": ""},
        {"metadata": None},
        {"alternatives": "one"},
        {"depends_on": None},
        {"decision": None},
        {"unknown": 1},
    ],
)
def test_file_of_others(tmp_path: Path, change: dict[str, object]) -> None:
    """A file that another writer made loads as its dict does, or fails with the same problems."""
    data = {"id": "c", "name": "n", "created_at": "2026-01-01T00:00:00Z", "events": []}
    for fields in (
        {**Event.new("t", "d", "r").to_dict(), **change},
        {"id": "e", "timestamp": "2026-01-01", "type": "t"},
    ):
        data["events"] = [Event.new("t", "d", "r").to_dict(), fields]
        path = tmp_path / "chain.json"
        path.write_bytes(msgspec.json.encode(data))
        expected, loaded = outcome(partial(Chain.from_dict, data)), outcome(partial(Chain.load, path))
        if isinstance(expected, Chain) and fields["id"] in ("", None):  # a new id each time
            assert isinstance(loaded, Chain)
            assert [event.decision for event in loaded] == [event.decision for event in expected]
        else:
            assert loaded == expected


def test_confidence_left_out(tmp_path: Path) -> None:
    """A confidence left out is the predecessor's 1.0, also where the metadata have a key of that name."""
    fields = Event.new("t", "d", "r", metadata={"confidence": 0.5}).to_dict()
    del fields["confidence"]
    path = tmp_path / "chain.json"
    path.write_bytes(msgspec.json.encode({"name": "n", "events": [fields]}))
    assert Chain.load(path)[0].confidence == 1.0
