"""Cells of a CSV file: numbers with every digit, and no text that a spreadsheet takes for a formula.

`guard` puts an apostrophe before a text that could be calculated; `unguard` takes it off again. A text that looks
guarded already gets one more, so that the two are each other's inverse.
"""

from __future__ import annotations

import math
import re
from typing import Any

from crucible.store import encode

__all__ = ["cell", "guard", "unguard"]

_ACTS = re.compile("'*(?:[\\s\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""What a spreadsheet may run, full-width twins of the four signs included."""


def guard(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if _ACTS.match(text) else text


def unguard(text: str) -> str:
    """Return the text that `guard` was given."""
    return text[1:] if text[:1] == "'" and _ACTS.match(text[1:]) else text


def cell(value: Any, *, guarded: bool = True) -> str:
    r"""Return a plain value as a cell.

    None is empty, bools are `true` and `false`, NaN and the infinities are `NaN`, `Infinity` and `-Infinity`, lists and
    dicts are JSON. A NUL, which readers of CSV cannot hold, becomes `\x00`.

    Args:
        value: A value from `plain`.
        guarded: Whether texts are guarded; numbers never are.
    """
    kind = value.__class__
    if value is None:
        return ""
    if kind is float:
        return repr(value) if math.isfinite(value) else _name(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    words = value if kind is str else encode(value)
    words = words.replace("\0", "\\x00")
    return guard(words) if guarded else words


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
