"""One example of a dataset. Knows nothing of files, models or scores."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Item"]


class Item(msgspec.Struct, frozen=True):
    """What a model is asked, and what it should answer.

    Args:
        id: Unique within its dataset; conditions are paired by it.
        input: The prompt.
        expected: The answer wanted; None where there is none to compare with.
        metadata: Whatever else the source says of the item, JSON values.
    """

    id: str
    input: str
    expected: str | None = None
    metadata: dict[str, Any] = {}
