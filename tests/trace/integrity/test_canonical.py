"""The text of an event that is hashed."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crucible.errors import SpecError
from crucible.store.codec import decode, encode, storable
from crucible.trace import Chain, Event
from crucible.trace.integrity.canonical import canonical
from crucible.trace.integrity.links import genesis

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_form() -> None:
    """Sorted keys, no spaces, UTF-8, six decimals: pinned, for a ledger outlives this version."""
    event = Event.new(
        "decision_made", "Größe", 'a "b"', id="e1", timestamp=MOMENT, confidence=1, metadata={"z": 1e16, "a": [1, 2.5]}
    )
    assert canonical(event).decode() == (
        '{"alternatives":[],"code_section":null,"confidence":1.0,"decision":"Größe","depends_on":[],'
        '"experiment_id":null,"id":"e1","metadata":{"a":[1,2.5],"z":1e+16},"parent_id":null,"reasoning":"a \\"b\\"",'
        '"spec_reference":null,"stage_id":null,"timestamp":"2026-01-02T03:04:05.000000Z","type":"decision_made"}'
    )


def test_reproducible_by_strangers() -> None:
    """The first hash, computed from the page alone, with nothing but hashlib and json."""
    chain = Chain("any", id="c1")
    event = chain.add(Event.new("decision_made", "d", "r", timestamp=MOMENT))
    text = json.dumps(event.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    before = hashlib.sha256(b"crucible trace ledger 1\0" + b"c1").digest()
    expected = hashlib.sha256(before + (1).to_bytes(8, "big") + hashlib.sha256(text).digest()).hexdigest()
    assert genesis("c1") == before
    assert chain.seal().head == f"1:{expected}"


def test_equal_forms() -> None:
    """A tuple and a list, a time in another zone, an integer confidence: what files bring back is the same text."""
    zone = timezone(timedelta(hours=5, minutes=30))
    one = Event.new("t", "d", "r", id="e", timestamp=MOMENT, confidence=1.0, metadata={"x": (1, 2)})
    other = Event("e", MOMENT.astimezone(zone), "t", "d", "r", confidence=1, metadata={"x": [1, 2]})
    assert canonical(one) == canonical(other)


def test_unknown_keys() -> None:
    """Keys that no version knows are hashed too."""
    data = Event.new("t", "d", "r").to_dict()
    assert canonical(Event.from_dict({**data, "x": 1})) != canonical(Event.from_dict({**data, "x": 2}))


@pytest.mark.parametrize("text", ["a\0b", "\\\0", "\ud800", "\\\udfff\0\\u0000", "plain \\u0000"])
def test_as_databases_keep_it(text: str) -> None:
    """NUL and half a surrogate pair are hashed as databases keep them, in fields and in metadata; NaN as NaN."""
    event = Event.new("t", text, "r", id="e", timestamp=MOMENT, metadata={"x": text, "y": math.nan, "z": [-math.inf]})
    kept = Event.new("t", storable(text), "r", id="e", timestamp=MOMENT, metadata=decode(encode(event.metadata)))
    assert canonical(event) == canonical(kept)


@pytest.mark.parametrize("value", [object(), {1, 2}, {(1, 2): 3}, b"bytes", {1: "a", "b": 2}])
def test_no_form(value: object) -> None:
    """What JSON has no word for is refused, by the event's name."""
    with pytest.raises(SpecError, match="'e1' has no canonical form"):
        canonical(Event.new("t", "d", "r", id="e1", metadata={"x": value}))


def test_endless() -> None:
    """Metadata that contain themselves are refused."""
    metadata: dict[str, object] = {}
    metadata["self"] = metadata
    with pytest.raises(SpecError, match="no canonical form"):
        canonical(Event.new("t", "d", "r", metadata=metadata))
