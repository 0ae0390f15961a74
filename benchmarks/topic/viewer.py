"""The page of a chain of 10,000 events: made, its size, and opened and filtered in headless Chromium."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.clock import Budget, Figure, counted, figure_of, timed
from benchmarks.topic import Scale
from benchmarks.topic.traces import events

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_FILTER = """(text) => new Promise((done) => {
  const box = document.getElementById('search');
  const begun = performance.now();
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; those of the browser only where Debian's `chromium` is."""
    from crucible.trace import Chain, save_html, to_html

    chain, count = Chain("bench"), scale.viewer_events
    chain.extend(events(count))
    few = Budget(seconds=0.0, least=min(3, scale.budget.most), most=3)
    yield timed(f"`to_html`, {count:,} events", "ms", lambda: to_html(chain), few)
    with tempfile.TemporaryDirectory() as folder:
        page = save_html(chain, Path(folder) / "page.html")
        yield counted(f"size of the page of {count:,} events, in kB", page.stat().st_size / 1000)
        chromium = shutil.which("chromium")
        if chromium is not None:
            yield from _in_browser(chromium, page, count, min(5, scale.budget.most))


def _in_browser(chromium: str, page: Path, count: int, repeats: int) -> Iterator[Figure]:
    from playwright.sync_api import sync_playwright

    paints: list[float] = []
    filters: list[float] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(repeats):
            tab: Any = browser.new_page()
            tab.goto(page.as_uri())
            tab.wait_for_timeout(200)
            paints.append(tab.evaluate(_PAINT) * 1e6)
            filters.append(tab.evaluate(_FILTER, "Loss: 0.12") * 1e6)
            tab.close()
        browser.close()
    yield figure_of(f"first contentful paint, {count:,} events", "ms", paints)
    yield figure_of(f"from a change of the search to the second frame after it, {count:,} events", "ms", filters)
