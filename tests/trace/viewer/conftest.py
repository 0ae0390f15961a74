"""Chains to show, and a browser that reports everything that a page does beyond showing itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from crucible.trace import Chain, Event
from crucible.trace.viewer import ViewerOptions, save_html

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
TYPES = ("hypothesis_formed", "alternative_rejected", "decision_made", "loss_computed", "stage_started", "made_up_type")
WORDS = [
    "tokenizer",
    "schema",
    "ticket",
    "latency",
    "budget",
    "rank",
    "adapter",
    "gradient",
    "warmup",
    "cosine",
    "seed",
    "retry",
    "Größe",
    "naïve",
]

Open = Callable[..., "Visit"]


def mixed(count: int, seed: int = 3) -> Chain:
    """Return a chain of events with everything that filters look at, some of it left out here and there."""
    dice = random.Random(seed)
    chain = Chain("mixed", created_at=START)
    ids: list[str] = []
    for number in range(count):

        def say(words: int) -> str:
            return " ".join(dice.choice(WORDS) for _ in range(words))

        metadata = {"note": say(2), "deep": {"key": [say(1), number]}} if dice.random() < 0.5 else {}
        event = Event.new(
            dice.choice(TYPES),
            f"use {say(4)}",
            say(9),
            id=f"e{number}",
            timestamp=START + timedelta(seconds=dice.randint(0, 9000)),
            alternatives=[say(2) for _ in range(dice.choice([0, 0, 1, 2]))],
            confidence=dice.choice([None, 0.0, 1.0, round(dice.random(), 2)]),
            metadata=metadata,
            parent_id=dice.choice(ids[-20:]) if ids and dice.random() < 0.7 else None,
            depends_on=dice.sample(ids[-20:], min(len(ids), dice.choice([0, 0, 1, 2]))),
            stage_id=dice.choice([None, "train", "choose"]),
            experiment_id=dice.choice([None, "a", "b c/ä&=#"]),
        )
        ids.append(chain.add(event).id)
    return chain


def until(page: playwright.Page, expression: str) -> None:
    """Wait until an expression is true in the page. (Playwright's own way evaluates text, which the policy forbids.)"""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true within 5 s: {expression}")


class Visit:
    """A page on show, and what it did that a page of this kind must not do."""

    def __init__(self, page: playwright.Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._refuse)
        page.on("request", lambda request: self.requests.append(request.url.partition("#")[0]))
        page.add_init_script(
            "window.violations = [];"
            "document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective));"
        )
        page.goto(address)
        self.address = address.partition("#")[0]

    def _refuse(self, dialog: playwright.Dialog) -> None:
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def shown(self) -> int:
        """Return how many events the page says it shows."""
        words = self.page.locator("#count").inner_text()
        return int(words.split()[1].replace(",", ""))

    def numbers(self) -> list[int]:
        """Return the numbers of the events that the list shows, up to 500, all laid out at once as for print."""
        return self.page.evaluate(_LAY_OUT_LIST)

    def read(self) -> list[int]:
        """Return the numbers of all events that the list shows, going through it from end to end as a reader would."""
        return self.page.evaluate(_READ_LIST)

    def check(self) -> None:
        """Assert that the page complained of nothing, ran nothing strange, and asked for nothing but itself."""
        assert self.complaints == []
        assert self.page.evaluate("window.violations") == []
        assert self.page.evaluate("window.pwned === undefined")
        assert [url for url in self.requests if not url.startswith("data:")] == [self.address]


_LAY_OUT_LIST = """() => {
  dispatchEvent(new Event("beforeprint"));
  const found = [...document.querySelectorAll(".slot .card")].map((card) => Number(card.dataset.index) + 1);
  dispatchEvent(new Event("afterprint"));
  return found;
}"""
_READ_LIST = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const found = new Map();
  for (let top = 0; ; top += innerHeight) {
    window.scrollTo(0, top);
    await frame();
    for (const card of document.querySelectorAll(".slot .card")) {
      found.set(Number(card.getAttribute("aria-posinset")), Number(card.dataset.index) + 1);
    }
    if (top > document.documentElement.scrollHeight) break;
  }
  window.scrollTo(0, 0);
  return [...found].sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);
}"""


@pytest.fixture(scope="module")  # a longer one would leave its event loop running under other tests
def browser(chromium: str) -> Iterator[playwright.Browser]:
    """Start Debian's chromium without a window."""
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: playwright.Browser, tmp_path: Path) -> Iterator[Open]:
    """Return a function that writes a chain's page and opens it; every visit is checked at the end."""
    views: list[playwright.BrowserContext] = []
    visits: list[Visit] = []

    def opened(chain: Chain, address: str = "", *, options: ViewerOptions | None = None, **view: Any) -> Visit:
        path = save_html(chain, tmp_path / f"{len(visits)}.html", options or ViewerOptions())
        choices: dict[str, Any] = {"viewport": {"width": 1300, "height": 900}, **view}
        context = browser.new_context(**choices)
        context.set_default_timeout(5000)
        views.append(context)
        visits.append(Visit(context.new_page(), path.as_uri() + address))
        return visits[-1]

    yield opened
    for one in visits:
        if one.page.context.browser is not None:
            one.check()
    for context in views:
        context.close()
