"""Events that hold anything at all: each is shown, none costs the page."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from crucible.trace import Chain, Event
from crucible.trace.viewer import to_html
from crucible.trace.viewer.readable import is_stated, readable

from .conftest import Open

START = datetime(2026, 1, 1, tzinfo=UTC)


class _Word(enum.StrEnum):
    BIG = "big"


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError("no words")


ODD: list[Any] = [
    None,
    5,
    10**400,
    math.nan,
    True,
    b"bytes",
    "high",
    ["a", None, 3],
    ("t",),
    {"k": {"v"}},
    {1, 2},
    _Word.BIG,
    _Broken(),
    Decimal("0.25"),
    np.float32(0.5),
    object,
]
UNHASHABLE = (list, dict, set)


def _event(**odd: Any) -> Event:
    """Make an event past `Event.new`, which checks nothing but its arguments' names and lists."""
    fields: dict[str, Any] = {"id": "a", "timestamp": START, "type": "decision_made", "decision": "d", "reasoning": "r"}
    return Event(**{**fields, **odd})


def _chain_of_oddities() -> Chain:
    """Return a chain with every field of an event holding every odd value that a chain takes."""
    chain = Chain("odd", created_at=START)
    for field in Event.__struct_fields__:
        if field == "timestamp":
            continue  # a chain takes nothing but aware times
        for number, value in enumerate(ODD):
            if field in ("id", "type", "parent_id", "stage_id", "experiment_id") and isinstance(value, UNHASHABLE):
                continue  # nor what cannot be a key
            chain.add(_event(**{"id": f"{field}{number}", "decision": f"{field} {number}", field: value}))
    return chain


@pytest.mark.parametrize(
    "fields", [{"confidence": "high"}, {"decision": None}, {"alternatives": [None, 5]}, {"depends_on": [[1]]}]
)
def test_an_odd_event_has_a_page(fields: dict[str, Any]) -> None:
    """What `Event.new` lets pass is shown: a word as confidence, no decision, alternatives that are no text."""
    chain = Chain("odd", created_at=START)
    given: dict[str, Any] = {"decision": "d", "reasoning": "r", "timestamp": START, **fields}
    chain.add(Event.new("decision_made", given.pop("decision"), given.pop("reasoning"), **given))
    assert "<strong>not stated</strong> <span>stated by 0 of 1</span>" in to_html(chain)


def test_any_field_may_hold_anything() -> None:
    """Nothing is left out: there is a row for each event."""
    page = to_html(_chain_of_oddities())
    page.encode()
    assert "The first 100 of" in page


@pytest.mark.browser
def test_oddities_are_shown(visit: Open) -> None:
    """The page lists every event, and says a confidence that is no number as it is."""
    chain = _chain_of_oddities()
    seen = visit(chain)
    assert seen.shown() == len(chain)
    words = seen.page.evaluate(
        "() => { dispatchEvent(new Event('beforeprint')); const told = document.getElementById('list').innerText;"
        " dispatchEvent(new Event('afterprint')); return told; }"
    )
    for told in ("not a number: high", "not a number: True", "confidence 0.5", "(no decision)", "<_Broken>"):
        assert told in words


def test_fields_become_what_the_event_says() -> None:
    """Texts are text, lists are tuples of text, metadata a mapping; the confidence stays, as does a sound event."""
    odd: dict[str, Any] = {
        "decision": None,
        "reasoning": _Word.BIG,
        "alternatives": "one",
        "depends_on": None,
        "metadata": [1],
        "confidence": "high",
        "stage_id": 7,
    }
    event = readable(_event(**odd))
    assert (event.decision, event.reasoning, event.alternatives, event.depends_on) == ("", "big", ("one",), ())
    assert event.reasoning.__class__ is str
    assert (event.metadata, event.confidence, event.stage_id) == ({"metadata": [1]}, "high", "7")
    sound = Event.new("decision_made", "d", "r", alternatives=["a"], metadata={"k": 1}, confidence=0.5)
    assert readable(sound) is sound


def test_a_confidence_is_stated_by_a_finite_number() -> None:
    """Numbers of other libraries count; words, booleans, NaN and infinities do not."""
    assert all(is_stated(value) for value in (0, 0.5, 85, np.float32(0.5)))
    assert not any(is_stated(value) for value in (None, "0.5", True, math.nan, math.inf, 10**400))
