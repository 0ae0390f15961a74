"""The HTML report: one file, no request, accessible, and every number the one that was given."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest

from crucible.pipeline import Context
from crucible.report import build_results, render

VOID = {"meta", "link", "br"}
CSS = resources.files("crucible.report").joinpath("page.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Checks that elements nest, and collects them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.data: list[tuple[float, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        attributes = {key: value or "" for key, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self.data.append((float(attributes["value"]), ""))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text of numbers."""
        if self.open and self.open[-1] == "data":
            self.data[-1] = (self.data[-1][0], data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(whole_run: Context) -> str:
    """Return the report of a whole run."""
    return render(build_results(whole_run), "html")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    """Return the report, parsed."""
    return Page(html)


def test_nothing_is_fetched_or_run(html: str, page: Page) -> None:
    """No script, no handler, no address of another place, and a policy that allows only this style sheet."""
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe", "object", "embed", "form", "base"}
    for _, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
        for key in ("src", "href", "action", "data"):
            assert attributes.get(key, "#")[:1] == "#" or attributes[key] == "data:,"
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert not re.findall(r"https?://", html)
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'")


def test_parts_and_their_order(html: str, page: Page) -> None:
    """The stamp stands first, then the verdict in words, then the numbers; every section is linked and named."""
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [link["href"][1:] for link in page.all("a")]
    assert links == ["verdict", "scores-and-differences", "training-loss", "answers", "provenance", "configuration",
                     "reproduce", "terms"]  # fmt: skip
    assert set(links) <= set(ids)
    places = [
        html.index(words) for words in ("<strong>SYNTHETIC DATA", "rank16 scores higher than base", "<svg", "<table")
    ]
    assert places == sorted(places)
    assert "SYNTHETIC DATA</title>" in html
    for section in page.all("section"):
        assert section["aria-labelledby"] in ids


def test_tables_are_labelled(page: Page) -> None:
    """Every table has a caption, every heading a scope, every cell of a wide table its heading for narrow screens."""
    assert len(page.all("caption")) == len(page.all("table")) > 8
    assert all(head["scope"] in ("col", "row", "rowgroup") for head in page.all("th"))
    assert [cell for cell in page.all("td") if cell.get("data-heading") == "Mean"]
    assert all(table["role"] == "table" for table in page.all("table"))


def test_charts_are_described(html: str, page: Page) -> None:
    """Every chart is an image with a title and a description in words, in a figure with a caption."""
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    charts = page.all("svg")
    assert len(charts) == 2 * 4
    for chart in charts:
        assert chart["role"] == "img"
        assert set(chart["aria-labelledby"].split()) <= ids
    assert len(page.all("figcaption")) == len(page.all("figure")) == 4
    assert "rank16: loss 2.606 at step 1" in html
    assert html.count(">SYNTHETIC DATA</text>") == len(charts)


def numbers_in(value: Any) -> set[float]:
    """Return every number of plain data."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return set()
    if isinstance(value, (int, float)):
        return {float(value)}
    inner = value.values() if isinstance(value, dict) else value
    return set().union(*(numbers_in(part) for part in inner))


def test_every_number_is_one_that_was_given(whole_run: Context, page: Page) -> None:
    """The exact value beside each shown number is in the results, and the shown one is that value, rounded."""
    given = numbers_in(build_results(whole_run))
    assert len(page.data) > 80
    for value, text in page.data:
        assert value in given
        if text.startswith("< "):
            assert value < float(text[2:])
            continue
        shown = float(re.sub(r"[%,+]| s$", "", text).replace("−", "-"))
        scales = (1, 100, 1e-9)
        assert any(math.isclose(shown, value * scale, rel_tol=6e-3, abs_tol=0.0501) for scale in scales), (value, text)
    assert not re.search(r"p = 0\.0+\b", str(page.data))


def test_escapes_in_numbers_and_names() -> None:
    """A label that is markup is shown, in tables, charts and headings."""
    name = "<b onclick=x>&\"'"
    score = {"scorer": name, "mean": 0.5, "interval": {"low": 0.4, "high": 0.6, "level": 0.95, "method": name}}
    training = {
        "model": name,
        "facts": {"kept_step": 2},
        "history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}],
    }
    html = render({"evaluations": [{"label": name, "scores": [score]}], "training": [training]}, "html")
    assert not [tag for tag, _ in Page(html).elements if tag == "b"]
    assert html.count("&lt;b onclick=x&gt;&amp;&quot;&#x27;") > 5


def test_a_run_of_nothing_says_so() -> None:
    """A report without any part claims nothing and has no empty tables or charts."""
    html = render({"experiment_id": "empty", "missing": ["No model was trained in this run."]}, "html")
    page = Page(html)
    assert "nothing here says that one is real" in html
    assert not page.all("svg")
    assert not page.all("table")
    assert "Not in this report" in html
    assert "SYNTHETIC" not in html


def luminance(colour: str) -> float:
    """Return the relative luminance of a #rrggbb colour (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_are_readable(scheme: int) -> None:
    """All text reaches AA on every ground it stands on, and chart lines reach it as well."""
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for ink in ("ink", "quiet", "accent"):
        assert contrast(colours[ink], colours["paper"]) >= 4.5
        assert contrast(colours[ink], colours["wash"]) >= 4.5
    for ground in ("stamp-wash", "paper"):
        assert contrast(colours["stamp"], colours[ground]) >= 4.5
    for series in range(6):
        assert contrast(colours[f"series-{series}"], colours["paper"]) >= 4.5


def test_captions_state_level_and_failures() -> None:
    """The line's level, and failed items that count as 0, stand under the chart."""
    span = {"low": 0.2, "high": 0.6, "level": 0.99, "method": "Student's t"}
    score = {"scorer": "f", "mean": 0.4, "interval": span, "failed": 2, "failures": "zero"}
    page = render({"evaluations": [{"label": "m", "scores": [score]}]}, "html")
    assert "mean over the scored items, failed ones counted as 0; line: its 99% interval." in page
