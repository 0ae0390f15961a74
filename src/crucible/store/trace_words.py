"""What counts as a word when traces are searched, and what somebody who searches asks for.

A word is a run of letters and digits of any script, in the simple case folding of Unicode, with accents as they are.
The rules are those of FTS5's `unicode61`; PostgreSQL is taught the same ones, and here they find what is highlighted.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

import msgspec

__all__ = [
    "INDEXED_CHARACTERS",
    "STORED_NUL",
    "UNFOLDED",
    "WORD_CHARACTERS",
    "SearchTerm",
    "SearchWords",
    "case_pairs",
    "fold",
    "letter_ranges",
]

INDEXED_CHARACTERS = 40_000  # of each text: PostgreSQL's tsvector ends at a megabyte
WORD_CHARACTERS = 255  # of each word: a word in a tsvector ends at 2 kB
STORED_NUL = r"\x00"  # what `storable` makes of a NUL, which divides words as it does in memory
_VARIANTS = {  # lower-case letters that fold to others: micro, long s, final sigma, variants of Greek letters
    0xB5: "\u03bc",
    0x17F: "s",
    0x3C2: "\u03c3",
    0x3D0: "\u03b2",
    0x3D1: "\u03b8",
    0x3D5: "\u03c6",
    0x3D6: "\u03c0",
    0x3F0: "\u03ba",
    0x3F1: "\u03c1",
    0x3F5: "\u03b5",
    0x1E9B: "\u1e61",
    0x1FBE: "\u03b9",
}
_CHEROKEE = range(0x13A0, 0x1400)
_CASED = 0x20000  # no script beyond has cases
UNFOLDED = "İ"  # `lower` makes two characters of it, or takes its dot; words are as long as they were
_MARKS = "\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331"  # go on with a word
_WORD = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}])*")
_BEFORE, _AFTER = r"(?<![^\W_])", rf"(?![^\W_]|[{_MARKS}])"
_ASKED = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)(?:"|$)(?P<star>\*?)|(?P<word>[^\s"]+))')


class SearchTerm(msgspec.Struct, frozen=True):
    """Words that must, or must not, appear one after the other in one text.

    Args:
        words: Folded, at least one.
        is_prefix: Whether the last word may go on.
        is_excluded: Whether an event that has it is left out.
    """

    words: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False

    def pattern(self) -> re.Pattern[str]:
        """Return what finds the term in a folded text."""
        between = r"(?:(?![^\W_]).)+"
        text = between.join(re.escape(word) for word in self.words)
        return re.compile(_BEFORE + text + (rf"(?:[^\W_]|[{_MARKS}])*" if self.is_prefix else "") + _AFTER, re.DOTALL)


class SearchWords(msgspec.Struct, frozen=True):
    """What to search for: every term that is not excluded must appear, in whatever text of an event.

    Args:
        terms: In the order in which they were asked for, each once; no wanted one among them finds nothing.
    """

    terms: tuple[SearchTerm, ...]

    @classmethod
    def parse(cls, text: str) -> SearchWords:
        """Read what somebody typed: words, `"a phrase"`, `begin*`, `-word`, `-"a phrase"`; no text is an error.

        What has no letter and no digit is passed over; `learning-rate` is the phrase `learning rate`.
        """
        found: dict[SearchTerm, None] = {}
        for part in _ASKED.finditer(text):
            phrase = part["phrase"]
            asked = part["word"] if phrase is None else phrase
            words = tuple(_WORD.findall(fold(asked)))
            is_prefix = asked.endswith("*") if phrase is None else bool(part["star"])
            if words:
                found[SearchTerm(words, is_prefix, bool(part["minus"]))] = None
        return cls(tuple(found))

    @property
    def wanted(self) -> tuple[SearchTerm, ...]:
        """The terms that must appear."""
        return tuple(term for term in self.terms if not term.is_excluded)

    @property
    def excluded(self) -> tuple[SearchTerm, ...]:
        """The terms that must not appear."""
        return tuple(term for term in self.terms if term.is_excluded)

    def for_sqlite(self) -> str:
        """Return the query in FTS5's language; empty if nothing is wanted."""
        wanted = " AND ".join(_quoted(term) for term in self.wanted)
        if not wanted or not self.excluded:
            return wanted
        return f"({wanted}) NOT ({' OR '.join(_quoted(term) for term in self.excluded)})"

    def for_postgres(self) -> str:
        """Return the query as a tsquery that finds at least what is asked for: phrases as their words.

        Empty if nothing is wanted.
        """
        parts: list[str] = []
        for term in self.wanted:
            parts += [_either(word) for word in term.words[:-1]]
            parts.append(_either(term.words[-1], ":*" if term.is_prefix else ""))
        if not parts:
            return ""
        for term in self.excluded:
            word = term.words[0]
            if len(term.words) == 1 and len(word) < WORD_CHARACTERS and word == word.lower():
                parts.append(f"!'{word}'" + (":*" if term.is_prefix else ""))
        return " & ".join(dict.fromkeys(parts))


def _either(word: str, star: str = "") -> str:
    """Return a word for a tsquery; the server's `lower` may have folded letters that `fold` does not."""
    forms = dict.fromkeys(one[:WORD_CHARACTERS] for one in (word, word.lower()))
    text = " | ".join(f"'{form}'{star}" for form in forms)
    return f"({text})" if len(forms) > 1 else text


def _quoted(term: SearchTerm) -> str:
    return f'"{" ".join(term.words)}"' + (" *" if term.is_prefix else "")


def fold(text: str) -> str:
    """Return a text without case, as long as it was."""
    return text.lower() if text.isascii() else text.translate(_folding())


@functools.cache
def _folding() -> dict[int, str]:
    """Return the folding of every character that has one: one character for one, so that places stay.

    Letters that got their cases after Unicode 3.2 keep them, as FTS5 does not know all of these.
    """
    table = {code: chr(code).lower() for code in range(_CASED)}
    old = unicodedata.ucd_3_2_0
    return {
        code: one
        for code, one in table.items()
        if len(one) == 1 and one != chr(code) and old.category(chr(code)) != "Cn" and code not in _CHEROKEE
    } | _VARIANTS


def case_pairs() -> tuple[str, str]:
    """Return the characters beyond ASCII that fold, and what they fold to, in the same order."""
    table = {code: folded for code, folded in _folding().items() if code > 0x7F}
    return "".join(map(chr, table)), "".join(table.values())


def letter_ranges() -> str:
    """Return what words are made of, as ranges in a character class of PostgreSQL."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if chr(code).isalnum():
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return _MARKS + "".join(rf"\U{first:08X}-\U{last:08X}" for first, last in ranges)
