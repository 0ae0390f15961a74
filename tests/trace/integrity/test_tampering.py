"""Whatever is done to one event of a sealed chain is found and named."""

from __future__ import annotations

import copy
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.integrity import Entry, Ledger, Signer, verify
from crucible.trace.live import LiveChain, read_live

WORDS = st.text(max_size=6)
MAYBE = st.none() | WORDS
VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1))
EVENTS = st.builds(
    Event.new,
    st.sampled_from(["decision_made", "loss_computed", "no such type"]),
    WORDS,
    WORDS,
    timestamp=TIMES,
    alternatives=st.lists(WORDS, max_size=2),
    confidence=st.none() | st.floats(0, 1) | st.integers(0, 1),
    metadata=st.dictionaries(WORDS, VALUES | WORDS | st.lists(VALUES, max_size=2), max_size=2),
    parent_id=MAYBE,
    depends_on=st.lists(WORDS, max_size=2),
    stage_id=MAYBE,
)
MANY = st.lists(EVENTS, min_size=2, max_size=6)
PLACES = st.integers(0, 100)
SIGNER = Signer.generate()


def beside(chain: Chain) -> Chain:
    """Return a chain as its JSON brings it back: the ledger lies beside the events."""
    return Chain.from_dict(msgspec.json.decode(msgspec.json.encode(chain.to_dict())))


def along(events: list[Event], entries: list[Entry], chain_id: str, **options: Any) -> Chain:
    """Return a chain whose entries went along with the events, as lines and rows do."""
    return Chain.from_dict(
        {"id": chain_id, "name": "", "created_at": "2020-01-01T00:00:00Z", "events": events}
        | {"integrity": Ledger(chain_id, entries, **options)}
    )


def sealed(events: list[Event], signer: Signer | None = None, chain_id: str | None = None) -> Chain:
    """Return a sealed chain."""
    chain = Chain("any", id=chain_id)
    chain.extend(events)
    chain.seal(signer)
    return chain


def tampered(chain: Chain, change: Any) -> Chain:
    """Return a sealed chain of which only the events were changed."""
    data = chain.to_dict()
    change(data["events"])
    return Chain.from_dict(data)


