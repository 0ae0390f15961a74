"""Filters in a real browser: each shows exactly the events that Python finds, and the address keeps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from crucible.trace import Chain, Event

from .conftest import Open, mixed, until

pytestmark = pytest.mark.browser


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        return [*known, *(leaf for entry in known.values() for leaf in _leaves(entry))]
    if isinstance(value, list):
        return [leaf for entry in cast("list[Any]", value) for leaf in _leaves(entry)]
    return [str(value)]


def _says(event: Event, query: str) -> bool:
    named = (event.code_section, event.spec_reference, event.stage_id, event.experiment_id)
    kind = (event.type, event.type.replace("_", " "))
    texts = [event.decision, event.reasoning, *event.alternatives, event.id, *kind, *_leaves(event.metadata)]
    texts += [text for text in named if text is not None]
    return any(query.lower() in text.lower() for text in texts)


def _at_least(low: float) -> Callable[[Event], bool]:
    return lambda event: event.confidence is not None and event.confidence >= low


CASES: list[tuple[dict[str, Any], Callable[[Event], bool]]] = [
    ({}, lambda _: True),
    ({"q": "TICKET"}, lambda e: _says(e, "ticket")),
    ({"q": "größe"}, lambda e: _says(e, "größe")),
    ({"q": "deep"}, lambda e: _says(e, "deep")),
    ({"q": "no such words"}, lambda e: _says(e, "no such words")),
    ({"type": ["made_up_type", "loss_computed"]}, lambda e: e.type in ("made_up_type", "loss_computed")),
    ({"min": 40}, _at_least(0.4)),
    ({"max": 39}, lambda e: e.confidence is not None and e.confidence <= 0.39),
    ({"min": 40, "confidence": "unstated"}, lambda e: e.confidence is None),
    ({"q": "made up"}, lambda e: _says(e, "made up")),
    ({"q": "choose"}, lambda e: _says(e, "choose")),
    ({"q": "e117"}, lambda e: _says(e, "e117")),
    ({"min": 100, "confidence": "stated"}, lambda e: e.confidence == 1),
    ({"max": 0, "confidence": "stated"}, lambda e: e.confidence == 0),
    ({"confidence": "unstated"}, lambda e: e.confidence is None),
    ({"stage": "train"}, lambda e: e.stage_id == "train"),
    ({"without": "stage"}, lambda e: e.stage_id is None),
    ({"experiment": "b c/ä&=#"}, lambda e: e.experiment_id == "b c/ä&=#"),
    ({"without": ["stage", "experiment"]}, lambda e: e.stage_id is None and e.experiment_id is None),
    ({"inside": 6}, lambda e: e.parent_id == "e5"),
    (
        {"q": "use", "type": "decision_made", "min": 20, "confidence": "stated", "stage": "choose"},
        lambda e: (
            e.type == "decision_made" and e.confidence is not None and e.confidence >= 0.2 and e.stage_id == "choose"
        ),
    ),
]


def test_each_filter_shows_exactly_the_events_that_python_finds(visit: Open) -> None:
    """Search, types, confidence, stage and experiment, alone and together, from the address."""
    chain = mixed(120)
    seen = visit(chain)
    for words, fits in CASES:
        seen.page.evaluate("(hash) => { location.hash = hash; }", f"#{urlencode(words, doseq=True)}")
        expected = [number for number, event in enumerate(chain, start=1) if fits(event)]
        until(seen.page, f"document.getElementById('count').innerText.startsWith('showing {len(expected)} of')")
        assert seen.numbers() == expected, words


def test_decisions_only_are_the_chain_s_decision_points(visit: Open) -> None:
    """The filter, the tile and `Chain.decision_points` agree."""
    chain = mixed(80)
    seen = visit(chain)
    seen.page.get_by_label("Decisions only").check()
    assert seen.shown() == len(chain.decision_points())
    tile = seen.page.locator(".tile", has_text="Decisions").locator("strong").inner_text()
    assert int(tile) == len(chain.decision_points())


def test_the_form_filters_and_the_address_keeps_it(visit: Open) -> None:
    """What is chosen by hand stands in the address, and a fresh page with that address shows the same."""
    chain = mixed(120)
    first = visit(chain)
    page = first.page
    page.get_by_label("Search").fill("ticket")
    page.get_by_label("Stage", exact=True).select_option(label=f"train ({len(chain.by_stage('train'))})")
    page.get_by_label("Made up type").check()
    page.get_by_label("at least").fill("30")
    page.get_by_label("Confidence stated or not").select_option("stated")
    until(page, "location.hash.includes('min=30') && location.hash.includes('confidence=stated')")
    expected = [
        number
        for number, e in enumerate(chain, start=1)
        if _says(e, "ticket") and e.stage_id == "train" and e.type == "made_up_type" and (e.confidence or 0) >= 0.3
    ]
    assert first.numbers() == expected
    again = visit(chain, page.evaluate("location.hash"))
    assert again.numbers() == expected
    assert again.page.get_by_label("Search").input_value() == "ticket"
    assert again.page.get_by_label("Made up type").is_checked()
    assert again.page.locator("output").first.inner_text() == "30 %"
    again.page.get_by_role("button", name="Reset").click()
    assert again.shown() == 120
    until(again.page, "!location.hash.includes('min')")


def test_all_types_are_offered_with_their_counts(visit: Open) -> None:
    """Every type that occurs stands under its category with how often it occurs, those that nobody registered, too."""
    chain = mixed(60)
    page = visit(chain).page
    counts = chain.statistics().event_type_counts
    boxes = page.locator(".types .choice", has=page.locator("input[name=type]"))
    offered = {
        row.locator(".choice-name").inner_text(): int(row.locator(".choice-count").inner_text()) for row in boxes.all()
    }
    assert offered == {name.replace("_", " ").capitalize(): count for name, count in counts.items()}
    assert page.get_by_role("group", name="other").get_by_label("Made up type").is_visible()


def test_nonsense_in_the_address_shows_everything(visit: Open) -> None:
    """Unknown types, bounds that are no numbers and events that do not exist are passed over."""
    seen = visit(mixed(10), "#type=nope&min=abc&max=900&stage=nowhere&event=gone&inside=99&view=party&confidence=x")
    assert seen.shown() == 10


def test_confidence_outside_the_range_is_shown_for_what_it_is(visit: Open) -> None:
    """85 is neither hidden nor cut to 1; NaN counts as not stated, and says what it was."""
    chain = Chain("odd")
    for value in (85.0, float("nan"), None, 1.0):
        chain.add(Event.new("decision_made", "a", "b", confidence=value))
    seen = visit(chain)
    words = seen.page.locator(".certainty").all_inner_texts()
    assert words == ["confidence 85", "not a number: nan", "confidence not stated", "confidence 1"]
    seen.page.get_by_label("at least").fill("90")
    seen.page.get_by_label("Confidence stated or not").select_option("stated")
    assert seen.numbers() == [1, 4]
    seen.page.get_by_label("Confidence stated or not").select_option("unstated")
    assert seen.numbers() == [2, 3]


def test_a_bound_on_the_confidence_leaves_out_what_states_none(visit: Open) -> None:
    """At least 80 % shows what is known to be that sure; only those that state none can be asked for beside a bound."""
    chain = Chain("sure")
    for value in (0.9, 0.1, None):
        chain.add(Event.new("decision_made", "a", "b", confidence=value))
    seen = visit(chain)
    seen.page.get_by_label("at least").fill("80")
    until(seen.page, "document.getElementById('count').innerText.startsWith('showing 1 of')")
    assert seen.numbers() == [1]
    seen.page.get_by_label("Confidence stated or not").select_option("unstated")
    assert seen.numbers() == [3]


def test_search_finds_all_that_a_card_says(visit: Open) -> None:
    """Code, requirement, id, type, stage and experiment are found, and what was found in them is marked."""
    chain = Chain("found")
    said: dict[str, Any] = {
        "code_section": "def quagga(): ...",
        "spec_reference": "requirement okapi",
        "id": "id-numbat",
        "stage_id": "stage-dhole",
        "experiment_id": "experiment-kudu",
    }
    chain.add(Event.new("type_serval", "a", "b", **said))
    chain.add(Event.new("decision_made", "a", "b"))
    seen = visit(chain)
    for word in ("quagga", "okapi", "numbat", "serval", "Type serval", "dhole", "kudu"):
        seen.page.get_by_label("Search").fill("")
        until(seen.page, "document.getElementById('count').innerText.startsWith('showing 2 of')")
        seen.page.get_by_label("Search").fill(word)
        until(seen.page, "document.getElementById('count').innerText.startsWith('showing 1 of')")
        assert seen.numbers() == [1], word
        if word in ("quagga", "okapi", "numbat"):
            assert seen.page.locator(".card mark").first.inner_text() == word


def test_ten_thousand_events(visit: Open) -> None:
    """A large chain opens with a handful of cards, filters, and jumps to its far end."""
    chain = mixed(10_000)
    seen = visit(chain, "#event=e9876")
    page = seen.page
    assert page.evaluate("document.activeElement.dataset.index") == "9876"
    assert page.locator(".card").count() < 40
    page.get_by_label("Search").fill("latency rank")
    until(page, "!document.getElementById('count').innerText.startsWith('showing 10,000 of')")
    assert seen.shown() == sum(_says(event, "latency rank") for event in chain)
    assert page.locator(".times .bin.is-shown[height]:not([height='0'])").count() > 10
