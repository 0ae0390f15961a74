"""Datasets from lists in memory: items, mappings, or (input, expected) pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from crucible.data.dataset import Dataset, Provenance
from crucible.data.items import Item
from crucible.data.mapping import mapped_item
from crucible.data.options import FieldMap
from crucible.data.reading import Request, dataset_of_rows
from crucible.data.rows import Row
from crucible.errors import DataError

__all__ = ["MEMORY_TAKES", "read_memory"]

MEMORY_TAKES: Final = frozenset({"fields", "unanswered", "synthetic", "answer_schema"})
"""The options that mean something for a list."""


def read_memory(values: Sequence[Any], request: Request) -> Dataset:
    """Make a dataset of a list; an item without an id is numbered.

    Args:
        values: `Item`s, mappings or pairs, in any mixture.
        request: What is asked.

    Raises:
        DataError: An entry is none of these, or has no input or no answer.
    """
    fields = request.options.fields or FieldMap()
    keep = request.options.unanswered == "keep"

    def make(row: Row, default_id: str) -> Item:
        given = values[row.number - 1]
        if isinstance(given, Item):
            mapped_item(row, FieldMap(), default_id=default_id, keep_unanswered=keep)  # for its checks
            return given
        return mapped_item(row, fields, default_id=default_id, keep_unanswered=keep)

    rows = [_row(value, number, fields) for number, value in enumerate(values, start=1)]
    return dataset_of_rows(request, rows, make, Provenance(source="a list in memory"), stem="item")


def _row(value: object, number: int, fields: FieldMap) -> Row:
    where = f"item {number} of the list"
    if isinstance(value, Item):
        return Row({"id": value.id, "input": value.input, "expected": value.expected}, where, number)
    if isinstance(value, Mapping):
        return Row(cast("Mapping[str, Any]", value), where, number)
    pair: tuple[Any, ...] = tuple(cast("Sequence[Any]", value)) if isinstance(value, (tuple, list)) else ()
    if len(pair) == 2:
        return Row({fields.input: pair[0], fields.expected: pair[1]}, where, number)
    got = f"one of {len(pair)} values" if pair else f"a {type(cast('object', value)).__name__}"
    raise DataError(f"{where}: expected an Item, a mapping or an (input, expected) pair, got {got}")
