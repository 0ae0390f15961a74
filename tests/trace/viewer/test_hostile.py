"""Hostile and broken chains in a real browser: nothing from them runs, and everything is shown for what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crucible.trace import Chain, Event

from .conftest import Open

pytestmark = pytest.mark.browser

START = datetime(2026, 1, 1, tzinfo=UTC)
ATTACKS = [
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg onload=window.pwned=1><style>*{display:none}</style>",
    "</noscript></style></title></textarea><iframe src=javascript:window.pwned=1>",
    "<!--<script>",
    "javascript:window.pwned=1",
    "\"'><a href=javascript:alert(1) autofocus onfocus=alert(1)>",
    "${alert(1)} {{7*7}} $title %s \\",
    "\u202egnp.exe\u2066 \x00\x07\x1b[31m\ud800\udfff\u2028\ufeff",
    "__proto__",
    "constructor",
    "",
    "   ",
    "word " * 2000,
    "x" * 5000,
]


def _chain() -> Chain:
    chain = Chain(ATTACKS[0], description="\n".join(ATTACKS[:4]), metadata={ATTACKS[1]: ATTACKS[2]}, created_at=START)
    ids: list[str] = []
    for number, attack in enumerate(ATTACKS):
        event = Event.new(
            attack or "decision_made",
            attack,
            attack,
            id=f"{attack}{number}",
            timestamp=START + timedelta(seconds=len(ATTACKS) - number),
            alternatives=[attack, attack],
            code_section=attack,
            spec_reference=attack,
            stage_id=attack,
            experiment_id=attack,
            parent_id=ids[-1] if ids else attack,
            depends_on=[*ids[-2:], attack],
            metadata={attack: {attack: [attack, float("nan"), 2**70]}, "loss": number, "step": number, "model": attack},
        )
        ids.append(chain.add(event).id)
    return chain


def test_nothing_from_a_chain_runs(visit: Open) -> None:
    """Every view of a chain made of attacks: no script, no dialog, no request, no breach of the policy, all shown."""
    seen = visit(_chain())
    page = seen.page
    assert seen.read() == list(range(1, len(ATTACKS) + 1))
    page.keyboard.press("j")
    for _ in ATTACKS:
        page.keyboard.press("Enter")
        page.keyboard.press("j")
    for view in ("Graph", "Loss", "List"):
        page.get_by_role("tab", name=view).click()
    for scope in ("whole", "shown", "stages"):
        page.get_by_role("tab", name="Graph").click()
        page.get_by_label("Draw").select_option(scope)
    for attack in ATTACKS:
        page.get_by_label("Search").fill(attack[:200])
    assert page.evaluate("document.querySelectorAll('img, iframe, script').length") == 2
    assert page.evaluate("({}).polluted === undefined && Object.keys(Object.prototype).length === 0")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.check()


def test_what_cannot_be_seen_is_shown_as_its_code(visit: Open) -> None:
    """Control characters, direction overrides and lone surrogates are spelled out; line breaks stay."""
    chain = Chain("a", created_at=START)
    chain.add(Event.new("decision_made", "a\u202eb\x1bc\ud800d", "one\ntwo", timestamp=START))
    page = visit(chain).page
    assert page.locator(".card h3").inner_text() == r"a\u202eb\x1bc\ud800d"
    assert page.locator(".card .reasoning").inner_text() == "one\ntwo"


def test_metadata_keys_that_objects_treat_specially_are_kept(visit: Open) -> None:
    """`__proto__` and its like are keys like any other, and numbers beyond 2^53 keep every digit."""
    chain = Chain("a", created_at=START)
    known = {"__proto__": "p", "constructor": {"__proto__": 1}, "toString": 2**60, "nothing": None}
    chain.add(Event.new("decision_made", "a", "b", timestamp=START, metadata=known))
    page = visit(chain).page
    page.locator("summary", has_text="Metadata").click()
    rows = page.locator(".metadata > div").all()
    found = {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows}
    assert found["__proto__"] == "p"
    assert '"__proto__": 1' in found["constructor"]
    assert found["toString"] == str(2**60)
    assert found["nothing"] == "null"


def test_repeated_ids_cycles_and_links_to_nothing(visit: Open) -> None:
    """A chain with every fault of the links is listed, drawn, and its faults are told."""
    rows = [
        {"id": "a", "parent_id": "b"},
        {"id": "b", "parent_id": "a", "depends_on": ["b", "gone"]},
        {"id": "a", "depends_on": ["a"]},
    ]
    common = {"timestamp": "2026-01-01T00:00:00Z", "type": "decision_made", "decision": "d", "reasoning": "r"}
    seen = visit(Chain.from_dict({"name": "broken", "events": [{**common, **row} for row in rows]}))
    page = seen.page
    assert page.locator(".missing").all_inner_texts() == ["not in the chain: gone"]
    assert "faults in the links" in page.locator(".faults summary").inner_text()
    page.locator(".slot summary").nth(2).click()
    assert "Another event before this one has the same id" in page.locator(".card").nth(2).inner_text()
    page.get_by_role("tab", name="Graph").click()
    assert page.locator(".node").count() == 4
    assert page.locator(".node.is-missing").count() == 1
    assert page.locator(".edge.is-back[marker-end]").count() == 2
    caption = page.locator(".caption").inner_text()
    assert "2 links close a cycle" in caption
    assert "1 linked event is not in the chain" in caption


@pytest.mark.parametrize("count", [0, 1, 500])
def test_times_that_are_all_the_same_or_in_disorder(visit: Open, count: int) -> None:
    """The timeline of no, one or many equal times has no mark outside itself."""
    chain = Chain("same", created_at=START)
    for number in range(count):
        chain.add(Event.new("decision_made", f"d{number}", "r", timestamp=START))
    page = visit(chain).page
    places = page.evaluate(
        "[...document.querySelectorAll('.times .mark, .times .bin[height]:not([height=\"0\"])')]"
        ".map((e) => Number(e.getAttribute('x1') ?? e.getAttribute('x')))"
    )
    assert all(0 <= place <= 1000 for place in places)
    assert len(set(places)) <= 2
    assert page.locator("#timeline").is_visible() == (count > 0)
