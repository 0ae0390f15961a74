"""The real Mermaid, of NiceGUI's wheel, in a real browser."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

_DRAW = """
async base => {
  const { mermaid } = await import(base + "index.js");
  mermaid.initialize({ startOnLoad: false });
  window.draw = async texts => {
    const drawn = [];
    for (let i = 0; i < texts.length; i++) {
      try {
        const { diagramType } = await mermaid.parse(texts[i]);
        const { svg } = await mermaid.render("drawing" + i, texts[i]);
        document.body.innerHTML = svg;
        const picture = document.body.querySelector("svg");
        picture.querySelectorAll("style").forEach(style => style.remove());
        const words = [...picture.querySelectorAll(".nodeLabel, .edgeLabel, text")].map(node => node.textContent);
        const strange = picture.querySelectorAll("script, a, img, iframe, [onclick], [onerror]").length;
        const nodes = picture.querySelectorAll("g.node").length;
        drawn.push({ error: null, kind: diagramType, words, all: picture.textContent, strange, nodes });
      } catch (error) {
        drawn.push({ error: String(error) });
      }
    }
    return drawn;
  };
}
"""


class Mermaid:
    """A page that draws diagrams, many in one go."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page

    def draw(self, texts: list[str]) -> list[dict[str, Any]]:
        """Parse and render each text; an `error` that is not None says what Mermaid complained of."""
        return self.page.evaluate("texts => window.draw(texts)", texts)

    def picture(self, text: str, path: Path) -> None:
        """Draw one text, and save what the browser shows."""
        assert self.draw([text])[0]["error"] is None
        self.page.locator("svg").first.screenshot(path=path)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _folder() -> Path:
    found = importlib.util.find_spec("nicegui")  # found, not imported: what it needs is not installed
    folder = Path(found.origin).parent / "elements" / "mermaid" / "dist" if found and found.origin else None
    if folder is None or not (folder / "index.js").is_file():
        problem = "no copy of Mermaid: pip install --no-deps nicegui"
        if os.environ.get("CRUCIBLE_REQUIRE_BROWSER"):
            pytest.fail(f"CRUCIBLE_REQUIRE_BROWSER is set and there is {problem}")
        pytest.skip(problem)
    return folder


@pytest.fixture(scope="module")  # a longer one would leave its event loop running under other tests
def mermaid(chromium: str) -> Iterator[Mermaid]:
    """Serve Mermaid's modules on this machine, and load them into a page that asks for nothing else."""
    handler = functools.partial(_Quiet, directory=str(_folder()))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            base = f"http://127.0.0.1:{server.server_port}/"
            page.goto(f"{base}package.json")  # any page of this origin, so that modules may be imported
            page.evaluate(_DRAW, base)
            yield Mermaid(page)
            browser.close()
        server.shutdown()
