"""Packing: several short items in one sequence, by first-fit decreasing. No item is divided, and none is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from crucible.errors import DataError

__all__ = ["Packing", "pack"]


class Packing(msgspec.Struct, frozen=True):
    """Which items go together.

    Args:
        packs: Positions, a pack at a time; the longest item of each comes first.
        max_tokens: Room of a pack.
        tokens: Sum of the lengths, cut ones as cut.
        truncated: Positions of items that are longer than a pack and have to be cut to `max_tokens`, in order.
    """

    packs: tuple[tuple[int, ...], ...]
    max_tokens: int
    tokens: int
    truncated: tuple[int, ...] = ()

    @property
    def fill_frac(self) -> float:
        """Share of the room that holds tokens, 0 to 1."""
        return self.tokens / (len(self.packs) * self.max_tokens) if self.packs else 0.0


def pack(lengths: Sequence[int], max_tokens: int, *, too_long: Literal["refuse", "truncate"] = "refuse") -> Packing:
    """Put items into packs: the longest first, each into the first pack that has room for it.

    Uses at most 11/9 of the fewest packs there could be, plus 6/9. Takes time in proportion to n log n.

    Args:
        lengths: The length of each item, at least 0.
        max_tokens: Room of a pack, at least 1.
        too_long: What becomes of an item that is longer than a pack: `refuse` it, or `truncate` it, which fills a pack
            and is said in the result.

    Raises:
        DataError: An item is longer than a pack, or a number is out of range.

    Source:
        Dósa (2007), The tight bound of first fit decreasing bin-packing algorithm is FFD(I) ≤ 11/9 OPT(I) + 6/9.
    """
    if max_tokens < 1:
        raise DataError(f"a pack has room for at least 1 token, got {max_tokens}")
    if any(length < 0 for length in lengths):
        raise DataError("a length is at least 0")
    if too_long not in ("refuse", "truncate"):
        raise DataError(f'too_long is refuse or truncate, got "{too_long}"')
    long = tuple(place for place, length in enumerate(lengths) if length > max_tokens)
    if long and too_long == "refuse":
        raise DataError(
            f"{len(long)} of {len(lengths)} items are longer than a pack of {max_tokens} tokens, such as item "
            f"{long[0]} with {lengths[long[0]]}; give more room, leave them out, or cut them with too_long: truncate"
        )
    sizes = [min(length, max_tokens) for length in lengths]
    room = _Room(len(sizes), max_tokens)
    packs: list[list[int]] = []
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        number = room.first_with(sizes[place])
        if number == len(packs):
            packs.append([])
        packs[number].append(place)
        room.use(number, sizes[place])
    return Packing(tuple(map(tuple, packs)), max_tokens, sum(sizes), long)


class _Room:
    """How much room each pack has, as a tree of maxima: the first pack with enough is found in log n steps."""

    def __init__(self, packs: int, room: int) -> None:
        self._leaves = 1
        while self._leaves < packs:
            self._leaves *= 2
        self._most = [room] * (2 * self._leaves)

    def first_with(self, size: int) -> int:
        """Return the number of the first pack with room for `size`; an empty one always has."""
        node = 1
        while node < self._leaves:
            node *= 2
            if self._most[node] < size:
                node += 1
        return node - self._leaves

    def use(self, pack: int, size: int) -> None:
        """Take room from a pack."""
        node = self._leaves + pack
        self._most[node] -= size
        while node := node // 2:
            self._most[node] = max(self._most[2 * node], self._most[2 * node + 1])
