"""A dataset: items with a name, a split and where they came from. Immutable; every change is a new one.

An item's id is unique in its dataset, because conditions are compared item by item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, overload

import msgspec

from crucible.data.items import Item
from crucible.data.order import permutation
from crucible.errors import DataError

__all__ = ["Dataset", "Provenance"]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dataset came from.

    Args:
        source: The file, repository or generator, in words.
        revision: Version of the source that was read; None where the source has none.
        sha256: Hex digest of the file's bytes; of the digests, in order, where there are several; None without a file.
        synthetic: The items are made up, not observed.
        notes: What a reader of results must know: sampling, items left out, a split that stands in for another.
    """

    source: str
    revision: str | None = None
    sha256: str | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()


class Dataset(msgspec.Struct, frozen=True):
    """Items of one split.

    Args:
        name: Such as `scifact`.
        split: Such as `train`.
        items: The items, in order.
        provenance: Where they came from.
        answer_schema: JSON Schema that a well-formed answer fits, where the task has one.

    Raises:
        DataError: Two items have the same id.
    """

    name: str
    split: str
    items: tuple[Item, ...]
    provenance: Provenance
    answer_schema: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise DataError(
                    f'{self.name} ({self.split}): two items have the id "{item.id}"; '
                    "ids pair the answers of two models, so each must be unique"
                )
            seen.add(item.id)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Item | Dataset:
        return self.replaced(self.items[index]) if isinstance(index, slice) else self.items[index]

    def replaced(self, items: Iterable[Item], *notes: str, split: str = "") -> Dataset:
        """Return this dataset with other items.

        Args:
            items: The new items.
            notes: Added to the provenance: what was done.
            split: The new split's name; the old one if empty.
        """
        provenance = msgspec.structs.replace(self.provenance, notes=(*self.provenance.notes, *notes))
        return msgspec.structs.replace(self, items=tuple(items), provenance=provenance, split=split or self.split)

    def shuffle(self, seed: int) -> Dataset:
        """Return the items in an order that the seed decides; nothing global is reseeded."""
        return self.replaced(self.items[index] for index in permutation(len(self.items), seed))

    def take(self, n: int) -> Dataset:
        """Return the first `n` items, or all where there are fewer.

        Raises:
            DataError: `n` is negative.
        """
        if n < 0:
            raise DataError(f"{self.name}: cannot take {n} items")
        return self.replaced(self.items[:n])

    def sample(self, n: int, seed: int) -> Dataset:
        """Return `n` items that the seed chooses, in their old order; all of them where there are no more than `n`.

        The choice is noted in the provenance. The sample of `n` items contains that of `n - 1`.

        Raises:
            DataError: `n` is negative.
        """
        if n < 0:
            raise DataError(f"{self.name}: cannot sample {n} items")
        count = len(self.items)
        if n >= count:
            return self
        chosen = sorted(permutation(count, seed, purpose="sample")[:n])
        return self.replaced((self.items[index] for index in chosen), f"sample of {n} of {count} items, seed {seed}")

    def split_off(self, fraction: float, seed: int, *, split: str = "held_out") -> tuple[Dataset, Dataset]:
        """Return (rest, held out): a share that the seed chooses, and the others; both keep the old order.

        Args:
            fraction: Share to hold out, above 0 and below 1; at least 1 item and at most all but 1.
            seed: Decides which items.
            split: What the held-out part is called.

        Raises:
            DataError: The fraction is out of range, or there are fewer than 2 items.
        """
        if not 0 < fraction < 1:
            raise DataError(f"{self.name}: the share to hold out lies between 0 and 1, got {fraction}")
        count = len(self.items)
        if count < 2:
            raise DataError(f"{self.name} ({self.split}): {count} item cannot be split; give a dataset of 2 or more")
        size = min(max(int(count * fraction + 0.5), 1), count - 1)
        held = set(permutation(count, seed, purpose="split")[:size])
        note = f"{size} of {count} items of {self.split} held out, seed {seed}"
        rest = self.replaced((item for index, item in enumerate(self.items) if index not in held), note)
        return rest, self.replaced((self.items[index] for index in sorted(held)), note, split=split)

    def content_hash(self) -> str:
        """Return the hex SHA-256 over all items in order, with ids, answers and metadata; name and source do not count.

        Raises:
            DataError: An item's metadata holds what JSON cannot.
        """
        digest = hashlib.sha256()
        encoder = msgspec.json.Encoder(order="deterministic")
        for item in self.items:
            try:
                digest.update(encoder.encode(item) + b"\n")
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f'{self.name}: the metadata of item "{item.id}" is no JSON: {error}') from error
        return digest.hexdigest()
