"""Where a `<code>` section ends.

Programs hold `<code>` themselves (a page of HTML, a string in a test), and prose mentions it. So tags are paired like
brackets first; an opening tag without a partner ends at the next closing one, unless events stand in between.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from crucible.trace.parsing.fence import Fence
from crucible.trace.parsing.field_names import CLOSING, EVENT_EDGE
from crucible.trace.parsing.places import NOWHERE, Places

__all__ = ["CodeTags", "is_mention"]

_TAG = re.compile(r"<(/\s*)?code(?![A-Za-z0-9_.:-])[^<>]*>", re.IGNORECASE | re.ASCII)
_SPACE = re.compile(r"\s*")
_TAG_END = re.compile(r"[^<>]*>?")


def is_mention(text: str, start: int, end: int) -> bool:
    """Whether a span stands directly between backticks: somebody writes about a tag."""
    return start > 0 and text[start - 1] == "`" and text[end : end + 1] == "`"


class CodeTags:
    """The `<code>` tags of one text.

    Args:
        places: The text.
        found: Its Markdown fences.
    """

    def __init__(self, places: Places, found: list[Fence]) -> None:
        self._places = places
        self._fences = found
        self._partners: dict[int, int] | None = None

    def body_end(self, start: int, body: int) -> int | None:
        """Return the offset of the closing tag; None if there is none that belongs to the opening one.

        Args:
            start: The offset of the opening tag.
            body: The offset after it.
        """
        text = self._places.text
        first = _SPACE.match(text, body)
        at = bisect_left(
            self._fences, text.rfind("\n", body, first.end()) + 1 if first else body, key=lambda fence: fence.start
        )
        if (
            first
            and at < len(self._fences)
            and body <= self._fences[at].start <= first.end()
            and self._fences[at].is_closed
        ):
            # a fence is all that the section holds, so its own </code> is code
            after = self._places.next(CLOSING["code"], self._fences[at].end)
            if after != NOWHERE and self._places.next(EVENT_EDGE, self._fences[at].end) > after:
                return after
        if self._partners is None:
            self._partners = self._paired()
        if start in self._partners:
            return self._partners[start]
        after = self._places.next(CLOSING["code"], body)
        return after if after != NOWHERE and self._places.next(EVENT_EDGE, body) > after else None

    def end(self, closing: int) -> int:
        """Return the offset after the closing tag that begins at `closing`."""
        match = _TAG_END.match(self._places.text, closing + 1)
        return match.end() if match else closing + 1

    def _paired(self) -> dict[int, int]:
        partners: dict[int, int] = {}
        waiting: list[int] = []
        for tag in _TAG.finditer(self._places.text):
            if is_mention(self._places.text, tag.start(), tag.end()):
                continue
            if tag[1] is None:
                waiting.append(tag.start())
            elif waiting:
                partners[waiting.pop()] = tag.start()
        return partners
