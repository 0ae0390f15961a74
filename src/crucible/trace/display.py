"""Text that is safe and pleasant to print: no control characters, wrapped by what a terminal shows.

Traces quote models, datasets and error messages. None of them may move the cursor, recolour the screen or reverse the
reading direction of the page.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["clean", "duration", "offset", "width", "wrap"]

_HARMLESS = frozenset("\u200c\u200d")  # joiners that words and emoji need
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    r"""Return one line: white space becomes single spaces, control and direction characters become `\x1b`."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(_escape(char) for char in line)


def _escape(char: str) -> str:
    if char in _HARMLESS or unicodedata.category(char) not in _UNSAFE:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Return how many columns a terminal gives to a line."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if char in _HARMLESS or unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, columns: int) -> list[str]:
    """Break a clean line at spaces, and inside words that are longer than a line; at least one line.

    Args:
        text: What `clean` returned.
        columns: Width of a line, at least 2.
    """
    lines: list[str] = []
    line, used = "", 0
    for word in _pieces(text.split(" "), columns):
        size = width(word)
        if line and used + 1 + size > columns:
            lines.append(line)
            line, used = word, size
        else:
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    return [*lines, line]


def _pieces(words: Iterable[str], columns: int) -> Iterable[str]:
    for word in words:
        if width(word) <= columns:
            yield word
            continue
        piece, used = "", 0
        for char in word:
            if used + _columns(char) > columns:
                yield piece
                piece, used = "", 0
            piece, used = piece + char, used + _columns(char)
        yield piece


def duration(nanoseconds: float) -> str:
    """Return a duration in three digits or so: `480 µs`, `12.3 s`, `3 min 05 s`, `2 h 05 min`."""
    seconds = nanoseconds / 1e9
    if seconds < 9.995e-4:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def offset(seconds: float, *, longest: float) -> str:
    """Return a time since the start, in the form that suits the longest: `+8 ms`, `+1.25 s`, `+3:05`, `+2:03:05`."""
    if longest < 1:
        return f"+{seconds * 1e3:.0f} ms"
    if longest < 100:
        return f"+{seconds:.2f} s"
    whole = int(seconds)
    if longest < 3600:
        return f"+{whole // 60}:{whole % 60:02}"
    return f"+{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
