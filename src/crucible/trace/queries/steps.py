"""What a condition is made of: checks of single fields, and the gates that join them.

A condition is kept as its tree in postfix order (the parts, then the gate that joins them): a flat tuple, which
compares, hashes, prints and pickles without recursion, however deep the condition is nested.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, cast

import msgspec

__all__ = ["Check", "Gate", "Step"]


class Check(msgspec.Struct, frozen=True):
    """One test of one field.

    Args:
        field: A field of the event, `content`, `category`, or a metadata path such as `metadata.loss`.
        operator: Such as `eq` or `gte`.
        value: What the field is held against; JSON values, with tuples for lists.
    """

    field: str
    operator: str
    value: Any

    def __hash__(self) -> int:
        return hash((self.field, self.operator, _hashable(self.value)))


def _hashable(value: Any) -> Any:
    """Return something hashable that is equal where values are; their depth is bounded."""
    if isinstance(value, tuple):
        return tuple(_hashable(entry) for entry in cast("tuple[Any, ...]", value))
    if isinstance(value, dict):
        return frozenset((key, _hashable(entry)) for key, entry in cast("dict[str, Any]", value).items())
    return value


class Gate(msgspec.Struct, frozen=True):
    """Joins the last `count` parts before it.

    Args:
        kind: `and` (all hold), `or` (any holds) or `not` (the one part does not hold).
        count: Parts joined: 1 for `not`, at least 2 for the others; 0 only in the condition that all events meet.
    """

    kind: Literal["and", "or", "not"]
    count: int


Step: TypeAlias = Check | Gate
