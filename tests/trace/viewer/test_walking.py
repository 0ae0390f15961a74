"""Reading by keyboard and by links, in a real browser."""

from __future__ import annotations

import pytest
from playwright import sync_api as playwright

from crucible.trace import Chain, Event

from .conftest import START, Open, mixed, until

pytestmark = pytest.mark.browser


def _current(page: playwright.Page) -> int:
    """Return the number of the event that has the focus; 0 if none has."""
    return int(page.evaluate("Number(document.activeElement.closest('.slot .card')?.dataset.index ?? -1) + 1"))


def test_keys_walk_open_search_and_leave(visit: Open) -> None:
    """j, k, arrows, Home and End walk; Enter opens; / searches; Escape closes and leaves; g draws the graph."""
    page = visit(mixed(200)).page
    walked: list[int] = []
    for key in ("j", "j", "ArrowDown", "k", "ArrowUp", "End", "k", "Home"):
        page.keyboard.press(key)
        walked.append(_current(page))
    assert walked == [1, 2, 3, 2, 1, 200, 199, 1]
    page.keyboard.press("Enter")
    assert page.locator(".card").first.locator("details").get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert page.locator(".card").first.locator("details").get_attribute("open") is None
    assert _current(page) == 1
    page.keyboard.press("/")
    page.keyboard.type("jkg/")
    assert page.get_by_label("Search").input_value() == "jkg/"
    page.get_by_label("Search").fill("")
    page.keyboard.press("Escape")
    assert _current(page) == 1
    page.keyboard.press("g")
    assert page.locator(".graph").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#list").is_visible()


def test_every_walked_event_is_in_view_and_shows_its_focus(visit: Open) -> None:
    """Walking through cards of very different heights keeps the whole head of each in the window, below the bar."""
    chain = Chain("heights", created_at=START)
    for number in range(60):
        chain.add(Event.new("decision_made", f"d{number}", "line\n" * (number % 7 * 6), timestamp=START))
    page = visit(chain).page
    for number in range(1, 61):
        page.keyboard.press("j")
        assert _current(page) == number
        box = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
        bar = page.evaluate("document.querySelector('.bar').getBoundingClientRect().bottom")
        assert bar - 1 <= box["top"] < 860, number
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_details_stay_open_while_scrolled_away(visit: Open) -> None:
    """Cards far from the window do not exist; what was open in them is open when they come back."""
    page = visit(mixed(300)).page
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 30000)")
    until(page, "!document.querySelector('[data-index=\"0\"]')")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_selector("[data-index='0'] details[open]")


def test_links_jump_and_back_returns(visit: Open) -> None:
    """Parent, dependencies, children and dependants are links to their cards; Back returns to where one was."""
    chain = Chain("links", created_at=START)
    for number in range(100):
        parent, basis = ("e3", ["e5", "e90"]) if number == 95 else (None, [])
        event = Event.new(
            "decision_made",
            f"decision {number}",
            "r",
            id=f"e{number}",
            timestamp=START,
            parent_id=parent,
            depends_on=basis,
        )
        chain.add(event)
    page = visit(chain, "#event=e95").page
    assert _current(page) == 96
    rows = {row.locator("dt").inner_text(): row for row in page.locator("[data-index='95'] .row").all()}
    assert rows["inside"].locator("a").all_inner_texts() == ["DEC\n4. decision 3"]
    assert len(rows["rests on"].locator("a").all()) == 2
    rows["inside"].locator("a").click()
    assert _current(page) == 4
    back = page.locator("[data-index='3'] .row", has_text="contains").locator("a")
    assert back.all_inner_texts() == ["DEC\n96. decision 95"]
    back.click()
    assert _current(page) == 96
    page.locator("[data-index='95'] .row", has_text="rests on").locator("a").first.click()
    assert _current(page) == 6
    page.locator("[data-index='5'] .row", has_text="relied on by").locator("a").click()
    assert _current(page) == 96
    page.go_back()
    until(page, "document.activeElement.dataset.index === '5'")


def test_a_link_to_a_filtered_event_resets_the_filters_and_says_so(visit: Open) -> None:
    """No link leads nowhere: the filters give way, the page says so, and Back restores them."""
    chain = Chain("links", created_at=START)
    chain.add(Event.new("hypothesis_formed", "the root", "r", id="a", timestamp=START))
    chain.add(Event.new("decision_made", "the leaf", "r", id="b", parent_id="a", timestamp=START))
    seen = visit(chain, "#q=leaf")
    page = seen.page
    assert seen.numbers() == [2]
    page.locator(".card a.link").click()
    assert _current(page) == 1
    assert "were reset" in page.locator("#notice").inner_text()
    page.go_back()
    until(page, "document.getElementById('count').innerText.startsWith('showing 1 of 2')")


def test_many_children_are_offered_as_a_list(visit: Open) -> None:
    """An event with many children names some, and shows all of them in the list at a press."""
    chain = Chain("children", created_at=START)
    root = chain.add(Event.new("stage_started", "root", "r", timestamp=START))
    for number in range(40):
        chain.add(
            Event.new("decision_made", f"d{number}", "r", parent_id=root.id if number % 2 else None, timestamp=START)
        )
    seen = visit(chain)
    seen.page.get_by_role("button", name="show all 20 in the list").click()
    assert seen.numbers() == [number + 2 for number in range(40) if number % 2]
    seen.page.get_by_role("button", name="Show events that are not inside it, too").click()
    assert seen.shown() == 41


def test_timeline_is_read_by_keyboard(visit: Open) -> None:
    """Arrow keys walk in the order of time, not of the chain; the words follow, and Enter shows the event."""
    chain = Chain("disorder", created_at=START)
    for number, second in enumerate((30, 0, 10, 20)):
        moment = START.replace(second=second)
        chain.add(Event.new("decision_made", f"at {second}", "r", id=f"e{number}", timestamp=moment))
    page = visit(chain).page
    bar = page.locator(".times")
    bar.focus()
    said: list[str | None] = []
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        said.append(bar.get_attribute("aria-valuetext"))
    assert said == ["+0.00 s · 2. at 0", "+10.00 s · 3. at 10", "+20.00 s · 4. at 20", "+30.00 s · 1. at 30"]
    page.keyboard.press("Enter")
    assert _current(page) == 1
    marks = page.evaluate("[...document.querySelectorAll('.times .mark')].map((m) => Number(m.getAttribute('x1')))")
    assert marks == pytest.approx([996, 4, 4 + 992 / 3, 4 + 2 * 992 / 3])


def test_everything_that_can_be_used_can_be_reached_by_tab(visit: Open) -> None:
    """From the top, Tab comes to the skip link, the theme, the timeline, the filters, the tabs and the first card."""
    page = visit(mixed(5)).page
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('class') || ''"))
    controls = {"skip", "theme", "times", "search", "stage", "experiment", "said", "low", "high", "decisions"}
    assert reached >= {*controls, "tab-list", "link"}
    assert any(name.startswith("card") for name in reached)


def test_the_whole_list_is_there_for_who_scrolls(visit: Open) -> None:
    """Scrolled through from end to end, every event comes by once, in order, whatever height was guessed for it."""
    chain = Chain("heights", created_at=START)
    for number in range(150):
        chain.add(Event.new("decision_made", f"d{number}", "word " * (number * 7 % 120), timestamp=START))
    assert visit(chain).read() == list(range(1, 151))
