"""Pieces of a page: text that cannot be anything but text, and two texts with the words marked that differ."""

from __future__ import annotations

import re

__all__ = ["marked", "text"]

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)+|\w+|\s+|[^\w\s]")  # numbers whole, words, space, marks
_MOST_TOKENS = 2000
_LEAST_SHARED = 0.2  # of the letters; with less in common, marks would be confetti
_JOINERS = "\u200c\u200d"  # invisible, but words and emoji need them
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def text(value: str, *, limit: int | None = None) -> str:
    r"""Return text for a page: markup escaped, quotes too; control and direction characters shown as `\u202e`.

    Args:
        value: Any text.
        limit: The most characters to keep; what is cut off is counted.
    """
    if limit is not None and len(value) > limit:
        return f"{text(value[:limit])}… ({len(value) - limit:,} more characters)"
    if not value.isprintable():
        value = "".join(_visible(char) for char in value)
    return value.translate(_ESCAPES)


def _visible(char: str) -> str:
    if char.isprintable() or char in "\n\t" or char in _JOINERS:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def marked(old: str, new: str, *, limit: int) -> tuple[str, str]:
    """Return two texts for a page, with `<del>` and `<ins>` around the words that the other lacks.

    Args:
        old: The first text.
        new: The second.
        limit: The most characters of each to keep.
    """
    if old == new:
        return text(old, limit=limit), text(new, limit=limit)
    a, b = _TOKEN.findall(old[:limit]), _TOKEN.findall(new[:limit])
    spans = _spans(a, b) if 0 < len(a) <= _MOST_TOKENS and 0 < len(b) <= _MOST_TOKENS else None
    if spans is None:
        return _wrapped("del", old, limit), _wrapped("ins", new, limit)
    left = "".join(_piece(a[low:high], "del" if differs else "") for low, high, _, _, differs in spans)
    right = "".join(_piece(b[low:high], "ins" if differs else "") for _, _, low, high, differs in spans)
    return left + _cut(old, limit), right + _cut(new, limit)


def _spans(a: list[str], b: list[str]) -> list[tuple[int, int, int, int, bool]] | None:
    """Return runs of tokens in both, and whether they differ; None if too little is shared."""
    from rapidfuzz.distance import LCSseq

    spans: list[tuple[int, int, int, int, bool]] = []
    shared = 0
    for block in LCSseq.opcodes(a, b):
        span = (block.src_start, block.src_end, block.dest_start, block.dest_end)
        same = "".join(a[span[0] : span[1]]) if block.tag == "equal" else ""
        shared += len(same.replace(" ", ""))
        # a lone space between two marked words is marked with them
        differs = block.tag != "equal" or (same.isspace() and bool(spans) and block.src_end < len(a))
        if spans and spans[-1][4] and differs:
            spans[-1] = (spans[-1][0], span[1], spans[-1][2], span[3], True)
        else:
            spans.append((*span, differs))
    longest = max(sum(map(len, a)), sum(map(len, b)))
    return spans if shared >= _LEAST_SHARED * longest else None


def _piece(tokens: list[str], tag: str) -> str:
    joined = text("".join(tokens))
    return f"<{tag}>{joined}</{tag}>" if tag and joined else joined


def _wrapped(tag: str, value: str, limit: int) -> str:
    return f"<{tag}>{text(value, limit=limit)}</{tag}>" if value else ""


def _cut(value: str, limit: int) -> str:
    return f"… ({len(value) - limit:,} more characters)" if len(value) > limit else ""
