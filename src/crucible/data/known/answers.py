"""What several datasets do with an answer: it is there, or its absence is refused or kept as the options say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible.data.reading import Request
from crucible.data.rows import Row, as_metadata
from crucible.errors import DataError

__all__ = ["may_be_unanswered", "rest_of"]


def may_be_unanswered(request: Request, row: Row, why: str) -> None:
    """Refuse a row without an answer, unless such rows are to be kept.

    Args:
        request: What is asked.
        row: The row.
        why: Why there is none, in words.

    Raises:
        DataError: They are not to be kept.
    """
    if request.options.unanswered != "keep":
        raise DataError(f"{row.where}: {why}; unanswered: keep reads such rows, for scorers that need no answer")


def rest_of(row: Row, *used: str) -> dict[str, Any]:
    """Return the row's other fields as metadata."""
    values: Mapping[str, Any] = row.values
    return as_metadata({str(name): value for name, value in values.items() if name not in used}, row)
