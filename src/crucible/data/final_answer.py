r"""Where a text says that its answer is: `#### 18`, `\boxed{18}`, `Answer: 18`, `The answer is 18`.

Whoever reads an answer looks there first, and only then at the rest. Nothing here knows what an answer looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["answered_part", "boxed", "declared_answers", "without_reasoning"]

_REASONING = re.compile(r"<(/?)think(?:ing)?>")

_NEXT_QUESTION = re.compile(r"^[ \t]*(?:Question|Problem|Q)[ \t]*\d*[ \t]*:", re.MULTILINE)
_HASHES = re.compile(r"####[ \t]*(?=[^\s#])([^\n]*)")
_HEADING = re.compile(r"\d+[.):][ \t]+[^\W\d]")
_BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[^bf]|[{}]", re.DOTALL)
_PHRASE = re.compile(
    r"""
    \b(?:answer|choice|option)\b
    (?:[ \t]+to[ \t]+(?:the|this)[ \t]+(?:question|problem))?
    [*_\s"']*
    (?: (?:is|would[ ]be|must[ ]be|should[ ]be)\b[*_\s]*:? | [:=\uff1a] | (?<=<answer)> )
    [*_]*[ \t]*
    (?![*_\s]*(?:not|neither)\b)
    (?![^.!?\n]{0,40}\?)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PHRASES = 8
"""Phrases that are looked at, from the end; who says more often that this is the answer has none."""
_SUPPOSED = re.compile(r"\b(?:if|whether|suppose|supposing|assume|assuming)\b[^.,;:!?\n]{0,30}$", re.IGNORECASE)
_LINE = re.compile(r"\s*([^\n]*)")


def without_reasoning(text: str) -> str:
    """Return a text without the reasoning that a model marks as such, `<think> … </think>`.

    Reasoning that was cut before its end has no answer behind it.
    """
    begin = 0
    for mark in _REASONING.finditer(text):
        if mark[1]:
            begin = mark.end()
    unclosed = _REASONING.search(text, begin)
    return text[begin : unclosed.start() if unclosed else None]


def answered_part(text: str) -> str:
    """Return a text without marked reasoning, up to where it goes on to a next question of its own, as base models do.

    Such a line begins with `Question:`, `Problem:` or `Q:`, and something was said before it.
    """
    text = without_reasoning(text)
    for match in _NEXT_QUESTION.finditer(text):
        if text[: match.start()].strip():
            return text[: match.start()]
    return text


def boxed(text: str) -> str | None:
    r"""Return what the last closed `\boxed{…}` (or `\fbox{…}`) of a text holds, braces inside it too; None without one.

    A box inside a box belongs to it; a brace behind a backslash does not count.
    """
    open_braces: list[int | None] = []  # where a box's content begins; None for any other brace
    closed: list[tuple[int, int]] = []
    for match in _BRACE.finditer(text):
        if re.fullmatch(r"\\.", match[0], re.DOTALL):
            continue  # an escaped brace, or another command
        if match[0][-1] == "{":
            open_braces.append(match.end() if len(match[0]) > 1 else None)
        elif match[0] == "}" and open_braces:
            start = open_braces.pop()
            if start is not None:
                closed.append((start, match.start()))
    last = None
    for start, end in sorted(closed):
        if last is None or start > last[1]:
            last = (start, end)
    return None if last is None else text[last[0] : last[1]]


def declared_answers(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield (how, what follows) where a text says that its answer is, the most explicit first.

    `hashes`: what follows the first `####` on its line, headings such as `#### 2. Then` aside. `boxed`: see `boxed`.
    `phrase`: what follows `answer is`, `answer:` and the like up to the end of the line (of the next line that is not
    blank, where nothing follows), the last one first. A denial (`the answer is not 5`), a question (`the answer is 5?`)
    and a supposition (`if the answer is 5`) declare nothing.
    """
    for match in _HASHES.finditer(text):
        if not _HEADING.match(match[1]):
            yield "hashes", match[1].strip()
            break
    box = boxed(text)
    if box is not None:
        yield "boxed", box.strip()
    for match in reversed(list(_PHRASE.finditer(text))[-_PHRASES:]):
        if _SUPPOSED.search(text, max(0, match.start() - 60), match.start()):
            continue
        line = _LINE.match(text, match.end())
        if line is not None and line[1].strip():
            yield "phrase", line[1].strip()
