"""What holds for any two chains: every event once, the same both ways, 1 exactly if equal."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.comparison import Diff, DiffOptions, diff

START = datetime(2026, 1, 1, 10, tzinfo=UTC)

_words = st.sampled_from(
    ["Loss: 0.1", "Loss: 0.12", "kept step 80", "kept step 60", "", "<b>'\"&", "\x1b[31m\ud800\u202e"]
)
_ids = st.sampled_from(["a", "b", "c", "d", "e", "f", "<i>", "\ud800"])
_values = st.sampled_from([None, 1, 1.0, True, "x", float("nan"), [1, {"a": 2}], {"k": 1}, {"k": {"l": []}}])
_events = st.builds(
    Event,
    id=_ids,
    timestamp=st.just(START),
    type=st.sampled_from(["decision_made", "loss_computed", "made up"]),
    decision=_words,
    reasoning=st.sampled_from(["", "because", "lowest loss"]),
    alternatives=st.sampled_from([(), ("x",), ("x", "y")]),
    confidence=st.sampled_from([None, 0.5, 0.9, 1, float("nan")]),
    metadata=st.dictionaries(st.sampled_from(["a", "a.b", "", "\ud800"]), _values, max_size=2),
    parent_id=st.none() | _ids,
    depends_on=st.lists(_ids, max_size=2).map(tuple),
)
_options = st.builds(
    DiffOptions,
    match_by=st.sampled_from(["auto", "id", "position", "content"]),
    ignore_timestamps=st.booleans(),
    ignore=st.lists(st.sampled_from(["decision", "metadata.a", "parent_id", "reasoning", "chain.name"])).map(tuple),
    min_similarity=st.sampled_from([0.0, 0.6, 1.0]),
    max_comparisons=st.sampled_from([1, 10, 1_000_000]),
)


@st.composite
def _chains(draw: st.DrawFn) -> tuple[Chain, Chain]:
    """Return two chains; the second is often the first with some events edited, dropped, doubled or moved."""
    first = draw(st.lists(_events, max_size=12))
    second = list(first)
    if draw(st.booleans()):
        second = draw(st.lists(_events, max_size=12))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, 12))
        match draw(st.sampled_from(["drop", "add", "move", "edit"])):
            case "drop" if second:
                second.pop(place % len(second))
            case "move" if second:
                second.insert(place, second.pop(0))
            case "edit" if second:
                old = second[place % len(second)]
                second[place % len(second)] = msgspec.structs.replace(old, decision=draw(_words), confidence=0.25)
            case _:
                second.insert(place, draw(_events))
    return _chain(first, draw(_names)), _chain(second, draw(_names))


_names = st.sampled_from(["one", "one", "two", "<x>"])


def _chain(events: list[Event], name: str) -> Chain:
    chain = Chain(name, created_at=START)
    for event in events:
        chain._append(event)
    return chain


def _places(found: Diff, side: str) -> Counter[int]:
    lone = found.removed if side == "a" else found.added
    pairs: list[Any] = [*found.changed, *found.moved]
    unchanged = [pair[0 if side == "a" else 1] for pair in found.unchanged]
    return Counter([*(each.place for each in lone), *(getattr(each, f"{side}_place") for each in pairs), *unchanged])


@given(_chains(), _options)
@settings(deadline=None)
def test_any_two_chains(chains: tuple[Chain, Chain], options: DiffOptions) -> None:
    """Every event is told once; the similarity is 1 exactly if nothing differs; the other way round is the mirror."""
    a, b = chains
    found = diff(a, b, options)
    assert _places(found, "a") == Counter(range(len(a)))
    assert _places(found, "b") == Counter(range(len(b)))
    assert 0 <= found.similarity <= 1
    assert (found.similarity == 1) == found.is_empty
    assert (found.first_divergence is None) == (not (found.added or found.removed or found.changed or found.moved))
    assert {id(each.a_event) for each in found.relation_changes} <= {id(each.a_event) for each in found.changed}

    back = diff(b, a, options)
    assert back.similarity == found.similarity
    assert back.added == found.removed
    assert back.removed == found.added
    assert {(each.b_place, each.a_place) for each in back.moved} == {
        (each.a_place, each.b_place) for each in found.moved
    }
    assert {(y, x) for x, y in back.unchanged} == set(found.unchanged)
    assert json.dumps(back.mirrored().to_dict()) == json.dumps(found.to_dict())
    deltas = {(each.a_place, each.b_place): each.delta for each in found.confidence_deltas}
    assert {(each.b_place, each.a_place): each.delta and -each.delta for each in back.confidence_deltas} == deltas


@given(_chains(), _options)
@settings(deadline=None)
def test_a_chain_and_itself(chains: tuple[Chain, Chain], options: DiffOptions) -> None:
    """No chain differs from itself, nor from a copy of itself, whatever it holds."""
    a, _ = chains
    for other in (a, _chain([msgspec.structs.replace(event) for event in a], a.name)):
        found = diff(a, other, options)
        assert found.is_empty
        assert found.similarity == 1
        assert found.unchanged == tuple((place, place) for place in range(len(a)))


@given(_chains(), _options)
@settings(deadline=None)
def test_every_form_can_be_written(chains: tuple[Chain, Chain], options: DiffOptions) -> None:
    """Text holds no control character, JSON and page can be encoded, and no text becomes markup."""
    found = diff(*chains, options)
    shown = found.to_text()
    assert all(line.isprintable() for line in shown.splitlines())
    json.dumps(found.to_dict(), allow_nan=False).encode("utf-8")
    page = found.to_html().encode("utf-8").decode("utf-8")
    assert "<b>" not in page.partition("<main>")[2]
    assert "<x>" not in page
    assert "\x1b" not in page
