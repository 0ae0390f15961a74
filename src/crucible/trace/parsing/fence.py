"""Markdown's code fences: where they are, in which language, and what they hold.

CommonMark's rules (a fence ends at a line of the same character, at least as long, at most three columns deeper, with
nothing after it), with two liberties: a fence may be indented as deep as a list is, and the last one may be open to the
end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from crucible.trace.parsing.fence_languages import is_markup, is_programming

__all__ = ["Fence", "body_of", "fences"]

_LINE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n<]*)$", re.MULTILINE)
_EVENT_TAG = re.compile(
    r"<(?P<close>/\s*)?event(?![A-Za-z0-9_.:-])(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>", re.IGNORECASE | re.ASCII
)
_BESIDE = re.compile(r"<[^<>]*>|(?m:^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]*)|[\s>]+")


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
        is_program: Whether tags in it are code: its language is one for programs, or is not known and the fence holds
            more than events.
    """

    start: int
    body: int
    body_end: int
    end: int
    indent: str
    language: str
    is_closed: bool
    is_program: bool


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
        elif line[2].startswith(opening[2]) and not line[3].strip() and _width(line) <= _width(opening) + 3:
            found.append(_fence(text, opening, line))
            opening = None
    if opening is not None:
        found.append(_fence(text, opening, None))
    return found


def _fence(text: str, opening: re.Match[str], closing: re.Match[str] | None) -> Fence:
    words = opening[3].strip().lstrip("{.").split(None, 1)
    language = re.split(r"[:,{}]", words[0], maxsplit=1)[0].lower() if words else ""
    body, body_end = min(opening.end() + 1, len(text)), closing.start() if closing else len(text)
    is_program = is_programming(language) or not (is_markup(language) or _holds_only_events(text[body:body_end]))
    return Fence(
        start=opening.start(),
        body=body,
        body_end=body_end,
        end=closing.end() if closing else len(text),
        indent=opening[1],
        language=language,
        is_closed=closing is not None,
        is_program=is_program,
    )


def _width(line: re.Match[str]) -> int:
    return len(line[1].expandtabs(4))


def _holds_only_events(body: str) -> bool:
    """Whether there is nothing but tags, list markers and white space around the events, of which there is one."""
    mark = depth = count = 0
    beside: list[str] = []
    for tag in _EVENT_TAG.finditer(body):
        if depth == 0:
            beside.append(body[mark : tag.start()])
        is_empty = tag[0].endswith("/>") and not tag["close"]
        depth += 0 if is_empty else -1 if tag["close"] else 1
        if depth < 0:
            return False
        count += 1
        mark = tag.end()
    if depth == 0:
        beside.append(body[mark:])
    return count > 0 and not any(_BESIDE.sub("", part) for part in beside)


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
