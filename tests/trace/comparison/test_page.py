"""The page: side by side, bounded, self-contained, and only text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright import sync_api as playwright

from crucible.trace import Chain, Event
from crucible.trace.comparison import Diff, diff
from crucible.trace.comparison.markup import marked, text
from crucible.trace.comparison.rows import Row, Run, rows

Maker = Callable[..., Chain]
HOSTILE = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[31m\ud800"


def _two(chain_of: Maker) -> Diff:
    """Return a diff with everything in it, hostile text included."""
    many: list[Any] = [("loss_computed", "Loss: 0.1")] * 12
    a = chain_of(*many, ("t", "apples"), ("t", HOSTILE), *many, ("t", "bananas"), ("t", "same"), name=f"one {HOSTILE}")
    first = Event.new("decision_made", "kept the checkpoint at step 60", "lowest loss", confidence=0.5)
    a._append(first)
    changed = Event.new("decision_made", "kept the checkpoint at step 80", "lowest loss", metadata={HOSTILE: HOSTILE})
    b = chain_of(*many, ("t", "apples"), *many, ("t", "same"), ("t", "bananas"), ("new", "1234567"), name="two")
    b._append(changed)
    return diff(a, b)


def test_rows_tell_every_event_in_order(chain_of: Maker) -> None:
    """Either column read from top to bottom is its chain; what moved stands at both places and points to the other."""
    found = _two(chain_of)
    left: list[int] = []
    right: list[int] = []
    for each in rows(found):
        if isinstance(each, Run):
            left += range(each.a_place, each.a_place + each.length)
            right += range(each.b_place, each.b_place + each.length)
            continue
        left += [] if each.a_place is None else [each.a_place]
        right += [] if each.b_place is None else [each.b_place]
    assert left == list(range(len(found.a.events)))
    assert right == list(range(len(found.b.events)))
    kinds = [each.kind for each in rows(found) if isinstance(each, Row)]
    assert sorted(kinds) == ["added", "changed", "moved_from", "moved_to", "removed"]


def test_words_are_marked() -> None:
    """The words that differ are marked, and what has little in common is marked whole."""
    assert marked("at step 80 <i>", "at step 60 <i>", limit=99) == (
        "at step <del>80</del> &lt;i&gt;",
        "at step <ins>60</ins> &lt;i&gt;",
    )
    assert marked("lr 0.001", "lr 0.0005", limit=99) == ("lr <del>0.001</del>", "lr <ins>0.0005</ins>")
    assert marked("abc", "xyz", limit=99) == ("<del>abc</del>", "<ins>xyz</ins>")
    assert marked("", "xyz", limit=99) == ("", "<ins>xyz</ins>")
    assert marked("a" * 9, "a" * 9, limit=4)[0] == "aaaa… (5 more characters)"


def test_text_is_only_text() -> None:
    """Markup, quotes, control characters, overrides and lone surrogates are shown; joiners and line breaks stay."""
    assert text("<a b=\"c\" d='e'>&\x00\u202e\ud800\U000e0001") == (
        "&lt;a b=&quot;c&quot; d=&#x27;e&#x27;&gt;&amp;\\x00\\u202e\\ud800\\U000e0001"
    )
    assert text("a\n\tb\u200d") == "a\n\tb\u200d"


@pytest.mark.parametrize("share", [0.05, 1])
def test_the_page_is_bounded(chain_of: Maker, share: float) -> None:
    """A page of many long changes stays below 5 MB and says what it leaves out; nothing is left out in silence."""
    every = round(1 / share)
    words = "why this and not that, at length and then some more of it " * 12
    a = chain_of(*[Event.new("decision_made", f"number {n}", words) for n in range(4000)])
    b = chain_of(
        *[
            Event.new("decision_made", f"number {n}", words + ("" if n % every else f" and {n}"), confidence=0.1)
            for n in range(4000)
        ]
    )
    found = diff(a, b)
    page = found.to_html()
    assert len(page.encode()) < 5_000_000
    assert page.count('class="row changed"') + _left_out(page) == len(found.changed)


def _left_out(page: str) -> int:
    _, mark, rest = page.partition("The page ends here; ")
    return int(rest.partition(" ")[0].replace(",", "")) if mark else 0


def test_unchanged_runs_are_folded_and_counted(chain_of: Maker) -> None:
    """A long run is folded; beyond the bound its events are counted, and the page says so at the top."""
    many = [("loss_computed", f"Loss: {n}") for n in range(20_000)]
    page = diff(chain_of(*many, ("a", "xxxx")), chain_of(*many, ("b", "yyyy"))).to_html()
    assert len(page.encode()) < 5_000_000
    assert "19,998 events unchanged" in page
    assert "unchanged events are not shown" in page
    assert "counted where they stand, but not shown" in page


def test_nothing_to_show(chain_of: Maker) -> None:
    """Equal and empty chains say so."""
    assert "No event differs." in diff(chain_of(("a", "x")), chain_of(("a", "x"))).to_html()
    assert "Neither has events." in diff(chain_of(), chain_of()).to_html()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[playwright.Browser]:
    """Start Debian's chromium without a window."""
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(
    browser: playwright.Browser, chain_of: Maker, tmp_path: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    """No message, no request but for the page, no sideways scrolling, no script run; folds open, links lead on."""
    path = tmp_path / "diff.html"
    path.write_text(_two(chain_of).to_html(), encoding="utf-8")
    view = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = view.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert messages == []
    assert requests == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title().startswith("What changed: one <script>")
    assert page.locator("script, img").count() == 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 22, 26)")
    inner = page.locator("details .row").first
    assert not inner.is_visible()
    page.locator("summary").first.click()
    assert inner.is_visible()
    for link in page.locator("a").all():
        target = link.get_attribute("href")
        assert target is not None
        assert page.locator(target).count() == 1
    if width == 1200:
        left, right = (page.locator(f".row.changed .{side}").first.bounding_box() for side in ("a", "b"))
        assert left is not None
        assert right is not None
        assert (left["y"], left["width"]) == (right["y"], right["width"])
    view.close()
