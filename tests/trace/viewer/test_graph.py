"""The graph of links in a real browser: its nodes and edges are those of the chain."""

from __future__ import annotations

import itertools

import pytest
from playwright import sync_api as playwright

from crucible.trace import Chain, Event

from .conftest import START, Open, mixed

pytestmark = pytest.mark.browser


def _edges(page: playwright.Page, kind: str) -> int:
    return page.locator(f".graph .edge.is-{kind}[marker-end]").count()


def test_whole_chain_is_drawn(visit: Open) -> None:
    """A node for every event, a solid edge for every parent and a dotted one for every dependency."""
    chain = mixed(90)
    page = visit(chain, "#view=graph").page
    assert page.locator(".graph .node").count() == 90
    assert _edges(page, "parent") == sum(event.parent_id is not None for event in chain)
    assert _edges(page, "dependency") == sum(len(event.depends_on) for event in chain)
    dashes = {
        kind: page.evaluate(f"getComputedStyle(document.querySelector('.edge.is-{kind}[marker-end]')).strokeDasharray")
        for kind in ("parent", "dependency")
    }
    assert dashes["parent"] == "none"
    assert dashes["dependency"] != "none"
    assert page.locator(".caption").inner_text() == "All 90 events and their links."


def test_nodes_do_not_overlap_and_causes_stand_left(visit: Open) -> None:
    """No two boxes share a place, and every edge of a chain without cycles leads to the right."""
    chain = mixed(120)
    page = visit(chain, "#view=graph").page
    places: list[tuple[float, float]] = page.evaluate(
        "[...document.querySelectorAll('.graph .node')]"
        ".map((node) => node.getAttribute('transform').match(/-?[\\d.]+/g).map(Number))"
    )
    for (x1, y1), (x2, y2) in itertools.combinations(places, 2):
        assert abs(x1 - x2) >= 216 or abs(y1 - y2) >= 50
    number = {event.id: place for place, event in enumerate(chain)}
    for place, event in enumerate(chain):
        for other in (*event.depends_on, *([event.parent_id] if event.parent_id else [])):
            assert places[number[other]][0] < places[place][0]


def test_large_chain_begins_with_its_stages_and_says_so(visit: Open) -> None:
    """Above 300 events the stages are drawn; a selected event brings its surroundings; what is left out is told."""
    chain = mixed(400)
    page = visit(chain, "#view=graph").page
    assert page.locator(".graph .node").count() == len({event.stage_id for event in chain})
    assert "links inside stages are not drawn" in page.locator(".caption").inner_text()
    page.evaluate("location.hash = '#view=graph&event=e200'")
    page.wait_for_selector(".node.is-selected")
    assert "of 400 events: those within 3 links of event 201" in page.locator(".caption").inner_text()
    assert "outside the picture" in page.locator(".caption").inner_text()
    page.get_by_label("Draw").select_option("shown")
    assert page.locator(".graph .node").count() == 300
    assert "the first 300 of the 400 that the filters let through" in page.locator(".caption").inner_text()


def test_clicking_a_node_selects_its_event(visit: Open) -> None:
    """The card of the selected event stands below, its links select in turn, and the address keeps it."""
    chain = Chain("two", created_at=START)
    chain.add(Event.new("hypothesis_formed", "cause", "r", id="a", timestamp=START))
    chain.add(Event.new("decision_made", "effect", "r", id="b", timestamp=START, depends_on=["a"]))
    page = visit(chain, "#view=graph").page
    page.locator(".node", has_text="effect").first.click()
    assert page.locator(".graph-card h3").inner_text() == "effect"
    assert "event=b" in page.evaluate("location.hash")
    page.locator(".graph-card a.link").click()
    assert page.locator(".graph-card h3").inner_text() == "cause"
    assert page.locator(".node.is-selected").get_attribute("aria-pressed") == "true"


def test_nodes_are_walked_by_arrow_keys_and_zoomed(visit: Open) -> None:
    """The graph is one stop of Tab; arrows go to the nearest node that way, Enter selects, + and drag move the view."""
    chain = Chain("line", created_at=START)
    for number in range(4):
        parent = f"e{number - 1}" if number else None
        chain.add(Event.new("decision_made", f"step {number}", "r", id=f"e{number}", parent_id=parent, timestamp=START))
    page = visit(chain, "#view=graph").page
    assert page.locator(".node[tabindex='0']").count() == 1
    page.locator(".node[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert page.locator(".graph-card h3").inner_text() == "step 1"
    before = page.locator(".graph > g").get_attribute("transform")
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".graph > g").get_attribute("transform") != before
    box = page.locator(".graph").bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
    page.mouse.up()
    assert page.locator(".graph-card h3").inner_text() == "step 1"
    page.get_by_role("button", name="Fit all into view").click()


def test_keys_choose_also_after_the_mouse_dragged(visit: Open) -> None:
    """A drag chooses nothing; Enter on a node, and the next click, choose again."""
    chain = Chain("three", created_at=START)
    for number in range(3):
        chain.add(Event.new("decision_made", f"step {number}", "r", id=f"e{number}", timestamp=START))
    page = visit(chain, "#view=graph").page
    nodes = page.locator(".graph .node")
    box = nodes.nth(0).bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 15)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 25, steps=4)
    page.mouse.up()
    assert page.locator(".graph-card h3").count() == 0
    nodes.nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator(".graph-card h3").inner_text() == "step 2"
    nodes.nth(1).click()
    assert page.locator(".graph-card h3").inner_text() == "step 1"


def test_filters_dim_what_they_hide(visit: Open) -> None:
    """In the graph of the whole chain, events that do not fit the filters stay, faintly."""
    chain = mixed(60)
    page = visit(chain, "#view=graph&stage=train").page
    assert page.locator(".node.is-out").count() == 60 - len(chain.by_stage("train"))


def test_a_chain_of_thousands_of_links_in_a_row_is_drawn(visit: Open) -> None:
    """Depth needs no recursion: 5,000 events, each inside the one before, and a cycle through all of them."""
    chain = Chain("deep", created_at=START)
    for number in range(5000):
        parent = f"e{(number - 1) % 5000}"
        chain.add(Event.new("decision_made", f"d{number}", "r", id=f"e{number}", parent_id=parent, timestamp=START))
    page = visit(chain, "#view=graph").page
    page.get_by_label("Draw").select_option("shown")
    assert page.locator(".graph .node").count() == 300
