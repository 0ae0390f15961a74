"""Character references: reading `&lt;`, `&#39;` and `&#x27;`, and writing text so that it reads back the same.

One pass, so `&amp;lt;` is the text `&lt;`. What is no reference stays as it is; so do references to surrogates, which
no file could hold.
"""

from __future__ import annotations

import html.entities
import re

__all__ = ["as_attribute", "as_text", "read_text", "unescape"]

_REFERENCE = re.compile(r"&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_SPECIAL = re.compile(r"[&<>]|[\x00-\x08\x0b-\x1f\x7f]")  # tab and line feed may stand in text as they are
_IN_QUOTES = re.compile(r"[&<>\"`]|[\x00-\x1f\x7f]")
_NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def unescape(text: str) -> str:
    """Return text with its character references replaced."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        return html.entities.html5.get(f"{name};", match[0])
    number = int(f"0{name[1:]}", 16) if name[1] in "xX" else int(name[1:])
    is_character = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_character else match[0]


def read_text(raw: str) -> str:
    """Return the text that markup stands for: without the white space around it, references replaced."""
    return unescape(raw.strip())


def as_text(text: str) -> str:
    """Return text as it must be written between tags, for `read_text` to give it back."""
    return _shielded(text, _SPECIAL)


def as_attribute(text: str) -> str:
    """Return text as it must be written between double quotes, for `read_text` to give it back."""
    return _shielded(text, _IN_QUOTES)


def _shielded(text: str, special: re.Pattern[str]) -> str:
    inner = text.strip()
    if not inner:
        return _numbered(text)
    lead = len(text) - len(text.lstrip())
    middle = special.sub(lambda match: _NAMES.get(match[0]) or _numbered(match[0]), inner)
    return f"{_numbered(text[:lead])}{middle}{_numbered(text[lead + len(inner) :])}"


def _numbered(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)
