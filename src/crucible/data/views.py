"""Lazy sequences of items: what a step keeps is which items, and how; nothing is computed before it is asked for.

A view holds the items of the dataset that it came from, never a copy; views on views fold their positions into one
list. What a function says of an item must not change from one time to the next: it may be asked again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast, overload

from crucible.data.items import Item
from crucible.errors import DataError

__all__ = ["Filtered", "Joined", "Mapped", "Picked", "View", "may_repeat"]


class View(Sequence[Item]):
    """A sequence of items that is worked out when it is looked at. Equal to any sequence of equal items."""

    may_repeat: bool = False
    """A function may have given two items one id; whoever iterates has to look."""

    def __len__(self) -> int:
        raise NotImplementedError

    def at(self, index: int) -> Item:
        """Return one item; `index` is in range and not negative."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return Picked(self, lambda count: range(count)[index])
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"there are {count} items, so none at {index}")
        return self.at(index % count)

    def __iter__(self) -> Iterator[Item]:
        return (self.at(index) for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, View)):
            return NotImplemented
        others = cast("Sequence[object]", other)
        return len(self) == len(others) and all(mine == yours for mine, yours in zip(self, others, strict=True))

    __hash__ = None  # type: ignore[assignment]  # items hold mappings; the tuple that this stands for has no hash either

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)  # another process gets the items: a function may not be picklable

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} items>"


def may_repeat(items: Sequence[Item]) -> bool:
    """Tell whether iterating over these items has to look for two with one id."""
    return isinstance(items, View) and items.may_repeat


class Picked(View):
    """Some of the items, in some order.

    Args:
        parent: The items.
        choose: Returns the positions wanted, each once, given how many items there are; asked once.
    """

    def __init__(self, parent: Sequence[Item], choose: Callable[[int], Iterable[int]]) -> None:
        self._parent = parent
        self._choose = choose
        self._found: tuple[Sequence[Item], Sequence[int]] | None = None
        self.may_repeat = may_repeat(parent)

    def resolved(self) -> tuple[Sequence[Item], Sequence[int]]:
        """Return the items below all picking, and the positions among them."""
        if self._found is None:
            chosen = self._choose(len(self._parent))
            positions: Sequence[int] = chosen if isinstance(chosen, range) else array("q", chosen)
            parent = self._parent
            if isinstance(parent, Picked):
                parent, below = parent.resolved()
                if isinstance(positions, range) and positions.step > 0:
                    positions = below[positions.start : positions.stop : positions.step]
                else:
                    positions = array("q", (below[place] for place in positions))
            self._found = parent, positions
        return self._found

    def __len__(self) -> int:
        return len(self.resolved()[1])

    def at(self, index: int) -> Item:
        """Return one item."""
        parent, positions = self.resolved()
        return parent[positions[index]]

    def __iter__(self) -> Iterator[Item]:
        parent, positions = self.resolved()
        return map(parent.__getitem__, positions)


class Mapped(View):
    """Each item changed by a function."""

    may_repeat = True

    def __init__(self, parent: Sequence[Item], change: Callable[[Item], Item]) -> None:
        self._parent = parent
        self._change = change

    def __len__(self) -> int:
        return len(self._parent)

    def at(self, index: int) -> Item:
        """Return one item."""
        return self._changed(self._parent[index])

    def __iter__(self) -> Iterator[Item]:
        return map(self._changed, self._parent)

    def _changed(self, item: Item) -> Item:
        found: object = self._change(item)
        if not isinstance(found, Item):  # pyright: ignore[reportUnnecessaryIsInstance]  # a lambda has no types
            raise DataError(f'map: the function made a {type(found).__name__} of item "{item.id}"; expected an Item')
        return found


class Filtered(View):
    """The items that a function keeps. How many there are is known after the first look at all of them."""

    def __init__(self, parent: Sequence[Item], keep: Callable[[Item], bool]) -> None:
        self._parent = parent
        self._keep = keep
        self._positions: Sequence[int] | None = None
        self.may_repeat = may_repeat(parent)

    def _resolved(self) -> Sequence[int]:
        if self._positions is None:
            self._positions = array("q", (place for place, item in enumerate(self._parent) if self._keep(item)))
        return self._positions

    def __len__(self) -> int:
        return len(self._resolved())

    def at(self, index: int) -> Item:
        """Return one item."""
        return self._parent[self._resolved()[index]]

    def __iter__(self) -> Iterator[Item]:
        if self._positions is not None:
            return map(self._parent.__getitem__, self._positions)
        return filter(self._keep, self._parent)


class Joined(View):
    """Several sequences of items, one after the other."""

    may_repeat = True

    def __init__(self, parts: Sequence[Sequence[Item]]) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def at(self, index: int) -> Item:
        """Return one item."""
        for part in self._parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)

    def __iter__(self) -> Iterator[Item]:
        for part in self._parts:
            yield from part
