"""One tag of any name but `event`, from where to where, with its attributes where somebody asks for them."""

from __future__ import annotations

import re

from crucible.trace.parsing.attributes import Attribute, read_head
from crucible.trace.parsing.places import Places

__all__ = ["FORMATTING", "Tag"]

_REST = re.compile(r"[^<>]*")
FORMATTING = frozenset(
    [
        *("a", "b", "br", "div", "em", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup"),
        *("table", "td", "th", "tr", "tt", "u", "ul"),
    ]
)
"""Tags of HTML that are text in an event."""


class Tag:
    """A tag of any name but `event`.

    Args:
        match: Its beginning, with the groups `name` and `close`.
        text: The text.
    """

    __slots__ = ("_named", "attributes", "end", "is_close", "is_empty", "is_whole", "name", "start")

    def __init__(self, match: re.Match[str], text: str) -> None:
        rest = _REST.match(text, match.end())
        stop = rest.end() if rest else match.end()
        self.is_whole = text[stop : stop + 1] == ">"
        self.name = match["name"].lower()
        self.start = match.start()
        self.end = stop + 1 if self.is_whole else match.end()
        self.is_close = match["close"] is not None
        self.is_empty = self.is_whole and not self.is_close and stop > match.end() and text[stop - 1] == "/"
        self.attributes: list[Attribute] = []
        self._named = match.end()

    def read_attributes(self, places: Places) -> None:
        """Read what stands behind the name; the tag ends where its attributes do, so that `>` may stand in quotes."""
        if self.is_close or self.end == self._named + 1:
            return
        head = read_head(places, self._named)
        if head.is_whole:
            self.is_whole = True
            self.attributes, self.end, self.is_empty = head.attributes, head.end, head.is_empty
