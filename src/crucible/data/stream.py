"""A dataset that is read as it is iterated over, for files larger than memory.

Each pass reads the source again from its beginning; nothing is kept. What needs all items at once (a length, a random
order of everything, the check that no two have one id) is not here: `collect` makes a `Dataset`, which has it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.fingerprint import ItemHash
from crucible.data.items import Item
from crucible.data.provenance import Provenance
from crucible.errors import DataError

__all__ = ["DataStream"]


class _UnknownLength(DataError, TypeError):  # noqa: N818  # as the rest of the error tree
    """Also a `TypeError`: `list` asks for a length as a hint, and only that tells it that there is none."""


class DataStream(msgspec.Struct, frozen=True):
    """Items of one split, read when they are asked for.

    Args:
        name: Such as `scifact`.
        split: Such as `train`.
        provenance: Where the items come from.
        read: Returns a new pass over the items.
        answer_schema: JSON Schema that a well-formed answer fits, where the task has one.
        count: How many items there are; None where that is not known before the end.
    """

    name: str
    split: str
    provenance: Provenance
    read: Callable[[], Iterable[Item]]
    answer_schema: dict[str, Any] | None = None
    count: int | None = None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.read())

    def __len__(self) -> int:
        if self.count is None:
            raise _UnknownLength(
                f"{self.name} ({self.split}) is a stream, and how many items it has is not known before its end; "
                "iterate over it, or hold it with collect()"
            )
        return self.count

    def __bool__(self) -> bool:
        return True  # or Python asks for the length

    def _with(self, read: Callable[[], Iterable[Item]], note: str, count: int | None = None) -> DataStream:
        return msgspec.structs.replace(self, read=read, provenance=self.provenance.noted(note), count=count)

    def map(self, change: Callable[[Item], Item], *, note: str = "") -> DataStream:
        """Return each item changed by a function; `note` says what it does, for the provenance."""
        return self._with(lambda: map(change, self), f"mapped: {note or change.__qualname__}", self.count)

    def filter(self, keep: Callable[[Item], bool], *, note: str = "") -> DataStream:
        """Return the items that a function keeps; `note` says which, for the provenance."""
        return self._with(lambda: filter(keep, self), f"filtered: {note or keep.__qualname__}")

    def slice(self, start: int = 0, stop: int | None = None) -> DataStream:
        """Return the items from `start` up to, without, `stop`; what comes before is read and passed over.

        Raises:
            DataError: A bound is negative: a stream has no end to count from.
        """
        if start < 0 or (stop is not None and stop < 0):
            raise DataError(f"{self.name}: a stream is sliced from its beginning; got {start}:{stop}")
        count = None if self.count is None else len(range(self.count)[start:stop])
        words = f"slice [{start}:{'' if stop is None else stop}]"
        return self._with(lambda: itertools.islice(self, start, stop), words, count)

    def take(self, n: int) -> DataStream:
        """Return the first `n` items, or all where there are fewer."""
        return self.slice(0, n)

    def shuffle(self, seed: int, *, buffer: int = 10_000) -> DataStream:
        """Return the items in a nearly random order: each is drawn from the next `buffer` items that are to come.

        An item can come late by any distance, and early by `buffer` at most; a file that is sorted needs a buffer that
        is large against its runs. `collect().shuffle(seed)` is the order that is random altogether.

        Args:
            seed: Decides the order, the same one in each pass.
            buffer: Items held at a time, at least 1.

        Raises:
            DataError: `buffer` is below 1.
        """
        if buffer < 1:
            raise DataError(f"{self.name}: a buffer holds at least 1 item, got {buffer}")
        note = f"shuffled in a buffer of {buffer} items, seed {seed}"
        return self._with(lambda: _shuffled(iter(self), seed, buffer), note, self.count)

    def collect(self, limit: int | None = None) -> Dataset:
        """Return a dataset of the items, held in memory.

        Args:
            limit: Items at most; more are an error and not left out.

        Raises:
            DataError: There are more than `limit`, or two have one id.
        """
        items = tuple(self if limit is None else itertools.islice(self, limit + 1))
        if limit is not None and len(items) > limit:
            raise DataError(f"{self.name} ({self.split}): more than {limit} items; take({limit}) keeps the first ones")
        return Dataset(self.name, self.split, items, self.provenance, self.answer_schema)

    def content_hash(self) -> str:
        """Return what `Dataset.content_hash` returns for these items, holding one at a time.

        Raises:
            DataError: An item's metadata holds what JSON cannot.
        """
        digest = ItemHash(self.name)
        for item in self:
            digest.add(item)
        return digest.hexdigest()


def _shuffled(items: Iterator[Item], seed: int, buffer: int) -> Iterator[Item]:
    held = list(itertools.islice(items, buffer))
    drawn = 0
    for item in items:
        place = _draw(seed, drawn, len(held))
        drawn += 1
        yield held[place]
        held[place] = item
    while held:
        place = _draw(seed, drawn, len(held))
        drawn += 1
        held[place], held[-1] = held[-1], held[place]
        yield held.pop()


def _draw(seed: int, number: int, count: int) -> int:
    """Return the number-th draw from `count` places; by a hash, so the same on every platform."""
    digest = hashlib.blake2b(f"buffer/{seed}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % count
