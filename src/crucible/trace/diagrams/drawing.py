"""What the four kinds of diagram have in common: the part of a chain that is drawn, its lines, its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crucible.trace.diagrams.label import encoded, shortened
from crucible.trace.diagrams.options import MermaidOptions
from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["Drawing", "Excerpt"]


class Drawing(msgspec.Struct, frozen=True):
    """The lines of a diagram, without its heading.

    Args:
        lines: In order.
        edges: Arrows among them, which Mermaid counts.
    """

    lines: list[str]
    edges: int


class Excerpt(msgspec.Struct, frozen=True):
    """The part of a chain that is drawn.

    Args:
        events: The chain's first events, in order.
        places: Place in the whole chain by id, counted from 0; of a repeated id, the first.
        left_out: Count of events that are not drawn.
        options: How to draw.
        length: Characters of a label.
        title: Heading, one clean line; empty for none.
        is_quoted: Whether labels stand in quotes.
    """

    events: Sequence[Event]
    places: Mapping[str, int]
    left_out: int
    options: MermaidOptions
    length: int
    title: str
    is_quoted: bool

    def encoded(self, line: str) -> str:
        """Return a clean line as this kind of diagram takes it."""
        return encoded(line, is_quoted=self.is_quoted)

    def label(self, text: Any) -> str:
        """Return `text` as one encoded line of bounded length."""
        return self.encoded(shortened(text, self.length))

    def decision(self, event: Event) -> str:
        """Return an event's decision, with its confidence where wanted, encoded."""
        return self.encoded(f"{shortened(event.decision, self.length)}{self.confidence(event)}")

    def confidence(self, event: Event) -> str:
        """Return ` (0.85)`, not encoded; empty where none is stated or wanted."""
        said = self.stated(event)
        return f" ({said})" if said else ""

    def stated(self, event: Event) -> str:
        """Return a stated confidence as `0.85`, or as one clean line if it is no number; empty where not wanted."""
        if event.confidence is None or not self.options.include_confidence:
            return ""
        value = plain(event.confidence)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{value:.2f}" if is_number else shortened(value, self.length)

    def more(self) -> str:
        """Return what to say of the events that are left out; empty if there are none."""
        return f"{self.left_out} more event{'s' if self.left_out != 1 else ''}" if self.left_out else ""

    def alternatives(self, event: Event, most: int = 8) -> list[str]:
        """Return what was not chosen, shortened but not encoded; past `most` the last says how many more."""
        if not self.options.show_alternatives:
            return []
        words = [shortened(word, self.length) for word in event.alternatives[:most]]
        more = len(event.alternatives) - most
        return [*words, f"{more} more alternative{'s' if more != 1 else ''}"] if more > 0 else words
