"""A dataset: items with a name, a split and where they came from. Immutable; every change is a new one, and noted.

An item's id is unique in its dataset, because conditions are compared item by item. Changes are lazy: `map`, `filter`,
`select`, `shuffle`, `slice` and `concat` compute nothing until somebody iterates, and copy no item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

import msgspec

from crucible.data.allocation import folds, stratified
from crucible.data.fingerprint import ItemHash
from crucible.data.items import Item
from crucible.data.order import permutation
from crucible.data.provenance import Provenance
from crucible.data.strata import By, keys_of
from crucible.data.views import Filtered, Joined, Mapped, Picked, View, may_repeat
from crucible.errors import DataError

__all__ = ["Dataset", "Fold", "Provenance"]


class Dataset(msgspec.Struct, frozen=True):
    """Items of one split.

    Args:
        name: Such as `scifact`.
        split: Such as `train`.
        items: The items, in order: a tuple, or a view that works them out when they are looked at.
        provenance: Where they came from.
        answer_schema: JSON Schema that a well-formed answer fits, where the task has one.

    Raises:
        DataError: Two items have the same id; of a view, when it is iterated over.
    """

    name: str
    split: str
    items: Sequence[Item]
    provenance: Provenance
    answer_schema: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.items, View):
            return
        if not isinstance(self.items, tuple):
            msgspec.structs.force_setattr(self, "items", tuple(self.items))
        for _ in self._checked():
            pass

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return self._checked() if may_repeat(self.items) else iter(self.items)

    def _checked(self) -> Iterator[Item]:
        """Yield the items, and refuse the second one of an id."""
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise DataError(
                    f'{self.name} ({self.split}): two items have the id "{item.id}"; '
                    "ids pair the answers of two models, so each must be unique"
                )
            seen.add(item.id)
            yield item

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Item | Dataset:
        if isinstance(index, slice):
            return self.slice(index.start, index.stop, index.step)
        return self.items[index]

    def replaced(self, items: Iterable[Item], *notes: str, split: str = "") -> Dataset:
        """Return this dataset with other items.

        Args:
            items: The new items.
            notes: Added to the provenance: what was done.
            split: The new split's name; the old one if empty.
        """
        kept = items if isinstance(items, View) else tuple(items)
        provenance = self.provenance.noted(*notes)
        return msgspec.structs.replace(self, items=kept, provenance=provenance, split=split or self.split)

    def collect(self) -> Dataset:
        """Return the same items, worked out and held: for a view that is read often, or that must be checked now.

        Raises:
            DataError: Two items have the same id.
        """
        return self if isinstance(self.items, tuple) else self.replaced(tuple(self.items))

    def map(self, change: Callable[[Item], Item], *, note: str = "") -> Dataset:
        """Return each item changed by a function, which is called whenever an item is looked at.

        Args:
            change: Makes an item of an item; always the same one of the same item.
            note: What it does, for the provenance; its name if empty.
        """
        return self.replaced(Mapped(self.items, change), f"mapped: {note or _name(change)}")

    def filter(self, keep: Callable[[Item], bool], *, note: str = "") -> Dataset:
        """Return the items that a function keeps; asking for the length looks at all of them, once.

        Args:
            keep: Says whether an item stays; always the same of the same item.
            note: What stays, for the provenance; the function's name if empty.
        """
        return self.replaced(Filtered(self.items, keep), f"filtered: {note or _name(keep)}")

    def select(self, positions: Iterable[int]) -> Dataset:
        """Return the items at these positions, in this order.

        Args:
            positions: From 0, each at most once.

        Raises:
            DataError: A position is out of range or comes twice; found when the items are looked at.
        """
        wanted = tuple(positions)

        def choose(count: int) -> tuple[int, ...]:
            if out := [place for place in wanted if not 0 <= place < count]:
                raise DataError(f"{self.name}: cannot select position {out[0]} of {count} items")
            if len(set(wanted)) < len(wanted):
                raise DataError(f"{self.name}: a position is selected twice; an id is unique in its dataset")
            return wanted

        return self.replaced(Picked(self.items, choose), f"{len(wanted)} selected by position")

    def slice(self, start: int | None = None, stop: int | None = None, step: int | None = None) -> Dataset:
        """Return every `step`-th item from `start` up to, without, `stop`; as `dataset[start:stop:step]` does."""
        part = slice(start, stop, step)
        words = ":".join("" if value is None else str(value) for value in (start, stop, step)).removesuffix(":")
        return self.replaced(Picked(self.items, lambda count: range(count)[part]), f"slice [{words}]")

    def concat(self, *others: Dataset) -> Dataset:
        """Return the items of this dataset and of others after it.

        Args:
            others: Datasets of the same kind of answer.

        Raises:
            DataError: The schemas of their answers differ; when the items are looked at: two have one id.
        """
        parts = (self, *others)
        if any(part.answer_schema != self.answer_schema for part in parts):
            raise DataError(f"{self.name}: cannot be joined with a dataset whose answers have another schema")
        digests = [part.provenance.sha256 for part in parts]
        provenance = Provenance(
            source=" + ".join(part.provenance.source for part in parts),
            sha256=hashlib.sha256("".join(map(str, digests)).encode()).hexdigest() if all(digests) else None,
            synthetic=any(part.provenance.synthetic for part in parts),
            notes=(
                *(f"{part.name} ({part.split}): {note}" for part in parts for note in part.provenance.notes),
                "joined: " + ", ".join(_origin(part) for part in parts),
            ),
        )
        return msgspec.structs.replace(self, items=Joined([part.items for part in parts]), provenance=provenance)

    def shuffle(self, seed: int) -> Dataset:
        """Return the items in an order that the seed decides; nothing global is reseeded."""
        return self.replaced(Picked(self.items, lambda count: permutation(count, seed)), f"shuffled, seed {seed}")

    def _picked(self, positions: Sequence[int], *notes: str, split: str = "") -> Dataset:
        return self.replaced(Picked(self.items, lambda _: positions), *notes, split=split)

    def take(self, n: int) -> Dataset:
        """Return the first `n` items, or all where there are fewer.

        Raises:
            DataError: `n` is negative.
        """
        if n < 0:
            raise DataError(f"{self.name}: cannot take {n} items")
        return self.slice(0, n)

    def sample(self, n: int, seed: int, *, by: By | None = None) -> Dataset:
        """Return `n` items that the seed chooses, in their old order; all of them where there are no more than `n`.

        The choice is noted in the provenance. Without `by`, the sample of `n` items contains that of `n - 1`.

        Args:
            n: How many.
            seed: Decides which.
            by: Makes strata; each is drawn from in proportion to its size, exactly, by largest remainder.

        Raises:
            DataError: `n` is negative, or an item has no stratum.
        """
        if n < 0:
            raise DataError(f"{self.name}: cannot sample {n} items")
        count = len(self)
        if n >= count:
            return self
        note = f"sample of {n} of {count} items, seed {seed}"
        if by is None:
            return self._picked(sorted(permutation(count, seed, purpose="sample")[:n]), note)
        chosen = stratified(keys_of(self.items, by), n, seed, purpose="sample")
        return self._picked(chosen, f"{note}, stratified by {_name(by)}")

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
        return self.train_test_split(float(fraction), seed, split=split)

    def train_test_split(
        self, test: float, seed: int, *, by: By | None = None, split: str = "test"
    ) -> tuple[Dataset, Dataset]:
        """Return (training, test): every item is on exactly one side, and both keep the old order.

        Args:
            test: Share of the test items, a float above 0 and below 1, or their number, a whole number of at least 1;
                at least 1 item stays on each side.
            seed: Decides which items.
            by: Makes strata; each gives to the test in proportion to its size, exactly, by largest remainder.
            split: What the test part is called.

        Raises:
            DataError: `test` is out of range, there are fewer than 2 items, or an item has no stratum.
        """
        count = len(self)
        if count < 2:
            raise DataError(f"{self.name} ({self.split}): {count} item cannot be split; give a dataset of 2 or more")
        if isinstance(test, int):
            if not 1 <= test < count:
                raise DataError(f"{self.name}: {test} of {count} items cannot be held out; at least 1 is on each side")
            size = test
        elif 0 < test < 1:
            size = min(max(int(count * test + 0.5), 1), count - 1)
        else:
            raise DataError(f"{self.name}: the share to hold out lies between 0 and 1, got {test}")
        if by is None:
            held = sorted(permutation(count, seed, purpose="split")[:size])
        else:
            held = stratified(keys_of(self.items, by), size, seed, purpose="split")
        how = "" if by is None else f", stratified by {_name(by)}"
        note = f"{size} of {count} items of {self.split} held out, seed {seed}{how}"
        out = set(held)
        rest = [place for place in range(count) if place not in out]
        return self._picked(rest, note), self._picked(held, note, split=split)

    def k_fold(self, k: int, seed: int, *, by: By | None = None, groups: By | None = None) -> tuple[Fold, ...]:
        """Return `k` pairs of training and test items: every item is in the test of exactly one.

        Without `groups` the tests' sizes differ by at most 1, and so do their counts of each stratum. With `groups`, no
        group is on both sides, and sizes and strata are as even as placing the largest groups first makes them.

        Args:
            k: How many, 2 to the number of items (of groups, where there are some).
            seed: Decides who comes where.
            by: Makes strata.
            groups: Makes groups that stay together, such as the questions of one document.

        Raises:
            DataError: `k` is out of range, or an item has no stratum or group.
        """
        strata = None if by is None else keys_of(self.items, by)
        together = None if groups is None else keys_of(self.items, groups)
        found: list[Fold] = []
        for number, held in enumerate(folds(len(self), k, seed, strata=strata, groups=together), start=1):
            note = f"fold {number} of {k}, seed {seed}"
            note += "" if by is None else f", stratified by {_name(by)}"
            note += "" if groups is None else f", grouped by {_name(groups)}"
            out = set(held)
            rest = [place for place in range(len(self)) if place not in out]
            found.append(Fold(self._picked(rest, f"training items of {note}"), self._picked(held, f"test of {note}")))
        return tuple(found)

    def content_hash(self) -> str:
        """Return the hex SHA-256 over all items in order, with ids, answers and metadata; name and source do not count.

        One item is held at a time.

        Raises:
            DataError: An item's metadata holds what JSON cannot.
        """
        digest = ItemHash(self.name)
        for item in self:
            digest.add(item)
        return digest.hexdigest()


class Fold(msgspec.Struct, frozen=True):
    """One of the pairs of a cross-validation.

    Args:
        train: To train on.
        test: To test on; the tests of all folds together are the dataset.
    """

    train: Dataset
    test: Dataset


def _name(by: object) -> str:
    return by if isinstance(by, str) else getattr(by, "__qualname__", type(by).__name__)


def _origin(part: Dataset) -> str:
    return f"{part.name} ({part.split}, {len(part)} items)" if isinstance(part.items, tuple) else part.name
