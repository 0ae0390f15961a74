r"""Cells of a CSV file: numbers with every digit, and no text that a spreadsheet takes for a formula.

`guard` puts an apostrophe before a text that could be calculated, and inside of a text where such a part follows on a
semicolon, a tab or the end of a line: quotes do not help there, since a spreadsheet whose list separator is the
semicolon takes every one of them for the end of a cell, quoted or not. A NUL, which readers of CSV cannot hold, is
spelled `\x00`. What looks guarded or spelled already is marked once more, so that `unguard` gives back every text.
"""

from __future__ import annotations

import math
import re
from typing import Any

from crucible.store import encode

__all__ = ["cell", "guard", "unguard"]

_SIGN = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_UNSEEN = "\ufeff\u200b-\u200f\u202a-\u202e\u2060"
_ACTS = re.compile(f"'*(?:[\\s{_UNSEEN}]*{_SIGN}|[\t\r\n])")
"""What a spreadsheet may run, full-width twins of the four signs included."""

_PART = f"(?='*(?:[^\\S\t\r\n]|[{_UNSEEN}\"])*{_SIGN})"
_BARE_PART = re.compile(f"(?<=[;\t\r\n]){_PART}")
_GUARDED_PART = re.compile(f"(?<=[;\t\r\n])'{_PART}")
_NUL = re.compile("(?<!\\\\)(?:\\\\*\0|\\\\+x00)")
_SPELLED_NUL = re.compile(r"(?<!\\)(\\+)x00")


def guard(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, whole or split, and that holds no NUL."""
    spelled = _NUL.sub(_spelled, text) if "\0" in text or "\\x00" in text else text
    inside = _BARE_PART.sub("'", spelled)
    return f"'{inside}" if _ACTS.match(inside) else inside


def unguard(text: str) -> str:
    """Return the text that `guard` was given."""
    inside = text[1:] if text[:1] == "'" and _ACTS.match(text[1:]) else text
    return _SPELLED_NUL.sub(_unspelled, _GUARDED_PART.sub("", inside))


def cell(value: Any, *, guarded: bool = True) -> str:
    r"""Return a plain value as a cell.

    None is empty, bools are `true` and `false`, NaN and the infinities are `NaN`, `Infinity` and `-Infinity`, lists and
    dicts are JSON. A NUL becomes `\x00`, guarded or not.

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
    return guard(words) if guarded else words.replace("\0", "\\x00")


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _spelled(found: re.Match[str]) -> str:
    """Spell a NUL after n backslashes with 2n + 1 of them, and a text that looks so, after n, with 2n."""
    is_nul = found[0].endswith("\0")
    count = len(found[0]) - (1 if is_nul else 3)
    return "\\" * (2 * count + is_nul) + "x00"


def _unspelled(found: re.Match[str]) -> str:
    half, is_nul = divmod(len(found[1]), 2)
    return "\\" * half + ("\0" if is_nul else "x00")
