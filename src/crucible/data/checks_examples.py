"""What the stages that look at examples look at: `assigns.examples`, the loaded datasets, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.items import Item
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment
from crucible.pipeline import Context

__all__ = ["EXAMPLES", "Examples", "find_examples", "label_problems", "row_id"]

EXAMPLES: Final = "examples"
"""The name of the source that is `assigns.examples`."""


class Examples(msgspec.Struct, frozen=True):
    """The examples of one source, in order.

    Args:
        source: `examples`, or the name of the dataset's resource, such as `train`.
        values: The examples as they are: mappings, if nothing is wrong with them, or a dataset's items.
        dataset: The dataset that they are of; None for `assigns.examples`.
    """

    source: str
    values: Sequence[Any]
    dataset: Dataset | None = None

    def rows(self) -> Iterator[Any]:
        """Return every example as a mapping; one that is no mapping comes as it is."""
        return (_row(value) if isinstance(value, Item) else value for value in self.values)


def _row(item: Item) -> dict[str, Any]:
    """Return an item as a mapping: its metadata, its own fields on top, and `output`, which is its expected answer."""
    fields = {"id": item.id, "input": item.input, "expected": item.expected, "output": item.expected}
    return {**item.metadata, "metadata": item.metadata, **fields}


def row_id(row: object) -> str | None:
    """Return the id of an example as text; None where it has none."""
    given = cast("Mapping[str, Any]", row).get("id") if isinstance(row, Mapping) else None
    return None if given is None else str(given)


def find_examples(context: Context, sources: Sequence[str]) -> list[Examples]:
    """Return the examples of a run, one entry a source.

    Args:
        context: The run.
        sources: Names wanted: `examples`, or those of datasets. Empty: all that there are, `examples` first, then
            the datasets in the order in which they were loaded; there may be none.

    Raises:
        ContractError: A source that is named is not there, or is no dataset.
        DataError: `assigns.examples` is no list.
    """
    if sources:
        return [_named(context, name) for name in sources]
    found = [] if context.get_assign(EXAMPLES) is None else [_assigned(context)]
    datasets = [(name, value) for name, value in context.resources.items() if isinstance(value, Dataset)]
    return found + [Examples(name, value.items, value) for name, value in datasets]


def _named(context: Context, name: str) -> Examples:
    if name == EXAMPLES:
        if context.get_assign(EXAMPLES) is None:
            raise ContractError("sources names examples, and no stage and no caller assigned any")
        return _assigned(context)
    found = context.resource(name)
    if not isinstance(found, Dataset):
        raise ContractError(f'sources names "{name}", which is a {type(found).__name__} and no dataset')
    return Examples(name, found.items, found)


def _assigned(context: Context) -> Examples:
    values = context.get_assign(EXAMPLES)
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise DataError(f"assigns.examples must be a list of mappings, got a {type(values).__name__}")
    return Examples(EXAMPLES, cast("Sequence[Any]", values))


def label_problems(experiment: Experiment, name: str, label: str | None) -> list[tuple[str, str]]:
    """Return every further stage of a kind that would write its results under the same label, as (path, message)."""
    places = [
        place
        for place, each in enumerate(experiment.pipeline)
        if each.enabled and each.name == name and (each.options or {}).get("label") == label
    ]
    message = "an earlier stage of this kind writes the same results; give each a label of its own"
    return [(f"pipeline[{place}].options.label", message) for place in places[1:]]
