"""Immutable collections whose next version shares its structure with the last: O(log n) to derive, never copied.

They keep the order of insertion, as dicts and lists do, because readers of a run's metrics see that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from rpds import HashTrieMap

__all__ = ["FrozenList", "FrozenMap"]

V = TypeVar("V")
D = TypeVar("D")


class FrozenMap(Mapping[str, V], Generic[V]):
    """A mapping from text that never changes; `set` and `update` return another one.

    Args:
        items: What is in it, in order.
    """

    __slots__ = ("_entries", "_next")

    _entries: HashTrieMap[str, tuple[int, V]]
    _next: int

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        numbered = {key: (place, value) for place, (key, value) in enumerate((items or {}).items())}
        self._entries = HashTrieMap(numbered)
        self._next = len(numbered)

    def set(self, key: str, value: V) -> FrozenMap[V]:
        """Return a mapping in which `key` has this value; a key that is there keeps its place."""
        known = self._entries.get(key)
        place = self._next if known is None else known[0]
        return self._with(self._entries.insert(key, (place, value)), max(self._next, place + 1))

    def update(self, items: Mapping[str, V]) -> FrozenMap[V]:
        """Return a mapping with all of `items` set."""
        changed = self
        for key, value in items.items():
            changed = changed.set(key, value)
        return changed

    def changed_since(self, before: FrozenMap[V]) -> dict[str, V]:
        """Return what is new or another object than in `before`, in order."""
        if self._entries is before._entries:
            return {}
        earlier = before._entries
        return {
            key: entry[1]
            for key, entry in self._ordered()
            if (old := earlier.get(key)) is None or old[1] is not entry[1]
        }

    @classmethod
    def _with(cls, entries: HashTrieMap[str, tuple[int, V]], following: int) -> FrozenMap[V]:
        made: FrozenMap[V] = cls.__new__(cls)
        made._entries = entries
        made._next = following
        return made

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
        return f"FrozenMap({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (dict(self),)


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

    def append(self, *items: V) -> FrozenList[V]:
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
            return tuple(self._entries[i] for i in range(*place.indices(size)))
        if not -size <= place < size:
            raise IndexError(f"there is no [{place}] among {size}")
        return self._entries[place % size]

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (FrozenList, list, tuple)) and list(self) == list(other)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any sequence

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # it may hold dicts

    def __repr__(self) -> str:
        return f"FrozenList({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)
