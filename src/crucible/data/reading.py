"""From the rows of a source to items and to a dataset: the expected fields are checked, what is left out is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.items import Item
from crucible.data.options import DatasetOptions
from crucible.data.place import expand
from crucible.data.provenance import Provenance
from crucible.data.rows import Row
from crucible.data.schema import read_schema, schema_of_fields, violation
from crucible.errors import DataError
from crucible.ir import DatasetRef

__all__ = ["ItemMaker", "Making", "Request", "answer_schema", "dataset_of_rows"]

ItemMaker = Callable[[Row, str], Item | str]
"""Makes an item of a row, given the id to use if the row has none; or says in words why the row is left out."""


class Request(msgspec.Struct, frozen=True):
    """What is asked of a source.

    Args:
        ref: Name, provider, version, format and expected fields; its `split` and `options` are in the fields below.
        split: The split wanted.
        seed: Seed of samples and generators.
        options: How to read.
    """

    ref: DatasetRef
    split: str
    seed: int
    options: DatasetOptions


class Making:
    """From rows to items: the expected fields are checked, and rows that are left out are counted.

    Args:
        request: What is asked.
        make: From row to item.
        stem: Start of the ids of rows that have none.
    """

    def __init__(self, request: Request, make: ItemMaker, stem: str) -> None:
        self._make = make
        self._stem = stem
        schema = request.ref.schema_
        self._broken = violation(schema, what="dataset.schema") if schema else None
        self.left_out: Counter[str] = Counter()

    def items(self, rows: Iterable[Row], *, unique: bool = False) -> Iterator[Item]:
        """Yield the items of rows; where they have to be `unique`, the second of one id is refused with its place."""
        first: dict[str, int] = {}  # row by id
        for row in rows:
            if self._broken is not None and (problem := self._broken(dict(row.values))):
                raise DataError(f"{row.where}: does not fit dataset.schema: {problem}")
            made = self._make(row, f"{self._stem}-{row.number}")
            if isinstance(made, str):
                self.left_out[made] += 1
                continue
            if unique and (number := first.setdefault(made.id, row.number)) != row.number:
                raise DataError(
                    f'{row.where}: two items have the id "{made.id}", this one and number {number}; '
                    "ids pair the answers of two models, so each must be unique"
                )
            yield made


def dataset_of_rows(
    request: Request, rows: Iterable[Row], make: ItemMaker, provenance: Provenance, *, stem: str
) -> Dataset:
    """Make a dataset of rows; rows that are left out are counted in the provenance.

    Args:
        request: What is asked.
        rows: The rows, in order.
        make: From row to item.
        provenance: Where the rows came from.
        stem: Start of the ids of rows that have none.

    Raises:
        DataError: A row cannot be used, or does not fit the expected fields of the request.
    """
    maker = Making(request, make, stem)
    items = tuple(maker.items(rows, unique=True))
    notes = [f"{count} left out: {reason}" for reason, count in maker.left_out.items()]
    options = request.options
    is_made_up = bool(options.synthetic) or any(item.metadata.get("synthetic") is True for item in items)
    return Dataset(
        name=request.ref.name,
        split=request.split,
        items=items,
        provenance=msgspec.structs.replace(
            provenance, notes=(*provenance.notes, *notes), synthetic=provenance.synthetic or is_made_up
        ),
        answer_schema=answer_schema(options.answer_schema),
    )


def answer_schema(given: dict[str, Any] | Sequence[str] | str | None) -> dict[str, Any] | None:
    """Return the schema of answers, read from its file where it is one; that of a list of fields where it is that.

    Raises:
        DataError: The file cannot be read, or the schema is not sound.
    """
    if isinstance(given, str):
        given = read_schema(Path(expand(given, what="answer_schema")))
    elif given is not None and not isinstance(given, dict):
        given = schema_of_fields(given)
    if given is not None:
        violation(given, what="answer_schema")  # a broken schema is found now, not after an hour of training
    return given
