"""Whether tags of events between two places belong together, and what hides them: comments, CDATA and code sections.

Each question is answered from tables that are made once, so that asking is quick however long the text is.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from crucible.trace.parsing.code_tags import is_mention
from crucible.trace.parsing.field_names import CLOSING, EVENT_CLOSE, EVENT_EDGE, OPENING
from crucible.trace.parsing.outline import EventFrame, Field
from crucible.trace.parsing.places import NOWHERE, Places

__all__ = ["Edges"]

_EDGE = re.compile(r"<(?P<close>/\s*)?event(?![A-Za-z0-9_.:-])[^<>]*>?", re.IGNORECASE | re.ASCII)
_UNQUOTED_EDGE = re.compile(r"(?<![\"'`])<(?:/\s*)?event(?![A-Za-z0-9_.:-])", re.IGNORECASE | re.ASCII)
_TAG_END = re.compile(r"[^<>]*>?")
_SPACE = re.compile(r"\s*")
_ITEM_CLOSE = re.compile(r"</\s*(?:alternative|alt|item|li|option|choice|id|ref|dependency)\s*>", re.IGNORECASE)
_LISTS = frozenset({"alternatives", "depends_on", "metadata"})


class Edges:
    """The opening and closing tags of the events of one text.

    Args:
        places: The text.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._starts: list[int] | None = None
        self._depths: list[int] = [0]  # how many events are open before each edge, and after the last
        self._falls: list[int] = []  # for each, the next with fewer
        self._closings: list[int] | None = None

    def are_paired(self, start: int, end: int) -> bool:
        """Return whether every event that begins between two places ends there, and none else does."""
        starts = self._starts if self._starts is not None else self._counted()
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        return self._depths[first] == self._depths[last] and self._falls[first] > last

    def _counted(self) -> list[int]:
        starts = self._starts = []
        for edge in _EDGE.finditer(self._places.text):
            step = -1 if edge["close"] else int(not edge[0].endswith("/>"))
            starts.append(edge.start())
            self._depths.append(self._depths[-1] + step)
        self._falls = [NOWHERE] * len(self._depths)
        waiting: list[int] = []
        for place, depth in enumerate(self._depths):
            while waiting and self._depths[waiting[-1]] > depth:
                self._falls[waiting.pop()] = place
            waiting.append(place)
        return starts

    def section_end(self, start: int) -> int | None:
        """Return where the closing tag of a `<code_section>` begins; None if none is known to be its own.

        It is its own if no tag of an event stands in between but in quotes, or if those in between belong together and
        the event ends after it, as where the code writes events itself.

        Args:
            start: The offset after the opening tag.
        """
        closings = self._closings if self._closings is not None else self._section_closings()
        at = bisect_left(closings, start)
        if at == len(closings) or closings[at] > self._places.next(OPENING["code_section"], start):
            return None
        closing = closings[at]
        if self._places.next(_UNQUOTED_EDGE, start) > closing:
            return closing
        ends_event = self._places.next(EVENT_EDGE, closing) == self._places.next(EVENT_CLOSE, closing) != NOWHERE
        return closing if ends_event and self.are_paired(start, closing) else None

    def _section_closings(self) -> list[int]:
        text = self._places.text
        found = self._closings = []
        for tag in CLOSING["code_section"].finditer(text):
            rest = _TAG_END.match(text, tag.end())
            if not is_mention(text, tag.start(), rest.end() if rest else tag.end()):
                found.append(tag.start())
        return found

    def may_hide(self, top: EventFrame | Field, start: int, end: int) -> bool:
        """Return whether a comment or a CDATA section in an event is one, and not text that happens to begin so.

        It is one if it holds no tag of an event, or if the field around it goes on behind it. Directly in an event, the
        tags in it must belong together.

        Args:
            top: The tag around it.
            start: Where it begins.
            end: The offset after it.
        """
        if self._places.next(EVENT_EDGE, start) >= end:
            return True
        if isinstance(top, EventFrame) or not top.name:
            return self.are_paired(start, end)
        closing = CLOSING[top.name]
        space = _SPACE.match(self._places.text, end)
        after = space.end() if space else end
        if closing.match(self._places.text, after):
            return True
        if top.name in _LISTS and _ITEM_CLOSE.match(self._places.text, after):
            return True
        # the field goes on: neither it nor its event ends within
        return min(self._places.next(closing, start), self._places.next(EVENT_CLOSE, start)) >= end and (
            self._places.next(closing, end) < self._places.next(EVENT_EDGE, end)
        )
