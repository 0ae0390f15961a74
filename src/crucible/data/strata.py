"""What kind of item it is: by a field of its metadata, by its expected answer, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, cast

from crucible.data.items import Item
from crucible.errors import DataError

__all__ = ["By", "keys_of"]

By = str | Callable[[Item], Hashable]
"""A field of the metadata (`a.b` is `b` inside `a`), `expected`, `input` or `id`; or a function of an item."""


def keys_of(items: Iterable[Item], by: By) -> list[Hashable]:
    """Return what kind each item is of.

    Args:
        items: The items.
        by: What makes the kinds.

    Raises:
        DataError: An item does not have the field, or its value is a list or an object.
    """
    return [_key(item, by) for item in items]


def _key(item: Item, by: By) -> Hashable:
    found: Any
    if callable(by):
        found = by(item)
    elif by in ("expected", "input", "id"):
        found = getattr(item, by)
    else:
        found = item.metadata
        for part in [by] if by in item.metadata else by.split("."):
            if not isinstance(found, Mapping) or part not in found:
                known = ", ".join(["expected", *item.metadata])
                raise DataError(f'the item "{item.id}" has no "{by}" to be sorted by; it has: {known}')
            found = cast("Mapping[str, Any]", found)[part]
    try:
        hash(found)
    except TypeError as error:
        raise DataError(
            f'the item "{item.id}" cannot be sorted by a {type(found).__name__}; name a field of text or a number'
        ) from error
    return (type(found).__name__, found)
