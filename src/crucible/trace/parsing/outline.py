"""What the outliner finds in a text: events with their raw fields, program code, comments.

Everything here is spans of the text; nothing is interpreted yet.
"""

from __future__ import annotations

from crucible.trace.parsing.attributes import Attribute

__all__ = ["CodeSpan", "EventFrame", "Field", "Outline"]


class Field:
    """A tag inside an event, and the pieces of text that it holds.

    Args:
        name: The field of `Event`, `alternative` for one of several, `code`, or empty for an unknown tag.
        written: The tag's name as written, lower case.
        start: The offset of its opening tag.
        inside: The offset after its opening tag.
    """

    __slots__ = ("attributes", "closing", "inside", "interrupted", "is_closed", "name", "pieces", "start", "written")

    def __init__(self, name: str, written: str, start: int, inside: int) -> None:
        self.name = name
        self.written = written
        self.start = start
        self.inside = inside
        self.attributes: list[Attribute] = []  # of its opening tag
        self.closing = inside  # the offset of its closing tag
        self.pieces: list[tuple[int, int, bool]] = []  # beginning, end, whether it is CDATA
        self.interrupted: int | None = None  # how many pieces came before the first event inside it
        self.is_closed = False

    def drop_interruptions(self) -> None:
        """Forget what came after an event inside it: it was never closed, so that text is not known to be its own."""
        if self.interrupted is not None:
            del self.pieces[self.interrupted :]


class EventFrame:
    """An event tag and what stands in it.

    Args:
        start: The offset of its opening tag.
        inside: The offset after its opening tag.
        attributes: Of its opening tag.
        parent: The event around it, if that turns out to be closed.
    """

    __slots__ = (
        "attributes",
        "end",
        "fields",
        "inside",
        "is_closed",
        "is_dropped",
        "loose",
        "parent",
        "start",
        "wrappers",
    )

    def __init__(self, start: int, inside: int, attributes: list[Attribute], parent: EventFrame | None) -> None:
        self.start = start
        self.inside = inside
        self.end = inside
        self.attributes = attributes
        self.parent = parent
        self.fields: list[Field] = []
        self.loose: list[tuple[int, int, bool]] = []  # text outside every tag
        self.is_closed = False
        self.wrappers: list[Field] = []  # tags of unknown name around fields
        self.is_dropped = False  # whether it turned out to be no event

    @property
    def is_nothing(self) -> bool:
        """Whether only the tag is there."""
        return not self.fields and not self.attributes


class CodeSpan:
    """A `<code>` section of the program, not of an event.

    Args:
        start: The offset of its opening tag.
        body: The offset after that.
        body_end: The offset of its closing tag; None where there is none.
        end: The offset after its closing tag; None where there is none.
    """

    __slots__ = ("body", "body_end", "end", "start")

    def __init__(self, start: int, body: int, body_end: int | None, end: int | None) -> None:
        self.start = start
        self.body = body
        self.body_end = body_end
        self.end = end


class Outline:
    """What stands where in one text.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.events: list[EventFrame] = []
        self.comments: list[tuple[int, int]] = []  # what stands between <!-- and -->
        self.codes: list[CodeSpan] = []

    def raw(self, pieces: list[tuple[int, int, bool]]) -> str:
        """Return pieces of text as markup in which CDATA is written as character references."""
        parts = (
            self.text[start:end] if not is_literal else _referenced(self.text[start:end])
            for start, end, is_literal in pieces
        )
        return "".join(parts)

    def event_spans(self) -> list[tuple[int, int]]:
        """Return from where to where events reach, in order; one inside another is part of that."""
        spans: list[tuple[int, int]] = []
        for event in self.events:
            if not spans or event.start >= spans[-1][1]:
                spans.append((event.start, event.end))
            elif event.end > spans[-1][1]:
                spans[-1] = (spans[-1][0], event.end)
        return spans


def _referenced(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
