"""What is asked: the items of a dataset, or of anything that yields items, and what is known of them.

Items are taken one after another and forgotten, so a dataset may be longer than the memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.evaluating.line import fingerprint
from crucible.data.items import Item
from crucible.errors import ContractError, DataError

__all__ = ["Questions", "another_item"]


class Questions(msgspec.Struct, frozen=True):
    """The items to ask, and what is known of them.

    Args:
        items: Yields the items; more than once where an evaluation may go on from a record.
        name: What the dataset is called.
        split: Which split.
        total: How many items there are; None: it does not say.
        synthetic: They are made up.
        answer_schema: JSON Schema that a well-formed answer fits, where the task has one.
    """

    items: Iterable[Item]
    name: str
    split: str
    total: int | None
    synthetic: bool
    answer_schema: dict[str, Any] | None

    @classmethod
    def of(cls, dataset: Dataset | Iterable[Item]) -> Questions:
        """Return the questions of a dataset, or of anything that yields items.

        Raises:
            DataError: It says that it is empty.
        """
        try:
            total = len(dataset)  # pyright: ignore[reportArgumentType]  # an iterable may have none, and a stream may not know
        except (TypeError, DataError):
            total = None
        found = cls(
            dataset,
            getattr(dataset, "name", "in-memory"),
            getattr(dataset, "split", ""),
            total,
            bool(getattr(getattr(dataset, "provenance", None), "synthetic", False)),
            getattr(dataset, "answer_schema", None),
        )
        if total == 0:
            raise found.empty()
        return found

    def empty(self) -> DataError:
        """Return what to say where there is no item."""
        return DataError(f"{self.name} ({self.split}) is empty: there is nothing to evaluate")

    def check(self, digests: Iterable[int], record: object) -> bool:
        """See that the recorded items are these, before one of them is asked; False where they come only once.

        Args:
            digests: Of the recorded items, by place; 0 where none is recorded.
            record: What the record is called.

        Raises:
            ContractError: An item is another one, or there is none at its place.
        """
        if iter(self.items) is self.items:
            return False
        items = iter(self.items)
        for place, digest in enumerate(digests):
            item = next(items, None)
            if digest and (item is None or fingerprint(item) != digest):
                raise another_item(place, item, record)
        return True


def another_item(place: int, item: Item | None, record: object) -> ContractError:
    """Return what to say of an item that is not the recorded one at its place."""
    now = "there is none now" if item is None else f'it is "{item.id}" now, or changed'
    return ContractError(
        f"{record} was made on other items: of item {place + 1} of the dataset {now}; evaluate the dataset that was "
        "recorded, or take another record"
    )