@settings(deadline=None)
@given(MANY, st.booleans())
def test_untouched(events: list[Event], is_signed: bool) -> None:
    """An untouched chain verifies: in memory, from its dict, its file and from a live file."""
    signer = SIGNER if is_signed else None
    key = SIGNER.public_key if is_signed else None
    chain = sealed(events, signer)
    chain.add(Event.new("decision_made", "later", "it goes on"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.jsonl"
        with LiveChain(path, id=chain.id, signer=signer, sealed=True) as live:
            live.extend(events)
            live.add(chain[-1])
        again = read_live(path).chain
        assert again.events == chain.events
        loaded = Chain.load(chain.save(Path(folder) / "chain.json"))
        for form in (chain, beside(chain), loaded, Chain.load(loaded.save(Path(folder) / "again.json")), again):
            outcome = verify(form, public_key=key, head=chain.ledger.head)
            assert outcome.ok, outcome.to_text()
            assert outcome.is_closed
            assert outcome.signed_by == (key.text if key else None)


@pytest.mark.parametrize("field", Event.__struct_fields__)
@settings(deadline=None, max_examples=15)
@given(events=MANY, at=PLACES, word=st.text("xyz", min_size=7, max_size=9))
def test_altered(field: str, events: list[Event], at: int, word: str) -> None:
    """Any field of any event: the event is named, as altered."""
    place = at % len(events)
    event = events[place]
    replaced: Any = {
        "timestamp": event.timestamp + timedelta(microseconds=1),
        "alternatives": [*event.alternatives, word],
        "depends_on": [*event.depends_on, word],
        "confidence": 0.123456 if event.confidence != 0.123456 else 0.2,
        "metadata": {**event.metadata, word: None},
    }.get(field, word)
    if field == "timestamp":
        replaced = Event.new("t", "d", "r", timestamp=replaced).to_dict()["timestamp"]
    original = sealed(events)
    chain = tampered(original, lambda data: data[place].__setitem__(field, replaced))
    first = verify(chain).first
    assert first is not None
    assert (first.fault, first.place, first.event_id, first.decision) == (
        "altered",
        place,
        chain[place].id,
        chain[place].decision,
    )
    entries = [Entry(each.id, entry.hash) for each, entry in zip(chain, original.ledger.entries, strict=True)]
    first = verify(along(list(chain), entries, chain.id, closing=original.ledger.closing)).first
    assert first is not None
    assert (first.fault, first.place) == ("altered", place)


@settings(deadline=None)
@given(MANY, PLACES)
def test_dropped(events: list[Event], at: int) -> None:
    """A dropped event is named by its id and place; the last one too, by the closing record."""
    place = at % len(events)
    chain = tampered(sealed(events), lambda data: data.pop(place))
    first = verify(chain).first
    assert first is not None
    assert (first.fault, first.place, first.event_id) == ("dropped", place, events[place].id)


@settings(deadline=None)
@given(MANY, PLACES, PLACES)
def test_reordered(events: list[Event], one: int, other: int) -> None:
    """Of two events that changed places, the first place is named with the event that stands there now."""
    one, other = sorted((one % len(events), other % len(events)))
    if one == other:
        return

    def swap(data: list[Any]) -> None:
        data[one], data[other] = data[other], data[one]

    first = verify(tampered(sealed(events), swap)).first
    assert first is not None
    assert (first.fault, first.place, first.event_id) == ("reordered", one, events[other].id)


@settings(deadline=None)
@given(MANY, PLACES, PLACES)
def test_inserted(events: list[Event], at: int, source: int) -> None:
    """A new event is named, and so is the copy of one that is there: the later of the two where they stand apart."""
    place = at % (len(events) + 1)
    new = Event.new("decision_made", "new", "forged")
    first = verify(tampered(sealed(events), lambda data: data.insert(place, new.to_dict()))).first
    assert first is not None
    assert (first.fault, first.place, first.event_id) == ("inserted", place, new.id)
    source %= len(events)
    first = verify(tampered(sealed(events), lambda data: data.insert(place, copy.copy(data[source])))).first
    assert first is not None
    assert (first.fault, first.event_id) == ("inserted", events[source].id)


@settings(deadline=None)
@given(MANY, PLACES, PLACES, st.sampled_from(["alter", "drop", "swap", "copy", "forge", "chained"]))
def test_entries_that_go_along(events: list[Event], one: int, other: int, deed: str) -> None:
    """Where entries lie with their events, as in lines and rows, one deed is still told from another."""
    chain = sealed(events)
    entries = list(chain.ledger.entries)
    one, other = one % len(events), other % len(events)
    here, seals = list(events), list(entries)
    closing = chain.ledger.closing
    expected: tuple[Any, ...]
    if deed == "alter":
        here[one] = msgspec.structs.replace(here[one], decision="altered, surely")
        expected = ("altered", one, here[one].id)
    elif deed == "drop":
        del here[one], seals[one]
        expected = ("dropped", one, None)
    elif deed == "swap":
        if one == other:
            return
        one, other = sorted((one, other))
        for things in (here, seals):
            things[one], things[other] = things[other], things[one]
        expected = ("reordered", one, events[other].id)
    elif deed == "copy":
        here.insert(one, events[other])
        seals.insert(one, entries[other])
        expected = ("inserted", None, events[other].id)
    elif deed == "forge":
        forged = Event.new("decision_made", "new", "forged")
        here.insert(one, forged)
        seals.insert(one, Entry(forged.id, f"{one + 1}:{'0' * 64}"))
        expected = ("inserted", one, forged.id)
    else:  # somebody who knows how: the hash of the forged event fits, and the next one's does not
        forged = Event.new("decision_made", "new", "forged")
        here.insert(one, forged)
        seals.insert(one, sealed([*events[:one], forged], chain_id=chain.id).ledger.entries[-1])
        expected = ("inserted", one, forged.id)
    first = verify(along(here, seals, chain.id, closing=closing)).first
    assert first is not None
    if expected[1] is None:
        assert (first.fault, first.event_id) == (expected[0], expected[2])
    else:
        assert (first.fault, first.place, first.event_id) == expected


@settings(deadline=None)
@given(MANY, PLACES, st.sampled_from(["hash", "event_id", "drop", "swap"]))
def test_ledger_tampered(events: list[Event], at: int, deed: str) -> None:
    """Where the events are as they were and the ledger is not, the ledger is named."""
    data = sealed(events).to_dict()
    entries = data["integrity"]["entries"]
    place = at % len(entries)
    if deed == "hash":
        entries[place]["hash"] = f"{place + 1}:{'0' * 64}"
    elif deed == "event_id":
        entries[place]["event_id"] = "another"
    elif deed == "drop":
        del entries[place]
    else:
        place = 0
        entries[0], entries[-1] = entries[-1], entries[0]
    first = verify(Chain.from_dict(data)).first
    assert first is not None
    assert (first.fault, first.place) == ("ledger", place)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(f"1:{'0' * 64}"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["event_id", "hash", "signature", "count", "head", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    MANY,
    st.dictionaries(st.sampled_from(["chain_id", "public_key", "closing", "entries"]), JUNK),
    JUNK,
    st.none() | st.text(max_size=5) | st.just(SIGNER.public_key.text),
    st.none() | st.text(max_size=5),
)
def test_hostile(events: list[Event], fields: dict[str, Any], other: Any, key: str | None, head: str | None) -> None:
    """No ledger makes `verify` raise, nor loading or writing it."""
    chain = Chain("any")
    chain.extend(events)
    data = chain.to_dict()
    ours = Ledger.of(chain.id, events).to_dict()
    for integrity in ({**ours, **fields}, other, {"algorithm": other}):
        loaded = Chain.from_dict({**data, "integrity": integrity})
        outcome = verify(loaded, public_key=key, head=head)
        assert outcome.to_text()
        assert msgspec.json.encode(outcome.to_dict())
        verify(Chain.from_dict(loaded.to_dict()))
        if loaded.ledger is None:
            assert outcome.first is not None
            assert outcome.first.fault == "unsealed"
