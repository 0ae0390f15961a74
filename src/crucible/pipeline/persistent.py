"""Immutable collections whose next version shares its structure with the last: O(log n) to derive, never copied.

They keep the order of insertion, as dicts and lists do, because readers of a run's metrics see that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar, cast, overload

from rpds import HashTrieMap

__all__ = ["FrozenList", "FrozenMap", "JsonList", "JsonMap", "own_json"]

V = TypeVar("V")
_SPARE_CHANGES = 64  # a small map may remember more changes than it has entries


class _Change:
    """The last change that made a map, and those before it: what is new since an earlier map is read off."""

    __slots__ = ("before", "count", "key")

    def __init__(self, key: str = "", before: _Change | None = None) -> None:
        self.key = key
        self.before = before
        self.count: int = 0 if before is None else before.count + 1


class FrozenMap(Mapping[str, V], Generic[V]):
    """A mapping from text that never changes; `set` and `update` return another one.

    Args:
        items: What is in it, in order.
    """

    __slots__ = ("_changes", "_entries", "_next")

    _entries: HashTrieMap[str, tuple[int, V]]
    _next: int
    _changes: _Change

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        numbered = {key: (place, value) for place, (key, value) in enumerate((items or {}).items())}
        self._entries = HashTrieMap(numbered)
        self._next = len(numbered)
        self._changes = _Change()

    def set(self, key: str, value: V) -> Self:
        """Return a mapping in which `key` has this value; a key that is there keeps its place."""
        known = self._entries.get(key)
        made: FrozenMap[V] = type(self).__new__(type(self))
        made._entries = self._entries.insert(key, (self._next if known is None else known[0], value))
        made._next = self._next if known is not None else self._next + 1
        is_long = self._changes.count > 2 * len(self._entries) + _SPARE_CHANGES  # then comparing costs no more
        made._changes = _Change() if is_long else _Change(key, self._changes)
        return made

    def update(self, items: Mapping[str, V]) -> Self:
        """Return a mapping with all of `items` set."""
        changed = self
        for key, value in items.items():
            changed = changed.set(key, value)
        return changed

    def changed_since(self, before: FrozenMap[V]) -> dict[str, V]:
        """Return what is new or another object than in `before`, in order."""
        earlier = before._entries
        changed: dict[str, tuple[int, V]] = {}
        for key in self._touched_since(before):
            entry, old = self._entries[key], earlier.get(key)
            if old is None or old[1] is not entry[1]:
                changed[key] = entry
        return {key: entry[1] for key, entry in sorted(changed.items(), key=_place)}

    def _touched_since(self, before: FrozenMap[V]) -> Iterable[str]:
        """Return all keys that may have changed: those that were set on the way here, or all if there was no way."""
        touched: list[str] = []
        change: _Change | None = self._changes
        while change is not None:
            if change is before._changes:
                return touched
            touched.append(change.key)
            change = change.before
        return self._entries.keys()

    def _ordered(self) -> list[tuple[str, tuple[int, V]]]:
        return sorted(self._entries.items(), key=_place)

    def __getitem__(self, key: str) -> V:
        return self._entries[key][1]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _ in self._ordered()])

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


class JsonMap(FrozenMap[Any]):
    """A mapping of JSON values that cannot be changed from outside: who reads a list or a dict gets his own copy."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return own_json(self._entries[key][1])

    def changed_since(self, before: FrozenMap[Any]) -> dict[str, Any]:
        """Return what is new or was set again since `before`, in order; copies."""
        return own_json(super().changed_since(before))


def _place(entry: tuple[str, tuple[int, Any]]) -> int:
    return entry[1][0]


class FrozenList(Sequence[V], Generic[V]):
    """A sequence that never changes; `append` returns another one.

    Args:
        items: What is in it, in order.
    """

    __slots__ = ("_entries",)

    _entries: HashTrieMap[int, V]

    def __init__(self, items: Iterable[V] = ()) -> None:
        self._entries = HashTrieMap(dict(enumerate(items)))

    def append(self, *items: V) -> Self:
        """Return a sequence with these items at its end."""
        made: FrozenList[V] = type(self).__new__(type(self))
        entries = self._entries
        for item in items:
            entries = entries.insert(len(entries), item)
        made._entries = entries
        return made

    @overload
    def __getitem__(self, place: int) -> V: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[V, ...]: ...
    def __getitem__(self, place: int | slice) -> V | tuple[V, ...]:
        size = len(self._entries)
        if isinstance(place, slice):
            return tuple(self._at(i) for i in range(*place.indices(size)))
        if not -size <= place < size:
            raise IndexError(f"there is no [{place}] among {size}")
        return self._at(place % size)

    def _at(self, place: int) -> V:
        return self._entries[place]

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (FrozenList, list, tuple)) and list(self) == list(other)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any sequence

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # it may hold dicts

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self),)


class JsonList(FrozenList[Any]):
    """A sequence of JSON values that cannot be changed from outside: who reads one gets his own copy."""

    __slots__ = ()

    def _at(self, place: int) -> Any:
        return own_json(self._entries[place])


def own_json(value: Any) -> Any:
    """Return a JSON value that shares no list and no dict with this one."""
    if isinstance(value, dict):
        return {key: own_json(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [own_json(inner) for inner in cast("list[Any]", value)]
    return value
