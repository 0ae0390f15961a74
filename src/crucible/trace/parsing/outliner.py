"""One pass over a text that finds its events: the tolerant scanner.

Only the tags of events and their fields are structure; any other tag is text. An event that is never closed does not
enclose what follows it. Looking ahead goes through `Places`, so the whole pass is linear in the length of the text.
"""

from __future__ import annotations

import re

from crucible.trace.parsing.attributes import Head, read_head
from crucible.trace.parsing.code_tags import CodeTags, is_mention
from crucible.trace.parsing.edges import Edges
from crucible.trace.parsing.fence import fences
from crucible.trace.parsing.field_names import (
    CLOSING,
    COMMENT_END,
    EVENT_CLOSE,
    EVENT_EDGE,
    EVENT_OPEN,
    field_of,
)
from crucible.trace.parsing.frames import Frames
from crucible.trace.parsing.issue import Reports, shown
from crucible.trace.parsing.outline import CodeSpan, EventFrame, Field, Outline
from crucible.trace.parsing.places import NOWHERE, Places
from crucible.trace.parsing.tag import FORMATTING, Tag
from crucible.trace.parsing.values import squeezed, type_names

__all__ = ["outline_of"]

_TAG = re.compile(
    r"<(?:(?P<comment>!--)|(?P<cdata>!\[CDATA\[)|(?P<close>/\s*)?(?P<name>[A-Za-z_][A-Za-z0-9_.:-]*)"
    r"|(?P<spaced>\s{1,8}[Ee][Vv][Ee][Nn][Tt](?=\s+[\w.:-]{1,60}\s*=)))",
    re.ASCII,
)
_COMMENT_START = re.compile("<!--")
_CDATA_START = re.compile(r"<!\[CDATA\[")
_CDATA_END = re.compile(r"\]\]>")
_LINE_START = re.compile(r"[\s>]*(?:(?:[-*+•]|\(?\d{1,9}[.)])[\s>]+){0,4}[*_]{0,3}")  # quotes, list items, bold


def outline_of(text: str, reports: Reports) -> Outline:
    """Find what is in a text.

    Args:
        text: Any text.
        reports: Takes what is wrong with the tags.
    """
    outliner = _Outliner(text, reports)
    at = 0
    while (match := _TAG.search(text, at)) is not None:
        at = outliner.step(match)
    return outliner.finish()


