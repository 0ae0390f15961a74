"""The stack of tags that are open while a text is read, and what becomes of those that are never closed.

An event or field takes the text between two tags as pieces. There is no recursion, and an operation is O(1) but for the
pieces that it moves.
"""

from __future__ import annotations

import re

from crucible.trace.parsing.attributes import Head
from crucible.trace.parsing.code_tags import CodeTags, is_mention
from crucible.trace.parsing.issue import Reports
from crucible.trace.parsing.outline import CodeSpan, EventFrame, Field, Outline

__all__ = ["Frames"]

_PARTIAL = re.compile(r"<(?:/?\s*[\w.:-]*|!(?:-|--|\[[CDAT]{0,5}\[?)?)\Z", re.ASCII)


class Frames:
    """The open events and fields of one text.

    Args:
        outline: Takes the events.
        code: Where `<code>` tags end.
        reports: Takes what is wrong with the tags.
    """

    def __init__(self, outline: Outline, code: CodeTags, reports: Reports) -> None:
        self._outline = outline
        self._text = outline.text
        self._code = code
        self._reports = reports
        self._stack: list[EventFrame | Field] = []
        self._mark = 0

    @property
    def top(self) -> EventFrame | Field | None:
        """The innermost open tag."""
        return self._stack[-1] if self._stack else None

    @property
    def mark(self) -> int:
        """Where the text begins that no tag has yet: after the last one that meant something."""
        return self._mark

    def event(self) -> EventFrame | None:
        """Return the innermost open event."""
        for frame in reversed(self._stack):  # at most one field lies on an event
            if isinstance(frame, EventFrame):
                return frame
        return None

    def take(self, end: int, mark: int) -> None:
        """Give the text up to `end` to the innermost tag; the next begins at `mark`."""
        if self._stack and end > self._mark:
            self._holder().append((self._mark, end, False))
        self._mark = mark

    def take_literal(self, start: int, end: int) -> None:
        """Give text to the innermost tag that is no markup."""
        self._holder().append((start, end, True))

    def _holder(self) -> list[tuple[int, int, bool]]:
        top = self._stack[-1]
        return top.loose if isinstance(top, EventFrame) else top.pieces

    def open_event(self, start: int, head: Head) -> EventFrame:
        """Begin an event; a field around it goes on after its end."""
        self.take(start, head.end)
        if isinstance(top := self.top, Field):
            if not top.name:
                self.unwrap()
            elif top.interrupted is None:
                top.interrupted = len(top.pieces)
        around = self.event()
        event = EventFrame(start, head.end, head.attributes, around)
        self._outline.events.append(event)
        self._stack.append(event)
        return event

    def close_event(self, start: int, end: int) -> None:
        """End the innermost event, and a field in it that is still open."""
        self.take(start, end)
        while isinstance(top := self._stack.pop(), Field):
            event = self.event()
            if top.name:
                self._leave(top, start)
                self._reports.add("unclosed_tag", top.start, f"<{top.written}> is not closed before </event>", event)
            elif event is not None:
                self._unwrapped(top, event)
        top.is_closed = True
        top.end = end
        is_bare = self._outline.events[-1] is top and not top.fields and len(top.attributes) <= 1
        if is_bare and is_mention(self._text, top.start, end):
            self._outline.events.pop()  # `<event type="…">…</event>` in prose

    def open_field(self, field: Field) -> None:
        """Begin a field, or a tag of unknown name."""
        self.take(field.start, field.inside)
        self._stack.append(field)
        event = self.event()
        if field.name and event is not None:
            event.fields.append(field)

    def close_field(self, closing: int, end: int) -> None:
        """End the innermost tag, which is a field, at its closing tag."""
        self.take(closing, end)
        field = self._stack.pop()
        event = self.event()
        if isinstance(field, Field) and event is not None:
            field.is_closed = True
            field.closing = closing
            if not field.name:
                event.fields.append(field)

    def cut_field(self, at: int, tag: str) -> None:
        """End the innermost tag, which is a field, because another begins."""
        self.take(at, at)
        field = self._stack.pop()
        if isinstance(field, Field):
            self._leave(field, at)
            self._reports.add(
                "unclosed_tag", field.start, f"<{field.written}> is not closed before <{tag}>", self.event()
            )

    def unwrap(self) -> None:
        """Take the innermost tag, which is of unknown name, for a mere wrapper around fields or events."""
        tag = self._stack.pop()
        event = self.event()
        if isinstance(tag, Field) and event is not None:
            self._unwrapped(tag, event)

    @staticmethod
    def _unwrapped(tag: Field, event: EventFrame) -> None:
        event.loose.extend(tag.pieces)
        if tag.attributes:
            event.wrappers.append(tag)

    def fill(self, field: Field, closing: int) -> int:
        """Give a field of code all up to its closing tag, whatever tags that holds; return where to go on."""
        self.take(field.start, field.inside)
        body = self._text[field.inside : closing].strip()
        start = self._text.find(body, field.inside)
        is_cdata = body.startswith("<![CDATA[") and body.endswith("]]>")
        span = (start + 9, start + len(body) - 3, True) if is_cdata else (field.inside, closing, False)
        field.pieces.append(span)
        field.closing = closing
        field.is_closed = True
        if (event := self.event()) is not None:
            event.fields.append(field)
        self._mark = self._code.end(closing)
        return self._mark

    def take_back_event(self, name: str, closing: int, end: int) -> bool:
        """Take an event for text if it holds nothing and the field around it ends, as where a program prints its tag.

        Args:
            name: The field that ends.
            closing: The offset of its closing tag.
            end: The offset after that.

        Returns:
            Whether that was so.
        """
        event, around = self._stack[-1], self._stack[-2] if len(self._stack) > 1 else None
        if not (isinstance(around, Field) and around.name == name and isinstance(event, EventFrame)):
            return False
        if event.fields or self._outline.events[-1] is not event:
            return False
        self._stack.pop()
        self._outline.events.pop()
        if around.interrupted == len(around.pieces):
            around.interrupted = None
        self._mark = event.start
        self.close_field(closing, end)
        return True

    @staticmethod
    def _leave(field: Field, at: int) -> None:
        field.drop_interruptions()
        field.closing = at

    def finish(self) -> None:
        """Close what the end of the text cut off."""
        last = self._text.rfind("<", self._mark)
        is_partial = last >= 0 and _PARTIAL.match(self._text, last) is not None
        self.take(last if is_partial else len(self._text), len(self._text))
        while self._stack:
            top = self._stack.pop()
            if isinstance(top, EventFrame):
                self._never_closed(top)
            elif top.name:
                self._leave(top, max([top.inside, *(end for _, end, _ in top.pieces)]))
            elif (event := self.event()) is not None:
                self._unwrapped(top, event)
        self._outline.events = [event for event in self._outline.events if not event.is_dropped]
        self._outline.codes.sort(key=lambda code: code.start)

    def _never_closed(self, event: EventFrame) -> None:
        events = self._outline.events
        is_last = events[-1] is event
        if event.is_nothing:
            self._reports.add("unclosed_tag", event.start, "an <event> that says nothing is not closed; it is left out")
            event.is_dropped = True
            if is_last:
                events.pop()  # the one before it may then be the last, whose end the text cut off
            return
        event.end = max([event.inside, *(field.closing for field in event.fields)])
        codes = [field for field in event.fields if field.name == "code"]
        event.fields = [field for field in event.fields if field.name != "code"]
        for field in codes:
            span = CodeSpan(field.start, field.inside, field.closing, self._code.end(field.closing))
            self._outline.codes.append(span)
        if is_last:
            message = "the text ends inside this event; what was there is kept"
            self._reports.add("truncated", event.start, message, event)
        else:
            self._reports.add("unclosed_tag", event.start, "this event is not closed before the next one", event)
