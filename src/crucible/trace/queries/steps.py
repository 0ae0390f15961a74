"""What a condition is made of: checks of single fields, and the gates that join them.

A condition is kept as its tree in postfix order (the parts, then the gate that joins them): a flat tuple, which
compares, hashes, prints and pickles without recursion, however deep the condition is nested.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

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


class Gate(msgspec.Struct, frozen=True):
    """Joins the last `count` parts before it.

    Args:
        kind: `and` (all hold), `or` (any holds) or `not` (the one part does not hold).
        count: Parts joined: 1 for `not`, at least 2 for the others; 0 only in the condition that all events meet.
    """

    kind: Literal["and", "or", "not"]
    count: int


Step: TypeAlias = Check | Gate
