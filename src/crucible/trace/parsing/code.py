"""The program in an answer: what stands in `<code>`, or without that in Markdown fences; never the prose around it.

Of `<code>`: bodies are taken as they are (`&lt;` stays, for it may be a page of HTML), but for a CDATA mark or fences
inside. Blank ones do not count, and `<code>` in an event belongs to that event. One that is not closed counts where its
tag begins or ends a line; it ends at the next event or section, or with the text. Of fences: those that hold events, or
that stand in one, are none of the program.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import msgspec

from crucible.trace.parsing.fence import body_of, fences
from crucible.trace.parsing.issue import Reports
from crucible.trace.parsing.outline import CodeSpan, Outline
from crucible.trace.parsing.outliner import outline_of

__all__ = ["CodeBlock", "code_blocks", "extract_code", "split_events_and_code"]

_MARKS = ("```", "~~~")


class CodeBlock(msgspec.Struct, frozen=True):
    """One piece of a program.

    Args:
        language: As the fence names it, lower case; empty if nothing does.
        text: The code, without blank lines around it.
        line: Where the code begins, counted from 1.
    """

    language: str
    text: str
    line: int


class _Section(NamedTuple):
    """From where to where a block reaches with its marks, and the blocks in it."""

    start: int
    end: int
    blocks: list[CodeBlock]


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the pieces of the program in an answer, in order.

    Args:
        text: Any text.
    """
    return [block for section in _sections(text) for block in section.blocks]


def extract_code(text: str) -> str:
    """Return the program in an answer: its blocks with a blank line between; "" if there is none."""
    return "\n\n".join(block.text for block in code_blocks(text))


def split_events_and_code(text: str) -> tuple[str, str]:
    """Return an answer without its program, and the program; the whole answer and "" if it has none.

    Args:
        text: Any text.
    """
    sections = _sections(text)
    ends = [0, *(section.end for section in sections)]
    starts = [*(section.start for section in sections), len(text)]
    rest = "".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    return rest, "\n\n".join(block.text for section in sections for block in section.blocks)


def _sections(text: str) -> list[_Section]:
    outline = outline_of(text, Reports(text))
    lines = _Lines(text)
    starts = [event.start for event in outline.events]
    borders = sorted([*starts, *(code.start for code in outline.codes)])
    tagged = [_tagged(outline, code, borders, lines) for code in outline.codes]
    tagged = [section for section in tagged if section.blocks]
    return tagged or _fenced(outline, starts, lines)


def _is_at_line_edge(text: str, code: CodeSpan) -> bool:
    """Whether a tag begins or ends a line; elsewhere one that is not closed is prose, as in "the <code> section"."""
    before = text[max(0, code.start - 80) : code.start].rpartition("\n")[2]
    after = text[code.body : code.body + 80].partition("\n")[0]
    return not before.strip() or not after.strip()


class _Lines:
    """Line numbers of offsets that are asked for in rising order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def of(self, offset: int) -> int:
        self._line += self._text.count("\n", self._at, offset)
        self._at = offset
        return self._line


def _tagged(outline: Outline, code: CodeSpan, borders: list[int], lines: _Lines) -> _Section:
    end, body_end = code.end, code.body_end
    if end is None or body_end is None:
        if not _is_at_line_edge(outline.text, code):
            return _Section(code.start, code.body, [])
        after = bisect_left(borders, code.body)
        end = body_end = borders[after] if after < len(borders) else len(outline.text)
    body = outline.text[code.body : body_end]
    inner = body.strip()
    if inner.startswith("<![CDATA["):
        body = inner.removeprefix("<![CDATA[").removesuffix("]]>")
    at = outline.text.find(body, code.body)
    if not inner.startswith(_MARKS):
        return _Section(code.start, end, _block("", body, at, lines))
    lead = len(body) - len(body.lstrip())
    found = [(fence, body_of(body[lead:], fence)) for fence in fences(body[lead:])]
    return _Section(
        code.start,
        end,
        [block for fence, held in found for block in _block(fence.language, held, at + lead + fence.body, lines)],
    )


def _fenced(outline: Outline, starts: list[int], lines: _Lines) -> list[_Section]:
    found: list[_Section] = []
    for fence in fences(outline.text, beside=outline.event_spans()):
        after = bisect_left(starts, fence.start)
        holds_events = after < len(starts) and starts[after] < fence.end
        if holds_events and fence.is_closed:
            continue
        end = starts[after] if holds_events else fence.end
        blocks = _block(fence.language, body_of(outline.text, fence, end), fence.body, lines)
        if blocks:
            found.append(_Section(fence.start, end, blocks))
    return found


def _block(language: str, body: str, offset: int, lines: _Lines) -> list[CodeBlock]:
    """Make a block of a body that begins at an offset; of a blank one, none."""
    if not body.strip():
        return []
    blank = len(body) - len(body.lstrip())
    first = body.rfind("\n", 0, blank) + 1
    return [CodeBlock(language, body[first:].rstrip(), lines.of(offset + first))]
