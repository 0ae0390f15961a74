"""Whatever a chain holds comes back from its JSON."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event

WORDS = st.text()  # hypothesis makes no lone surrogates here
MAYBE = st.none() | WORDS
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)
EVENTS = st.builds(
    Event.new,
    st.sampled_from(["decision_made", "stage_start"]) | st.text(min_size=1),
    WORDS,
    WORDS,
    timestamp=TIMES,
    alternatives=st.lists(WORDS, max_size=3),
    confidence=st.none() | st.floats(0, 1) | st.integers(0, 1),
    code_section=MAYBE,
    spec_reference=MAYBE,
    metadata=st.dictionaries(WORDS, VALUES, max_size=3),
    parent_id=MAYBE,
    depends_on=st.lists(WORDS, max_size=3),
    stage_id=MAYBE,
    experiment_id=MAYBE,
)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Return any chain."""
    chain = Chain(
        draw(WORDS),
        description=draw(MAYBE),
        metadata=draw(st.dictionaries(WORDS, VALUES, max_size=3)),
        created_at=draw(TIMES),
    )
    chain.extend(draw(st.lists(EVENTS, max_size=4)))
    return chain


@settings(deadline=None)
@given(EVENTS)
def test_event(event: Event) -> None:
    """An event comes back equal from its dict, also through JSON text."""
    assert Event.from_dict(event.to_dict()) == event
    assert Event.from_dict(msgspec.json.decode(msgspec.json.encode(event.to_dict()))) == event


@settings(deadline=None)
@given(chains())
def test_chain(chain: Chain) -> None:
    """A chain comes back equal from its dict, and from its file; writing it again writes the same bytes."""
    assert Chain.from_dict(chain.to_dict()) == chain
    with tempfile.TemporaryDirectory() as folder:
        path = chain.save(Path(folder) / "chain.json")
        before = path.read_bytes()
        loaded = Chain.load(path)
        assert loaded == chain
        assert loaded.save(path).read_bytes() == before


@settings(deadline=None)
@given(chains(), st.dictionaries(st.text(min_size=1).map("x-".__add__), VALUES, max_size=3))
def test_unknown_keys(chain: Chain, extra: dict[str, object]) -> None:
    """Keys of strangers survive, at the chain and at its events."""
    data = {**chain.to_dict(), **extra}
    data["events"] = [{**event, **extra} for event in data["events"]]
    assert Chain.from_dict(data).to_dict() == data
