"""Markdown's code fences: where they are, in which language, and what they hold.

CommonMark's rules (a fence ends at a line of the same character, at least as long, with nothing after it), with two
liberties: a fence may be indented as deep as a list is, and the last one may be open to the end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

__all__ = ["Fence", "body_of", "fences"]

_LINE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n<]*)$", re.MULTILINE)
_MARKUP = frozenset(
    [
        *("xml", "html", "xhtml", "sgml", "markdown", "md", "mdx", "text", "txt", "plain", "plaintext", "none"),
        *("event", "events", "trace", "traces", "log", "output"),
    ]
)


class Fence(msgspec.Struct, frozen=True):
    """One fenced block.

    Args:
        start: The offset of its first line.
        body: The offset of the line after that.
        body_end: The offset of its closing line.
        end: The offset after its closing line.
        indent: White space before the opening marks.
        language: The first word after the marks, lower case; empty if there is none.
        is_closed: Whether there is a closing line.
    """

    start: int
    body: int
    body_end: int
    end: int
    indent: str
    language: str
    is_closed: bool

    @property
    def is_program(self) -> bool:
        """Whether it is marked as a programming language, so that tags in it are code."""
        return bool(self.language) and self.language not in _MARKUP


def fences(text: str, *, beside: Sequence[tuple[int, int]] = ()) -> list[Fence]:
    """Return the fences of a text, in order.

    Args:
        text: The text.
        beside: Spans whose lines are not looked at, in order and not overlapping.
    """
    found: list[Fence] = []
    opening: re.Match[str] | None = None
    span = 0
    for line in _LINE.finditer(text):
        while span < len(beside) and beside[span][1] <= line.start():
            span += 1
        if span < len(beside) and beside[span][0] <= line.start(2):
            continue
        if opening is None:
            opening = line if line[2][0] == "~" or "`" not in line[3] else None
        elif line[2].startswith(opening[2]) and not line[3].strip():
            found.append(_fence(text, opening, line))
            opening = None
    if opening is not None:
        found.append(_fence(text, opening, None))
    return found


def _fence(text: str, opening: re.Match[str], closing: re.Match[str] | None) -> Fence:
    words = opening[3].strip().lstrip("{.").split(None, 1)
    return Fence(
        start=opening.start(),
        body=min(opening.end() + 1, len(text)),
        body_end=closing.start() if closing else len(text),
        end=closing.end() if closing else len(text),
        indent=opening[1],
        language=re.split(r"[:,{}]", words[0], maxsplit=1)[0].lower() if words else "",
        is_closed=closing is not None,
    )


def body_of(text: str, fence: Fence, end: int | None = None) -> str:
    """Return what a fence holds, without the indentation that the fence itself has.

    Args:
        text: The text.
        fence: One of its fences.
        end: Where to stop earlier.
    """
    body = text[fence.body : fence.body_end if end is None else min(end, fence.body_end)]
    if not fence.indent:
        return body
    return "\n".join(_outdented(line, len(fence.indent)) for line in body.split("\n"))


def _outdented(line: str, width: int) -> str:
    lead = len(line) - len(line.lstrip(" \t"))
    return line[min(lead, width) :]
