"""Ids in nested values: finding them by the names of their keys, and putting something else in their place."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from crucible.telemetry.exports.identities import IdentityNames, Meaning, ids_in, is_field, is_statistic, words_of
from crucible.telemetry.exports.known_ids import LONG, KnownIds

__all__ = ["REMOVED", "Hiding"]

REMOVED = "[removed]"
"""What stands in a text for an id that was dropped."""

_DIGITS = 16
_GONE = object()
_KEYS_IDENTIFY = (Meaning.OWNERS, Meaning.BY_ID, Meaning.IDS_BY_ID)


class Hiding:
    """Remembers the ids in values that `payload.plain` made, and hides them.

    Args:
        names: Names of the keys.
        key: Makes the pseudonyms; None: what identifies is left out.
    """

    def __init__(self, names: Iterable[str], key: bytes | None) -> None:
        self._names = IdentityNames(names)
        self._key = key
        self._known = KnownIds()

    def pseudonym(self, known: Any) -> str:
        """Return what stands for an id: of a number the same as of its digits."""
        if self._key is None:
            return REMOVED
        return hmac.new(self._key, _spelt(known).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:_DIGITS]

    # --- finding ---

    def find(self, value: Any, words: tuple[str, ...] = ()) -> None:
        """Remember the ids in a value that stands under these words."""
        if value.__class__ is list:
            for inner in value:
                self.find(inner, words)
        elif value.__class__ is dict:
            for key, inner in value.items():
                own = words_of(key)
                below = words + own
                meaning = self._names.meaning(below, len(own), inner)
                if meaning is None:
                    self.find(inner, below)
                else:
                    self._find_meant(inner, meaning)

    def _find_meant(self, value: Any, meaning: Meaning) -> None:
        if meaning is Meaning.VALUE:
            self._remember(value)
        elif meaning is Meaning.LIST:
            for known in ids_in(str(value)):
                self._remember(known)
        else:
            for key, inner in value.items():
                if not is_statistic(key):
                    self._remember(key)
                if meaning is Meaning.BY_ID:
                    self.find(inner)
                elif meaning is Meaning.IDS_BY_ID or isinstance(inner, (dict, list)):
                    self._remember(inner, has_counts=meaning is Meaning.OWNERS)

    def _remember(self, value: Any, *, has_counts: bool = False) -> None:
        match value:
            case dict():
                for key, inner in cast("dict[str, Any]", value).items():
                    if not is_field(key):
                        self._remember(key)
                    self._remember(inner, has_counts=has_counts)
            case list():
                for inner in cast("list[Any]", value):
                    self._remember(inner, has_counts=has_counts)
            case _:
                if _is_id(value, has_counts=has_counts):
                    self._known.add(_spelt(value), self.pseudonym(value))

    # --- hiding ---

    def text(self, text: Any) -> Any:
        """Return a text in which the ids that were met are replaced; anything else as it is."""
        return self._known.replaced(text) if isinstance(text, str) else text

    def hidden(self, value: Any, *, is_measured: bool = False) -> Any:
        """Return a value without ids.

        Args:
            value: Any plain value.
            is_measured: Whether numbers were measured; that one equals somebody's number is chance then.
        """
        return self._hidden(value, (), _same if is_measured else self._number)

    def _hidden(self, value: Any, words: tuple[str, ...], other: Callable[[Any], Any]) -> Any:
        """Return a value without ids; `other` is asked what becomes of a number."""
        match value:
            case dict():
                return self._hidden_dict(cast("dict[str, Any]", value), words, other)
            case list():
                return [self._hidden(inner, words, other) for inner in cast("list[Any]", value)]
            case str():
                return self._known.replaced(value)
            case _:
                return other(value)

    def _hidden_dict(self, value: dict[str, Any], words: tuple[str, ...], other: Callable[[Any], Any]) -> Any:
        hidden: dict[str, Any] = {}
        for key, inner in value.items():
            own = words_of(key)
            below = words + own
            meaning = self._names.meaning(below, len(own), inner)
            settled = self._hidden(inner, below, other) if meaning is None else self._substitute(inner, meaning, other)
            if settled is not _GONE:
                hidden[_free(self._key_text(key), hidden)] = settled
        return hidden

    def _substitute(self, value: Any, meaning: Meaning, other: Callable[[Any], Any]) -> Any:
        """Return what stands for the value of a key that tells who somebody is."""
        if self._key is None:
            return _GONE
        if meaning in _KEYS_IDENTIFY:
            hidden: dict[str, Any] = {}
            for key, inner in value.items():
                name = key if is_statistic(key) else self.pseudonym(key)
                hidden[_free(name, hidden)] = self._of_somebody(inner, meaning, other)
            return hidden
        if meaning is Meaning.LIST and isinstance(value, str):
            for known in sorted(set(ids_in(value)), key=len, reverse=True):
                self._known.add(known, self.pseudonym(known))
            return self._known.replaced(value)
        return self._whole(value)

    def _of_somebody(self, value: Any, meaning: Meaning, other: Callable[[Any], Any]) -> Any:
        """Return a value that stands under an id: numbers stay, texts do not."""
        if meaning is Meaning.IDS_BY_ID:
            return self._whole(value)
        match value:
            case dict() if meaning is Meaning.BY_ID:
                return self._hidden_dict(cast("dict[str, Any]", value), (), other)
            case dict():
                return self._whole(value, has_counts=True)
            case list():
                return [self._of_somebody(inner, meaning, other) for inner in cast("list[Any]", value)]
            case str():
                return self._whole(value)
            case _:
                return other(value)

    def _whole(self, value: Any, *, has_counts: bool = False) -> Any:
        """Return a value of which everything is replaced, and keys that are no names of fields, too."""
        match value:
            case dict():
                hidden: dict[str, Any] = {}
                for key, inner in cast("dict[str, Any]", value).items():
                    name = self._key_text(key) if is_field(key) else self.pseudonym(key)
                    hidden[_free(name, hidden)] = self._whole(inner, has_counts=has_counts)
                return hidden
            case list():
                return [self._whole(inner, has_counts=has_counts) for inner in cast("list[Any]", value)]
            case _:
                return self.pseudonym(value) if _is_id(value, has_counts=has_counts) else value

    def _key_text(self, key: str) -> str:
        return self._known.replaced(key, is_key=True)

    def _number(self, value: Any) -> Any:
        if value.__class__ is int and len(spelt := str(value)) >= LONG and spelt in self._known:
            return self.pseudonym(value)
        return value


def _is_id(value: Any, *, has_counts: bool) -> bool:
    """Return whether a value may be an id; with counts, a fraction or a number of few digits is none."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    is_count = isinstance(value, float) or (isinstance(value, int) and len(str(value)) < LONG)
    return not (has_counts and is_count)


def _same(value: Any) -> Any:
    return value


def _spelt(known: Any) -> str:
    if isinstance(known, float) and known.is_integer():
        known = int(known)
    return str(known)


def _free(key: str, taken: Mapping[str, Any]) -> str:
    name, n = key, 1
    while name in taken:
        n += 1
        name = f"{key} {n}"
    return name
