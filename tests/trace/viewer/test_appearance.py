"""How the page looks in a real browser: in light and dark, wide and narrow, on paper, and without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.trace import Chain, Event, event_types
from crucible.trace.viewer import ViewerOptions

from .conftest import START, Open, mixed, until

pytestmark = pytest.mark.browser

# Contrast of every visible text with what is painted behind it (WCAG 2.2, 1.4.3); the lowest first.
_CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba("white");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    const isText = text.data.trim() && element.checkVisibility();
    if (!isText || element.closest("script, svg, noscript, option, :disabled")) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), `${element.className || element.tagName}: ${text.data.trim().slice(0, 30)}`]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


def _every_type() -> Chain:
    chain = Chain("types", description="all of them", created_at=START)
    for number, entry in enumerate(event_types()):
        confidence = (None, 0.2, 0.6, 0.9, 1.7)[number % 5]
        gone = ["gone"] if number % 9 == 0 else []
        chain.add(Event.new(entry.name, entry.name, "why", confidence=confidence, depends_on=gone, timestamp=START))
    return chain


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(visit: Open, scheme: str) -> None:
    """Every text has a contrast of 4.5 or more with what is behind it, also in marks and in a focused card."""
    page = visit(_every_type(), "#q=w", color_scheme=scheme, viewport={"width": 1300, "height": 6000}).page
    page.locator(".faults summary").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)  # colours fade in
    found: list[list[Any]] = page.evaluate(_CONTRASTS)
    assert len(found) > 300
    assert found[0][0] >= 4.5, found[:5]


def test_theme_follows_the_system_or_the_option_or_the_button(visit: Open) -> None:
    """`auto` is the reader's scheme, `light` and `dark` are themselves, and the button goes round."""
    chain = mixed(3)

    def paper(page: Any) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark, light = "rgb(20, 22, 26)", "rgb(255, 255, 255)"
    assert paper(visit(chain, color_scheme="dark").page) == dark
    assert paper(visit(chain, color_scheme="light", options=ViewerOptions(theme="dark")).page) == dark
    page = visit(chain, color_scheme="dark", options=ViewerOptions(theme="light")).page
    assert paper(page) == light
    for expected in ("dark", "auto", "light"):
        page.locator("#theme").click()
        assert page.locator("#theme").inner_text() == f"Theme: {expected}"
        assert paper(page) == (light if expected == "light" else dark)


@pytest.mark.parametrize("view", ["list", "graph", "loss"])
def test_narrow_window_does_not_scroll_sideways(visit: Open, view: str) -> None:
    """At 390 px everything fits, and the filters fold away but open."""
    chain = _every_type()
    chain.add(Event.new("loss_computed", "x" * 300, "y" * 300, metadata={"loss": 1, "step": 1}, stage_id="s" * 200))
    page = visit(chain, f"#view={view}", viewport={"width": 390, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.get_by_label("Stage", exact=True).is_visible()
    page.locator(".filter-more > summary").click()
    assert page.get_by_label("Stage", exact=True).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_javascript_the_first_events_are_listed(visit: Open) -> None:
    """The reader is told what to do, and can read the chain meanwhile."""
    chain = mixed(150)
    context_page = visit(chain, java_script_enabled=False).page
    words = context_page.locator("body").inner_text()
    assert "needs JavaScript" in words
    assert "The first 100 of 150 events" in words
    assert chain[99].decision in words
    assert context_page.locator("main li:has(strong)").count() == 100


def test_motion_is_only_for_those_who_want_it(visit: Open) -> None:
    """Nothing moves or fades where the reader asked for reduced motion."""
    page = visit(mixed(3), reduced_motion="reduce").page
    assert set(
        page.evaluate("[...document.querySelectorAll('*')].map((e) => getComputedStyle(e).transitionDuration)")
    ) == {"0s"}


def test_paper_shows_all_events_of_the_list(visit: Open) -> None:
    """Printing lays out every event, not just those near the window, and leaves the controls out."""
    page = visit(mixed(120)).page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".slot").count() == 120
    assert not page.locator("#filters").is_visible()
    tops: list[float] = page.evaluate(
        "[...document.querySelectorAll('.slot')].map((s) => s.getBoundingClientRect().top)"
    )
    assert tops == sorted(tops)
    assert len(set(tops)) == 120
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    until(page, "document.querySelectorAll('.slot').length < 60")
