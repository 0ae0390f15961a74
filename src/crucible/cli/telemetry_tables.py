"""Tables that fit: in a narrow terminal words fold, then columns give way, and it is said which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "print_table"]

_GAP = 2


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Args:
        name: Its heading.
        folds: For a column of words, the width down to which it is folded; 0 keeps each cell in one piece.
        is_number: Whether it stands to the right.
        gives_way: Whether it may be left out: the higher, the sooner; 0: never.
    """

    name: str
    folds: int = 0
    is_number: bool = False
    gives_way: int = 0


def print_table(console: Console, title: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, without the columns for which there is no room.

    Args:
        console: Where to.
        title: Above it; empty: none.
        columns: In order.
        rows: A safe text a column.
    """
    cells = [tuple(row) for row in rows]
    kept = _fitting(columns, cells, console.width)
    heading = f"\n{title}" if title else None
    made = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for place in kept:
        column = columns[place]
        made.add_column(
            column.name,
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=not column.folds,
            min_width=min(column.folds, _width(column, place, cells)) or None,
        )
    for row in cells:
        made.add_row(*(Text(row[place]) for place in kept))
    console.print(made)
    if left := [column.name for place, column in enumerate(columns) if place not in kept and column.name]:
        console.print(Text(f"no room for: {', '.join(left)} (a wider terminal, or --json)", style="dim"))


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the places of the columns that fit: those that never give way, then the others as far as there is room."""
    widths = [_width(column, place, cells) for place, column in enumerate(columns)]
    needed = [
        min(column.folds, widths[place]) if column.folds else widths[place] for place, column in enumerate(columns)
    ]
    kept = {place for place, column in enumerate(columns) if not column.gives_way}
    left = room + _GAP - sum(needed[place] + _GAP for place in kept)
    for place in sorted(set(range(len(columns))) - kept, key=lambda place: columns[place].gives_way):
        if needed[place] + _GAP <= left:
            kept.add(place)
            left -= needed[place] + _GAP
    return sorted(kept)


def _width(column: Column, place: int, cells: Sequence[Sequence[str]]) -> int:
    return max([cell_len(column.name), *(cell_len(line) for row in cells for line in row[place].splitlines())])
