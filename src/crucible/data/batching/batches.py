"""An iterator over batches whose position can be kept and restored exactly, inside an epoch and across epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from crucible.data.batching.lengths import Padding, length_batches, padding
from crucible.data.order import permutation
from crucible.errors import DataError

__all__ = ["Batches"]

T = TypeVar("T")
_VERSION: Final = 1


class Batches(Generic[T]):
    """Batches of items, epoch after epoch, in an order that the seed decides anew in each.

    An iterator: what was handed out is not handed out again, and `state()` says how far it is. The batches of an epoch
    are those of `data.batches(items, batch_size, seed, epoch)`; with `length`, those of `length_batches`.

    Args:
        items: What to batch, such as a `Dataset`.
        batch_size: Items a batch, at least 1; the last batch of an epoch may be smaller and is kept.
        seed: Decides the order; None keeps the order of `items` in every epoch.
        epochs: Passes over the items, at least 1; None: without end.
        length: Length of an item; batches then hold items of like lengths. Asked once an item.
        window_batches: Batches that are sorted by length together.

    Raises:
        DataError: A number is out of range, there are no items, or `length` comes without a seed.
    """

    def __init__(
        self,
        items: Sequence[T],
        batch_size: int,
        *,
        seed: int | None = 0,
        epochs: int | None = 1,
        length: Callable[[T], int] | None = None,
        window_batches: int = 50,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"a batch holds at least 1 item, got batch_size {batch_size}")
        if epochs is not None and epochs < 1:
            raise DataError(f"epochs are at least 1, or None for no end, got {epochs}")
        if window_batches < 1:
            raise DataError(f"a window holds at least 1 batch, got window_batches {window_batches}")
        if length is not None and seed is None:
            raise DataError("batches of like lengths are in a random order; give a seed")
        self._items = items
        self._count = len(items)
        if not self._count:
            raise DataError("there are no items to batch")
        self._size = batch_size
        self._seed = seed
        self._epochs = epochs
        self._length = length
        self._window = window_batches
        self._lengths: list[int] | None = None
        self._epoch = 0
        self._batch = 0
        self._order: tuple[int, list[list[int]]] | None = None

    def __iter__(self) -> Iterator[list[T]]:
        return self

    def __next__(self) -> list[T]:
        if self._epochs is not None and self._epoch >= self._epochs:
            raise StopIteration
        positions = self._positions(self._epoch)[self._batch]
        batch = [self._items[place] for place in positions]
        self._batch += 1
        if self._batch == self.batches_per_epoch:
            self._epoch, self._batch = self._epoch + 1, 0
        return batch

    @property
    def batches_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return -(-self._count // self._size)

    @property
    def epoch(self) -> int:
        """The epoch of the next batch, from 0."""
        return self._epoch

    def padding(self, epoch: int = 0) -> Padding:
        """Return what padding costs in an epoch.

        Raises:
            DataError: There is no `length`.
        """
        if self._length is None:
            raise DataError("what padding costs needs the length of an item; give length")
        return padding(self._positions(epoch), self._all_lengths(self._length))

    def state(self) -> dict[str, Any]:
        """Return the position, and what it only holds for, as JSON values."""
        return {"version": _VERSION, "epoch": self._epoch, "batch": self._batch, **self._made_of()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a position: the next batch is the one that would have come next.

        Args:
            state: What `state()` returned, perhaps in another process.

        Raises:
            DataError: It is no such state, or that of other items, another batch size, seed or way of ordering.
        """
        if state.get("version") != _VERSION:
            raise DataError(f"a state of version {_VERSION} is expected, got {state.get('version')!r}")
        for name, mine in self._made_of().items():
            if state.get(name) != mine:
                raise DataError(
                    f"this is the state of other batches: {name} is {state.get(name)!r}, here it is {mine!r}"
                )
        epoch, batch = state.get("epoch"), state.get("batch")
        is_place = all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in (epoch, batch))
        if not isinstance(epoch, int) or not isinstance(batch, int) or not is_place or batch >= self.batches_per_epoch:
            raise DataError(f"there is no batch {batch!r} of epoch {epoch!r}")
        self._epoch, self._batch = epoch, batch

    def _made_of(self) -> dict[str, Any]:
        """Return what decides the batches; of the items their number, and the ids of some where they have ids."""
        known: dict[str, Any] = {"items": self._count, "batch_size": self._size, "seed": self._seed}
        known["window_batches"] = None if self._length is None else self._window
        places = sorted({0, self._count // 2, self._count - 1})
        ids = [getattr(self._items[place], "id", None) for place in places]
        known["ids"] = hashlib.sha256(repr(ids).encode()).hexdigest()[:16]
        return known

    def _all_lengths(self, length: Callable[[T], int]) -> list[int]:
        if self._lengths is None:
            self._lengths = [length(self._items[place]) for place in range(self._count)]
        return self._lengths

    def _positions(self, epoch: int) -> list[list[int]]:
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self._ordered(epoch)
        return self._order[1]

    def _ordered(self, epoch: int) -> list[list[int]]:
        if self._length is not None and self._seed is not None:
            lengths = self._all_lengths(self._length)
            return length_batches(lengths, self._size, seed=self._seed, epoch=epoch, window_batches=self._window)
        plain = self._seed is None
        order = (
            list(range(self._count)) if plain else permutation(self._count, self._seed or 0, purpose=f"epoch {epoch}")
        )
        return [order[start : start + self._size] for start in range(0, self._count, self._size)]
