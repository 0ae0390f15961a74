"""Cells of a CSV file that no spreadsheet takes for a formula, and lists that come back whole."""

from __future__ import annotations

import csv
import io
import json
import numbers
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from crucible.trace.plain import plain

__all__ = ["DEPTH", "json_text", "list_cell", "number_cell", "rows_to_csv", "text_cell"]

DEPTH = 256
"""Levels of metadata that an export keeps."""

# With the apostrophes before it: a text that looks guarded gets one more, so that taking one off always gives it back.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

_SURROGATE = re.compile("[\ud800-\udfff]")


def text_cell(text: Any) -> str:
    r"""Return a text as a cell; one that a spreadsheet could calculate gets an apostrophe before it.

    What files and readers of CSV cannot hold, a NUL or half a surrogate pair, becomes `\x00`, `\ud800`.
    """
    if text is None:
        return ""
    words: str = plain(f"{text}").replace("\0", r"\x00")
    return f"'{words}" if _FORMULA.match(words) else words


def number_cell(value: Any) -> str:
    """Return a number as a cell, also NumPy's, negative ones unguarded; what is no number, as text."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return text_cell(value)
    number = plain(value)
    return number if isinstance(number, str) else repr(number)  # NaN, infinities and beyond 64 bits are words


def list_cell(words: Sequence[str]) -> str:
    """Return the words joined by `; `, or as a JSON array where that would not give them back.

    A cell that begins with `[` is JSON, an empty one no word at all.
    """
    joined = "; ".join(f"{word}" for word in words)
    is_plain = all(word and ";" not in word and word == word.strip() for word in words) and not joined.startswith("[")
    return text_cell(joined if is_plain else json_text(list(words)))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that UTF-8 can hold; what JSON lacks becomes words."""
    text = json.dumps(plain(value, depth=DEPTH), ensure_ascii=False, separators=(",", ":"))
    # `plain` spells out half a surrogate pair in values; keys come here with theirs
    encoded = _SURROGATE.sub(lambda found: rf"\\u{ord(found[0]):04x}", text).encode()
    return (encoded if indent is None else msgspec.json.format(encoded, indent=indent)).decode()


def rows_to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as RFC 4180 text: comma, double quotes, CRLF also at the end."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
