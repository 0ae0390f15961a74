"""Text that Mermaid takes for text: nothing in a label may end it, start a statement or turn into mark-up.

Mermaid reads `#34;` as a quote, in every kind of diagram. Whatever its grammars, its Markdown, its icons or its
formulas give a meaning to is written so; letters, digits and harmless punctuation stay readable in the source.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from crucible.trace.display import clean
from crucible.trace.plain import plain

__all__ = ["encoded", "quoted", "shortened", "words"]

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.'()/?!-=+")
# Sequences and timelines have no Markdown and no quotes, but measure an entity by its letters, so they get fewer.
_PLAIN_IN_LINES = _PLAIN | frozenset('"*@[]^_`{|}~')
# Mermaid writes entities between these two while it parses, and turns every one in the finished picture back, also
# those that were there before; an invisible non-joiner keeps them apart.
_PLACEHOLDER = re.compile("(?<=\ufb02)(?=\u00b0)|(?<=\u00b6)(?=\u00df)")
# Statements that its lexers find anywhere in a line, or that end a block.
_KEYWORD = re.compile(r"direction|style|classDef|acc(?=title|descr)|\bend\b", re.IGNORECASE)
_LIST = re.compile(r"(?=[-+=])|\d+(?=[.)](?:\s|$))")  # "1. " and "- " make a list, which Mermaid refuses to draw
_FULL_WIDTH = {ord(char): ord(char) + 0xFEE0 for char in "<>&"}
_JOINING = frozenset("\u200d\ufe0f")  # what binds an emoji to its neighbour


def shortened(text: Any, length: int) -> str:
    """Return `text` as one clean line of at most `length` characters, the last an ellipsis where it was cut.

    Where nothing would be seen, or there is no text, it is `(empty)`; what is no text is put in words.
    """
    text = words(text)
    # a label that is cut needs only its beginning, and a prompt may be megabytes
    line = _PLACEHOLDER.sub("\u200c", clean(text.lstrip()[: 64 * length + 1024])) or "(empty)"
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    while cut and (line[len(cut)] in _JOINING or cut[-1] in _JOINING or unicodedata.combining(line[len(cut)])):
        cut = cut[:-1]
    return f"{cut.rstrip()}…"


def words(value: Any) -> str:
    """Return text as it is, nothing as the empty string, anything else in words."""
    return value if isinstance(value, str) else "" if value is None else f"{plain(value)}"


def encoded(line: str, *, is_quoted: bool = True) -> str:
    """Return a clean line with every character encoded that Mermaid could take for something else.

    Args:
        line: What `shortened` returned.
        is_quoted: Whether it will stand in quotes, as in flowcharts and graphs, or fill the rest of its line.
    """
    marked = _KEYWORD.sub(lambda found: f"\0{found[0]}", line)  # NUL: encode the next one; `clean` leaves none
    if is_quoted:
        marked = _LIST.sub(lambda found: f"{found[0]}\0", marked, count=1) if _LIST.match(marked) else marked
    plain = _PLAIN if is_quoted else _PLAIN_IN_LINES
    return marked if marked.isascii() and plain.issuperset(marked) else "".join(_characters(marked, plain))


def _characters(marked: str, plain: frozenset[str]) -> Iterator[str]:
    is_forced = False
    for char in marked:
        if char != "\0":
            yield char if not is_forced and (char in plain or not char.isascii()) else f"#{ord(char)};"
        is_forced = char == "\0"


def quoted(line: str) -> str:
    """Return a clean line as a YAML string for a heading, where entities have no meaning.

    Mermaid reads mark-up there and has no way to write its characters, so they become their full-width forms.
    """
    return json.dumps(line.translate(_FULL_WIDTH), ensure_ascii=False).replace("%", r"\u0025")
