"""`search`, `search_regex` and their filters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crucible.errors import MissingExtra, SpecError, SpecErrors
from crucible.trace import Chain, Event
from crucible.trace.queries import Filters, query, search, search_regex

START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS: list[dict[str, Any]] = [
    {"id": "a", "type": "hypothesis_formed", "decision": "Use LoRA", "reasoning": "cheap", "confidence": 0.9},
    {"id": "b", "type": "loss_computed", "decision": "Loss: 0.5", "reasoning": "straße", "confidence": 0.5},
    {"id": "c", "type": "loss_computed", "decision": "Loss: 0.4", "reasoning": "use less memory", "stage_id": "s"},
    {"id": "d", "type": "unheard_of", "decision": "\0\ud800 x", "reasoning": "", "experiment_id": "e", "confidence": 1},
]


@pytest.fixture
def chain() -> Chain:
    """Four events, an hour apart."""
    built = Chain("searched")
    for place, fields in enumerate(EVENTS):
        built.add(Event.new(**{"timestamp": START + timedelta(hours=place), **fields}))
    return built


def ids(events: list[Event]) -> str:
    """Return the ids as one word."""
    return "".join(event.id for event in events)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "abcd"), ("USE", "ac"), ("loss: 0.", "bc"), ("STRASSE", "b"), ("\ud800", "d"), ("no", "")],
)
def test_text(chain: Chain, text: str, expected: str) -> None:
    """A text is found in the decision or the reasoning, whatever its case; "" is in all, in chain order."""
    assert ids(search(chain, text)) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "loss_computed"}, "bc"),
        ({"type": ["loss_computed", "unheard_of"]}, "bcd"),
        ({"type": {"hypothesis_formed"}}, "a"),
        ({"min_confidence": 0.9}, "ad"),
        ({"max_confidence": 0.5}, "b"),
        ({"min_confidence": 0.5, "max_confidence": 0.9}, "ab"),
        ({"since": START + timedelta(hours=2)}, "cd"),
        ({"since": "2026-01-01T01:00:00Z", "until": "2026-01-01T02:00:00Z"}, "bc"),
        ({"until": datetime(2026, 1, 1)}, "a"),
        ({"stage_id": "s"}, "c"),
        ({"experiment_id": "e"}, "d"),
        ({"stage_id": "s", "experiment_id": "e"}, ""),
        ({"stage_id": None, "type": None}, "abcd"),
    ],
)
def test_filters(chain: Chain, filters: dict[str, Any], expected: str) -> None:
    """Filters are inclusive and all must hold; an event that states no confidence is in no range of it."""
    assert ids(search(chain, "", **filters)) == ids(search_regex(chain, "", **filters)) == expected
    assert ids(query(chain, Filters.new(**filters).condition())) == expected


def test_aliases_both_ways() -> None:
    """A type is found by its name or an alias, whichever of them the events carry."""
    from crucible.trace import event_types

    entry = next(entry for entry in event_types() if entry.aliases)
    chain = Chain("aliases")
    for word in (entry.name, entry.aliases[0]):
        chain.add(Event(word, START, word, "d", "r"))
    for word in (entry.name, *entry.aliases):
        assert len(search(chain, "", type=word)) == len(chain.by_type(word)) == 2


def test_unknown_filters_and_values(chain: Chain) -> None:
    """Every filter that is unknown or of a wrong value is reported at once, with what may have been meant."""
    wrong: dict[str, Any] = {
        "typ": "x",
        "min_confidence": "high",
        "since": "soon",
        "type": [],
        "until": 5,
        "stage_id": 1,
    }
    with pytest.raises(SpecErrors) as caught:
        search(chain, "", **wrong)
    assert [error.path for error in caught.value.errors] == [
        "typ",
        "min_confidence",
        "since",
        "type",
        "until",
        "stage_id",
    ]
    assert 'did you mean "type"?' in str(caught.value)
    with pytest.raises(SpecErrors, match="filters"):
        search_regex(chain, "", **wrong)


def test_text_that_is_none(chain: Chain) -> None:
    """What is searched for is text."""
    with pytest.raises(SpecError, match="expected text, got the number 5"):
        search(chain, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^Loss: \d", "bc"),
        (r"(?i)USE", "ac"),
        ("Use", "a"),
        (r"0\.[45]$", "bc"),
        ("", "abcd"),
        ("x$", "d"),
        ("stra.e", "b"),
    ],
)
def test_regex(chain: Chain, pattern: str, expected: str) -> None:
    """A pattern is found anywhere in the decision or the reasoning, with case, also in texts that are no Unicode."""
    assert ids(search_regex(chain, pattern)) == expected


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)", "lookahead and lookbehind are not available"),
        ("a(?!b)", "lookahead and lookbehind are not available"),
        ("(?<=a)b", "lookahead and lookbehind are not available"),
        ("(?<!a)b", "lookahead and lookbehind are not available"),
        (r"(a)\1", "backreferences are not available"),
        ("(", "cannot be used"),
        ("a{9999}", "cannot be used"),
        ("[z-a]", "cannot be used"),
        ("(((a{100}){100}){100})", "cannot be used"),
        ("\\pN" * 3_000, "cannot be used"),
        ("a" * 10_001, "10,001 characters, at most 10,000"),
        ("\ud800", "half a surrogate pair"),
        (b"x", "expected a regular expression as text, got a bytes"),
    ],
)
def test_bad_patterns(chain: Chain, pattern: Any, said: str) -> None:
    """A pattern that is malformed, too large, or cannot be matched in linear time is an error that says so."""
    with pytest.raises(SpecError, match=said) as caught:
        search_regex(chain, pattern)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(.*)*b{3}", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_hostile_pattern_ends(pattern: str) -> None:
    """A pattern that takes a backtracking engine exponential time ends at once on a long text."""
    chain = Chain("hostile")
    chain.add(Event.new("decision_made", "a" * 50_000 + "!", "r"))
    assert search_regex(chain, pattern) == []


def test_without_the_extra(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without google-re2 a regular expression asks for the extra; a search for a text does not."""
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[trace\]"):
        search_regex(chain, "a")
    assert ids(search(chain, "lora")) == "a"


@pytest.mark.parametrize("ask", [lambda chain: search(chain, "x"), lambda chain: search_regex(chain, "x")])
def test_empty_chain(ask: Callable[[Chain], list[Event]]) -> None:
    """An empty chain has no matches."""
    assert ask(Chain("empty")) == []


def test_patterns_that_would_take_too_long_are_refused(chain: Chain) -> None:
    """A pattern of few characters may compile to a hundred thousand steps for each character of a text."""
    with pytest.raises(SpecError, match=r"compiles to 90,\d\d\d instructions, at most 4,000 can be used") as caught:
        search_regex(chain, "[ab]*a" + "[ab]{900}" * 100 + "c")
    assert caught.value.code == "pattern"
    assert ids(search_regex(chain, r"(?i)\bloss: \d{1,30}\.\d+|\pL{2,3} LoRA")) == "abc"
