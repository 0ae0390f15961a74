"""Hostile text can only be shown."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.stats.rendering.markup import Markup, element, escape, visible

anything = st.text(st.characters(codec=None, exclude_categories=[]))


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def read(markup: str) -> Reader:
    """Parse a piece of HTML."""
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(anything, anything)
def test_any_text_is_shown_and_nothing_else(text: str, title: str) -> None:
    """Text and attributes come back as they went in, as one element, and can be encoded."""
    markup = element("p", text, title=title)
    markup.encode("utf-8")
    reader = read(markup)
    assert reader.tags == ["p"]
    assert reader.attributes == [("title", visible(title))]
    assert reader.text == visible(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x00b", "a\\x00b"), ("\u202egnp.exe", "\\u202egnp.exe"), ("\ud800", "\\ud800"), ("a\r\nb\rc", "a\nb\\x0dc"),
     ("tab\there", "tab\there"), ("ünïcode 🦆", "ünïcode 🦆"), ("\u2028", "\\u2028")],
)  # fmt: skip
def test_hidden_characters_become_visible(text: str, shown: str) -> None:
    """Characters that hide, reorder or cannot be encoded are spelled out; all others stay."""
    assert visible(text) == shown


def test_markup_is_not_escaped_twice() -> None:
    """What is markup already stays as it is; a plain text is escaped once."""
    assert escape(Markup("<b>")) == "<b>"
    assert escape("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert element("p", element("b", "<"), "&") == "<p><b>&lt;</b>&amp;</p>"


def test_attributes() -> None:
    """Names are written the HTML way, numbers short, and absent ones not at all."""
    made = element("circle", class_="x", stroke_width=1.5, cx=2.0, cy=1 / 3, hidden=True, id=None, open=False, n=3)
    assert made == '<circle class="x" stroke-width="1.5" cx="2" cy="0.33" hidden n="3"></circle>'
    assert element("svg", viewBox="0 0 1 1") == '<svg viewBox="0 0 1 1"></svg>'
    assert element("br") == "<br>"