class _Outliner:
    def __init__(self, text: str, reports: Reports) -> None:
        self._text = text
        self._reports = reports
        self._places = Places(text)
        self._edges = Edges(self._places)
        self._fences = fences(text)
        self._code = CodeTags(self._places, self._fences)
        self._outline = Outline(text)
        self._frames = Frames(self._outline, self._code, reports)
        self._types = type_names()
        self._fence = 0  # the first fence that is not behind
        self._outside_since = 0  # where the last event, comment or code at the top level ended

    def finish(self) -> Outline:
        """Return all that was found."""
        self._frames.finish()
        return self._outline

    def step(self, match: re.Match[str]) -> int:
        """Take in one tag and return where to go on."""
        start = match.start()
        if (past := self._after_fence(start)) is not None:
            return past
        if match["comment"] or match["cdata"]:
            return self._comment(start) if match["comment"] else self._cdata(start)
        if match["spaced"]:
            return self._misspelled(start, read_head(self._places, match.end()).end)
        if match["name"].lower() == "event":
            return self._event_opens(match) if match["close"] is None else self._event_closes(match)
        return self._other(match)

    def _other(self, match: re.Match[str]) -> int:
        """Take in a tag of any name but `event`."""
        tag = Tag(match, self._text)
        top = self._frames.top
        if top is not None and (tag.is_whole or field_of(tag.name)):
            tag.read_attributes(self._places)
        is_tag = tag.is_whole or tag.is_close  # "a <b and c" has none
        if not is_tag or is_mention(self._text, tag.start, tag.end):
            return match.end()
        if tag.name.endswith(":event") and not tag.is_close and not isinstance(top, Field):
            return self._misspelled(tag.start, tag.end)
        if top is None:
            return self._code_section(tag)
        return self._in_event(tag) if isinstance(top, EventFrame) else self._in_field(top, tag)

    def _after_fence(self, start: int) -> int | None:
        """Return the end of the program's fence that `start` lies in; None where it lies in none."""
        while self._fence < len(self._fences) and self._fences[self._fence].end <= start:
            self._fence += 1
        if self._fence == len(self._fences):
            return None
        fence = self._fences[self._fence]
        if not (fence.is_closed and fence.is_program and fence.start <= start):
            return None
        top = self._frames.top
        if top is None:
            if fence.start < self._outside_since:
                return None  # it began inside something else, so it is no fence
            self._report_hidden(fence.start, fence.end)
            return fence.end
        edge = self._places.next(EVENT_CLOSE, fence.start)
        if isinstance(top, Field) and top.name:
            edge = min(edge, self._places.next(CLOSING[top.name], fence.start))
        return fence.end if self._frames.mark <= fence.start and edge >= fence.end else None

    def _is_in_cut_fence(self, start: int) -> bool:
        """Whether a tag stands in a program's fence that the text's end cut off, and not at the beginning of a line."""
        last = self._fences[-1] if self._fences else None
        if last is None or last.is_closed or not last.is_program or self._frames.top is not None:
            return False
        if not self._outside_since <= last.start < start:
            return False
        line = self._text.rfind("\n", max(0, start - 80), start) + 1
        return _LINE_START.fullmatch(self._text, max(line, start - 80), start) is None

    def _report_hidden(self, start: int, end: int) -> None:
        hidden = self._places.next(EVENT_OPEN, start)
        while hidden < end:
            message = "an event tag stands in code, CDATA or a comment and was not taken for an event"
            self._reports.add("hidden_event", hidden, message)
            hidden = self._places.next(EVENT_OPEN, hidden + 1)

    def _misspelled(self, start: int, end: int) -> int:
        """Report a tag that is meant for an event's and is none."""
        if not is_mention(self._text, start, end):
            written = shown(self._text[start:end])
            message = f"{written} is no event's tag, which begins with <event; it was not taken for an event"
            self._reports.add("hidden_event", start, message, self._frames.event())
        return end

    def _comment(self, start: int) -> int:
        end = self._places.next(COMMENT_END, start + 4)
        if end == NOWHERE or self._places.next(_COMMENT_START, start + 4) < end:
            return start + 4
        top = self._frames.top
        if top is not None and not self._edges.may_hide(top, start, end + 3):
            return start + 4  # text
        self._frames.take(start, end + 3)
        self._outline.comments.append((start + 4, end))
        self._report_hidden(start, end)
        if self._frames.top is None:
            self._outside_since = end + 3
        return end + 3

    def _cdata(self, start: int) -> int:
        """Take in a CDATA section; outside of events there is no text that it could be, so its content is looked at."""
        end = self._places.next(_CDATA_END, start + 9)
        top = self._frames.top
        if top is None or end == NOWHERE or self._places.next(_CDATA_START, start + 9) < end:
            return start + 9
        if not self._edges.may_hide(top, start, end + 3):
            return start + 9  # text
        self._frames.take(start, end + 3)
        self._frames.take_literal(start + 9, end)
        self._report_hidden(start, end)
        return end + 3

    def _event_closes(self, match: re.Match[str]) -> int:
        tag = Tag(match, self._text)
        if is_mention(self._text, tag.start, tag.end):
            return tag.end
        if self._frames.top is None:
            self._reports.add("stray_tag", tag.start, "</event> closes no event")
        else:
            self._frames.close_event(tag.start, tag.end)
            self._left(tag.end)
        return tag.end

    def _left(self, end: int) -> None:
        if self._frames.top is None:
            self._outside_since = end

    def _event_opens(self, match: re.Match[str]) -> int:
        start = match.start()
        head = read_head(self._places, match.end())
        if is_mention(self._text, start, head.end):
            return head.end
        if self._is_in_cut_fence(start):
            self._report_hidden(start, start + 1)
            return head.end
        if not self._is_event(head):
            if head.end == len(self._text) and not head.is_whole:
                self._reports.add("truncated", start, "the text ends inside an event tag that says nothing yet")
            return head.end
        event = self._frames.open_event(start, head)
        if not head.is_whole:
            self._reports.add("unclosed_tag", start, "the tag <event …> has no > before the next tag", event)
        if head.is_empty:
            self._frames.close_event(head.end, head.end)
            self._left(head.end)
        return head.end

    def _is_event(self, head: Head) -> bool:
        """Whether `<event …` is an event's tag, and not prose such as "the <event loop>" or "<event"."""
        if head.is_whole and not head.attributes:
            return True
        if any(attribute.value is not None for attribute in head.attributes):
            return True
        return head.is_whole and any(squeezed(attribute.name) in self._types for attribute in head.attributes)

    def _code_section(self, tag: Tag) -> int:
        """Take in a tag outside of events, where only `<code>` means anything."""
        if tag.name != "code" or tag.is_close or tag.is_empty:
            return tag.end
        body_end = self._code.body_end(tag.start, tag.end)
        if body_end is None:
            self._outline.codes.append(CodeSpan(tag.start, tag.end, None, None))
            return tag.end
        end = self._code.end(body_end)
        self._outline.codes.append(CodeSpan(tag.start, tag.end, body_end, end))
        self._report_hidden(tag.end, body_end)
        self._outside_since = end
        return end

    def _in_event(self, tag: Tag) -> int:
        """Take in a tag directly in an event."""
        name = field_of(tag.name)
        if tag.is_close:
            if name is not None and not self._frames.take_back_event(name, tag.start, tag.end):
                self._reports.add("stray_tag", tag.start, f"</{tag.name}> closes nothing", self._frames.event())
                self._frames.take(tag.start, tag.end)
            return tag.end
        field = Field(name or "", tag.name, tag.start, tag.end)
        field.attributes = tag.attributes
        if tag.name == "code":
            return self._code_in_event(field)
        if name is None and (tag.name in FORMATTING or tag.is_empty):
            return tag.end  # text
        if name == "code_section" and not tag.is_empty:
            closing = self._edges.section_end(tag.end)
            if closing is not None:
                self._report_hidden(tag.end, closing)
                return self._frames.fill(field, closing)
        self._frames.open_field(field)
        if tag.is_empty:
            self._frames.close_field(tag.end, tag.end)
        return tag.end

    def _code_in_event(self, field: Field) -> int:
        field.name = "code"
        closing = self._places.next(CLOSING["code"], field.inside)
        if closing == NOWHERE or closing > self._places.next(EVENT_EDGE, field.inside):
            return field.inside
        return self._frames.fill(field, closing)

    def _in_field(self, field: Field, tag: Tag) -> int:
        """Take in a tag in a field, where most are text."""
        name = field_of(tag.name)
        if tag.is_close:
            if name == field.name if field.name else tag.name == field.written:
                self._frames.close_field(tag.start, tag.end)
            return tag.end
        if name is None and tag.name != "code":
            return tag.end
        edge = self._places.next(EVENT_EDGE, tag.start)
        if tag.name == "code" and (
            self._places.next(CLOSING["code"], tag.end) == NOWHERE
            or (not field.name and edge == self._places.next(EVENT_CLOSE, tag.start) != NOWHERE)
        ):
            return tag.end
        if not field.name:
            self._frames.take(tag.start, tag.start)
            self._frames.unwrap()
        elif self._places.next(CLOSING[field.name], tag.start) < edge:
            return tag.end
        else:
            self._frames.cut_field(tag.start, tag.name)
        return self._in_event(tag)
