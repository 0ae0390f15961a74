"""Text as a reader sees it, for rules that must not be dodged by how it is encoded.

Invisible characters go, letters of other widths, fonts and alphabets that look Latin become Latin, entities are
resolved; every character of the result knows where it came from. Nobody but the rules sees the result.
"""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from array import array
from typing import Final

import msgspec

__all__ = ["Folded", "fold"]

_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")
_LOOKALIKES: Final = dict(
    zip(
        "авсԁеһіјкӏмнпорԛгѕтԝхуАВСЕНІЈКМОРЅТХУ" + "αεικνορτυχγΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "ıɡɑ’‘“”",  # noqa: RUF001  # they are here because they look alike
        "abcdehijklmhnopqrstwxyABCEHIJKMOPSTXY" + "aeiknoptuxyABEZHIKMNOPTYX" + "iga''\"\"",
        strict=True,
    )
)


class Folded(msgspec.Struct, frozen=True):
    """Folded text and where each of its characters came from.

    Args:
        text: What rules look at.
        starts: Where the original of each character starts; None if the text is the original.
        ends: Where it ends.
    """

    text: str
    starts: array[int] | None = None
    ends: array[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch of the original text that a non-empty stretch of the folded one stands for."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def fold(text: str) -> Folded:
    """Return the text as rules look at it; takes time and memory proportional to its length."""
    if text.isascii() and "&" not in text:
        return Folded(text)
    pieces: list[str] = []
    starts, ends = array("L"), array("L")

    def add(shown: str, start: int, end: int) -> None:
        for character in shown:
            folded = _fold_character(character)
            pieces.append(folded)
            starts.extend([start] * len(folded))
            ends.extend([end] * len(folded))

    done = 0
    for entity in _ENTITY.finditer(text):
        for place in range(done, entity.start()):
            add(text[place], place, place + 1)
        add(html.unescape(entity[0]), entity.start(), entity.end())
        done = entity.end()
    for place in range(done, len(text)):
        add(text[place], place, place + 1)
    return Folded("".join(pieces), starts, ends)


@functools.lru_cache(maxsize=8192)
def _fold_character(character: str) -> str:
    """Return what one character looks like; nothing for one that cannot be seen."""
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:  # tags: invisible twins of ASCII, with which text is hidden from readers
        return chr(code - 0xE0000)
    shown = ""
    for each in unicodedata.normalize("NFKD", character):
        kind = unicodedata.category(each)
        if kind in ("Cf", "Mn", "Me") or (kind == "Cc" and each not in "\t\n\r"):
            continue
        digit = unicodedata.decimal(each, None)
        if digit is not None:
            shown += str(digit)
        elif kind == "Pd" or each == "−":
            shown += "-"
        elif kind == "Zs":
            shown += " "
        else:
            shown += _LOOKALIKES.get(each, each)
    return shown
