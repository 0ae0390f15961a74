"""Finding ids that are known inside of texts."""

from __future__ import annotations

import re

__all__ = ["LONG", "KnownIds"]

LONG = 6
"""Ids of so many characters are looked for more widely than shorter ones, which may be words."""

_ID_WORDS = 3
_CACHED = 16_384


class KnownIds:
    """Ids that were seen, with what stands for each; finds them in texts.

    A text that is an id is replaced whole. Inside a longer text an id of six characters or more is found anywhere, a
    shorter one where no letter or digit touches it. Digits alone are too common for that: six or more of them are found
    where no letter or digit touches them, fewer only as the whole text.
    """

    def __init__(self) -> None:
        self._substitutes: dict[str, str] = {}
        self._lengths: dict[str, list[int]] = {}  # of the ids that begin with a letter, longest first
        self._first = re.compile("(?!)")
        self._cache: dict[tuple[str, bool], str] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._substitutes

    def add(self, known: str, substitute: str) -> None:
        """Remember an id; a whole sentence is none and is not looked for elsewhere."""
        if not known or known in self._substitutes or len(known.split()) > _ID_WORDS:
            return
        self._substitutes[known] = substitute
        self._cache.clear()
        lengths = self._lengths.setdefault(known[0], [])
        if not lengths:
            self._first = re.compile(f"[{''.join(map(re.escape, sorted(self._lengths)))}]")
        if len(known) not in lengths:
            lengths.append(len(known))
            lengths.sort(reverse=True)

    def replaced(self, text: str, *, is_key: bool = False) -> str:
        """Return a text in which every known id is replaced, of those that begin at one place the longest.

        Args:
            text: Any text.
            is_key: Whether it is a key, whose words are no ids: only long ids are found inside it.
        """
        if not self._substitutes:
            return text
        if text in self._substitutes:
            return self._substitutes[text]
        found = self._cache.get((text, is_key))
        if found is None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            found = self._cache[text, is_key] = self._scan(text, is_key=is_key)
        return found

    def _scan(self, text: str, *, is_key: bool) -> str:
        pieces: list[str] = []
        end = 0
        for found in self._first.finditer(text):
            at = found.start()
            if at >= end and (known := self._at(text, at, is_key=is_key)):
                pieces += [text[end:at], self._substitutes[known]]
                end = at + len(known)
        return "".join([*pieces, text[end:]]) if pieces else text

    def _at(self, text: str, at: int, *, is_key: bool) -> str | None:
        """Return the longest id that begins at this place of a text."""
        for length in self._lengths[text[at]]:
            known = text[at : at + length]
            if known in self._substitutes and _counts(known, text, at, is_key=is_key):
                return known
        return None


def _counts(known: str, text: str, at: int, *, is_key: bool) -> bool:
    """Return whether an id that stands at this place of a longer text is meant there."""
    is_long, is_number = len(known) >= LONG, known.isdigit()
    if is_long and not is_number:
        return True
    if not is_long and (is_number or is_key):
        return False
    end = at + len(known)
    return not (at and text[at - 1].isalnum()) and not (end < len(text) and text[end].isalnum())
