"""What is told of a result, free of any format: sentences, tables, notes. Every format only draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["ABSENT", "Column", "Note", "Table", "Tellable", "Telling"]

ABSENT = "—"
"""Stands in a table where there is no value."""


class Tellable(Protocol):
    """A result that can be told: a sentence, and plain JSON data whose keys are the result's fields."""

    @property
    def wording(self) -> str:
        """What was found, in words."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON data."""
        ...


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        heading: Its name.
        is_number: Whether it is aligned to the right.
    """

    heading: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A captioned table; the first cell of a row names it.

    Args:
        caption: What the table shows.
        columns: One or more.
        rows: Texts, as many a row as there are columns.
        is_facts: Whether it lists facts of one thing, so that its headings say nothing and need not be shown.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    is_facts: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Lines under a heading of their own, such as what has to hold for the numbers to mean what they say.

    Args:
        title: The heading.
        lines: One or more.
    """

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Telling:
    """Everything that is told.

    Args:
        lead: What was found, before the tables: a sentence, or empty where several results have one each.
        tables: The numbers.
        sentences: What else was found, a sentence for each result that stands in the tables.
        notes: What to know beside them.
    """

    lead: str
    tables: tuple[Table, ...] = field(default=())
    sentences: tuple[str, ...] = field(default=())
    notes: tuple[Note, ...] = field(default=())
