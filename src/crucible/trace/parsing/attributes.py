"""The attributes of one opening tag, in whatever way they are quoted.

A quotation mark that is not closed before the next tag of an event or field is taken for a slip, so that it cannot
swallow what follows.
"""

from __future__ import annotations

import re

import msgspec

from crucible.trace.parsing.field_names import FIELD_TAG
from crucible.trace.parsing.places import NOWHERE, Places

__all__ = ["Attribute", "Head", "naming", "read_head"]

_NAMING = ("id", "ref", "value", "name", "idref", "title", "text")
_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\s=<>/\"'“”\u2018’`\\]+")
_JUNK = re.compile(r"(?:[=\"'“”\u2018’`\\]|/(?!>))+")
_BARE = re.compile(r"[^\s<>\"']*")
_UNCLOSED = re.compile(r"[^\s<>]*")
_CLOSERS = {
    quote: re.compile(end)
    for quote, end in {'"': '"', "'": "'", "“": "[”“]", "”": "[”“]", "\u2018": "[’\u2018]"}.items()
}


class Attribute(msgspec.Struct, frozen=True):
    """A name with its value.

    Args:
        name: As written.
        value: As written between the quotation marks; None for a name without a value.
        offset: Where the name begins.
    """

    name: str
    value: str | None
    offset: int


class Head(msgspec.Struct, frozen=True):
    """The rest of an opening tag after its name.

    Args:
        attributes: In order.
        end: The offset after it.
        is_whole: Whether a `>` ended it.
        is_empty: Whether `/>` ended it, so that no closing tag follows.
    """

    attributes: list[Attribute]
    end: int
    is_whole: bool
    is_empty: bool


def read_head(places: Places, start: int) -> Head:
    """Read the attributes of a tag up to its end, to the next `<`, or to the end of the text.

    Args:
        places: The text.
        start: The offset after the tag's name.
    """
    text = places.text
    found: list[Attribute] = []
    at = start
    while True:
        at = _after_space(text, at)
        letter = text[at : at + 1]
        if letter in ("", "<"):
            return Head(found, at, is_whole=False, is_empty=False)
        if letter == ">":
            return Head(found, at + 1, is_whole=True, is_empty=False)
        if text.startswith("/>", at):
            return Head(found, at + 2, is_whole=True, is_empty=True)
        name = _NAME.match(text, at)
        if name is None:  # a lone mark such as the second of ""
            at = _end(_JUNK, text, at)
            continue
        value, end = _value(places, name.end())
        found.append(Attribute(name[0], value, at))
        at = end


def naming(attributes: list[Attribute]) -> Attribute | None:
    """Return the attribute that says what a tag is about, such as `ref` in `<parent ref="e1"/>`; None if none does."""
    said = [attribute for attribute in attributes if attribute.value is not None and attribute.value.strip()]
    ranked = [attribute for attribute in said if attribute.name.lower() in _NAMING]
    return min(ranked, key=lambda attribute: _NAMING.index(attribute.name.lower()), default=None)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _value(places: Places, start: int) -> tuple[str | None, int]:
    text = places.text
    at = _after_space(text, start)
    if text[at : at + 1] != "=":
        return None, start
    at = _after_space(text, at + 1)
    is_escaped = text[at : at + 1] == "\\"  # type=\"x\": markup that was copied out of a JSON string
    at += is_escaped
    closer = _CLOSERS.get(text[at : at + 1])
    if closer is None:
        end = _end(_BARE, text, at)
        if text[end - 1 : end + 1] == "/>" and end > at:
            end -= 1
        return text[at:end], end
    end = places.next(closer, at + 1)
    if end == NOWHERE or places.next(FIELD_TAG, at + 1) < end:
        end = _end(_UNCLOSED, text, at + 1)
        return text[at + 1 : end].rstrip("/"), end
    return text[at + 1 : end - 1] if is_escaped and text[end - 1] == "\\" else text[at + 1 : end], end + 1


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
