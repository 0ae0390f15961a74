"""Which keys name a person or a session, and what then identifies: the value, or the keys inside of it."""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

from crucible.telemetry.exports.known_ids import LONG

__all__ = ["IDENTITY_NAMES", "IdentityNames", "Meaning", "ids_in", "is_field", "is_statistic", "words_of"]

IDENTITY_NAMES = (
    "user_id", "user_uid", "user_uuid", "user_email", "user", "username", "uid",
    "session_id", "session_uuid", "session_token", "session_key", "session",
)  # fmt: skip
"""What an anonymiser hides unless it is told otherwise."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_ID = re.compile(r"""[^\s,;|()\[\]{}"']+""")
_FIELD = re.compile(r"[^\W\d](?:[^\W\d]|[ .\-])*\d?")
_CACHED = 16_384
_DEEP = 8
_ALONE = frozenset({"uid", "uids"})  # a graphics card has one too: `gpu_uid`
_OF_IDS = ("ids", "emails", "names", "tokens", "keys")
_OF_ONE = frozenset({"id", "uid", "uuid", "name", "username", "email"})
_STATISTICS = frozenset(
    {"count", "n", "number", "total", "sum", "mean", "median", "min", "max", "std", "rate", "share", "p50", "p90"}
    | {"p95", "p99", "first", "last", "active", "new", "unique", "all", "other", "others", "unknown", "anonymous"}
)


class Meaning(enum.Enum):
    """What identifies somebody under a key."""

    VALUE = "the value, and all that is in it"
    LIST = "each id of a text that lists several"
    OWNERS = "the keys of the value; what stands under each is somebody's"
    BY_ID = "the keys of the value; what stands under each is anything, as in `latency_by_user`"
    IDS_BY_ID = "the keys of the value, and all that stands under them, as in `sessions_by_user`"


@functools.lru_cache(maxsize=_CACHED)
def words_of(key: str) -> tuple[str, ...]:
    """Return the words of a key in lower case: `userId`, `user-id`, `USER_ID` and `user.id` have the same."""
    return tuple(word.casefold() for word in _WORDS.findall(unicodedata.normalize("NFKC", key)))


def ids_in(text: str) -> list[str]:
    """Return the ids of a text that lists them, such as `"ada, grace"` or `'["ada","grace"]'`."""
    return _ID.findall(text)


def is_field(key: str) -> bool:
    """Return whether a key of somebody's mapping looks like a field's name, such as `plan`, and not like an id."""
    return _FIELD.fullmatch(key) is not None


def is_statistic(key: str) -> bool:
    """Return whether a key among ids is none, such as `total`."""
    return key.casefold() in _STATISTICS


class IdentityNames:
    """Names of keys whose values identify somebody.

    A key is meant if its last words are a name, in any spelling: `user_id` means `userId`, `USER-ID`,
    `current_user_id`, and `id` inside of `user`. The plural is meant where the value is a list, a dict, or a text under
    `user_ids` and its like. `uid` is meant only where it is the whole key. Of a dict under a plural, or under
    `by_user` and `per_user`, the keys identify; a number under `users`, or a fraction `per_user`, is no id.

    Args:
        names: The names, in any spelling.
    """

    def __init__(self, names: Iterable[str]) -> None:
        joined = ["".join(words_of(name)) for name in names]
        self._names = frozenset(name for name in joined if name)
        self._plurals = frozenset(f"{name}s" for name in self._names)
        self._matched: dict[tuple[str, ...], list[tuple[str, int]]] = {}

    def meaning(self, words: tuple[str, ...], own: int, value: Any) -> Meaning | None:
        """Return what identifies somebody in the value at a path; None: nothing that its key tells.

        Args:
            words: The words of all keys on the path.
            own: How many of them are of the last key.
            value: What stands there, plain.
        """
        for joined, count in self._matches(words):
            if joined in _ALONE and own != count:
                continue
            is_plural = joined not in self._names
            above = words[:-count]
            relation = above[-1] if above and above[-1] in ("by", "per") else ""
            match value:
                case dict():
                    found = self._of_dict(cast("dict[str, Any]", value), joined, above, is_plural or bool(relation))
                case list():
                    found = Meaning.VALUE
                case _ if joined in self._names:
                    found = None if _is_quantity(value, relation) else Meaning.VALUE
                case _:
                    found = Meaning.LIST if _lists_ids(value, joined) else None
            if found is not None:
                return found
        return None

    def _matches(self, words: tuple[str, ...]) -> list[tuple[str, int]]:
        """Return the names, or their plurals, with which a path ends, and of how many of its words each is."""
        found = self._matched.get(words)
        if found is None:
            if len(self._matched) >= _CACHED:
                self._matched.clear()
            endings = [("".join(words[-count:]), count) for count in range(1, min(len(words), _DEEP) + 1)]
            found = [each for each in endings if each[0] in self._names or each[0] in self._plurals]
            self._matched[words] = found
        return found

    def _of_dict(
        self,
        value: dict[str, Any],
        joined: str,
        above: tuple[str, ...],
        are_keys_ids: bool,
    ) -> Meaning | None:
        keys = {key.casefold() for key in value}
        if not are_keys_ids or not keys or keys & _OF_ONE:
            return Meaning.VALUE
        if keys <= _STATISTICS:
            return None if all(isinstance(each, (int, float)) for each in value.values()) else Meaning.VALUE
        if above and above[-1] in ("by", "per"):
            is_of_ids = self.meaning(above[:-1], len(above) - 1, []) is not None
            return Meaning.IDS_BY_ID if is_of_ids else Meaning.BY_ID
        if joined.endswith(_OF_IDS) and any(isinstance(each, (str, list)) for each in value.values()):
            return Meaning.VALUE
        return Meaning.OWNERS


def _is_quantity(value: Any, relation: str) -> bool:
    """Return whether a value is a number by user or per user, not a user's number."""
    return isinstance(value, float) if relation == "by" else relation == "per" and isinstance(value, (int, float))


def _lists_ids(value: Any, joined: str) -> bool:
    if isinstance(value, str):
        return joined.endswith(_OF_IDS)
    return value.__class__ is int and joined.endswith("ids") and len(str(value)) >= LONG
