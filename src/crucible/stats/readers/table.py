"""A table of rows and columns as conditions: long (one score a row) or wide (one condition a column)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.conditions.observations import Condition, Observation
from crucible.stats.readers.asked import Asked
from crucible.stats.readers.cells import is_empty, is_score, outcome_of, text_of
from crucible.stats.readers.column_names import Columns, columns_for, score_names
from crucible.stats.readers.measured import MOST, Measured, ReadFile, choose_metric, conditions_of

__all__ = ["Row", "Table", "read_table"]

_LOOKED_AT = 200  # rows that tell which columns are scores

Row = tuple[int, dict[str, Any]]
"""Its line, or place in a list counted from 1, and its cells by column."""


class Table(msgspec.Struct, frozen=True):
    """Rows that are read one at a time.

    Args:
        path: The file.
        format: One of `FORMATS`.
        rows: One at a time, in the order of the file.
        names: Of the columns, in order; empty where rows name their own.
        unit: What a row's number counts: `line` or `entry`.
        notes: What a reader of the result should know of the file, one sentence each.
    """

    path: Path
    format: str
    rows: Iterator[Row]
    names: tuple[str, ...] = ()
    unit: str = "line"
    notes: tuple[str, ...] = ()


def read_table(table: Table, asked: Asked) -> ReadFile:
    """Read a table: which column is what is told by its name, or by the caller.

    Raises:
        StatsError: A named column is not there, several could be the score, a cell is no score, or an item comes twice.
    """
    path = str(table.path)
    first = list(itertools.islice(table.rows, _LOOKED_AT))
    if not first:
        raise StatsError(f"{path} holds no rows: there is nothing to compare")
    names = table.names or tuple(dict.fromkeys(name for _, row in first for name in row))
    columns = columns_for(path, names, asked)
    free = [name for name in names if name not in columns.taken]
    named = score_names(free)  # scores whatever they hold: a cell that is none is refused by its place
    metrics = [name for name in free if name in named or name == asked.metric or _holds_scores(first, name)]
    rows = _bounded(path, itertools.chain(first, table.rows))
    if columns.item:  # a row of nothing at all is no item
        rows = (row for row in rows if not all(map(is_empty, row[1].values())))
    if wide := _wide(path, names, metrics, columns, asked):
        found = _wide_conditions(table, rows, columns, wide)
        return ReadFile(path, table.format, found, tuple(metrics), table.notes)
    metric = choose_metric(path, metrics, asked, preferred=named)
    measured = (_measured(table, row, columns, metric) for row in rows)
    conditions = conditions_of(path, table.path.stem, metric, measured, by_item=bool(columns.item), asked=asked)
    return ReadFile(path, table.format, conditions, tuple(metrics), table.notes)


def _holds_scores(rows: Sequence[Row], name: str) -> bool:
    cells = [cell for _, row in rows if not is_empty(cell := row.get(name))]
    return bool(cells) and all(is_score(cell) for cell in cells)


def _bounded(path: str, rows: Iterator[Row]) -> Iterator[Row]:
    for i, row in enumerate(rows):
        if i == MOST:
            raise StatsError(f"{path} has more than {MOST:,} rows; compare a part of it")
        yield row


def _wide(path: str, names: Sequence[str], metrics: Sequence[str], columns: Columns, asked: Asked) -> tuple[str, ...]:
    """Return the columns that are conditions; empty where each row is one score of one condition."""
    for name in asked.columns:
        if name not in names:
            raise StatsError(f'{path}: no column "{name}"{did_you_mean(name, names)}; it has: {", ".join(names)}')
    if asked.columns and (other := "metric" if asked.metric else "group" if asked.group else ""):
        raise StatsError(f"{path}: --column names conditions and --{other} does too; say one of the two")
    if asked.columns or not asked.is_alone or columns.group or asked.metric:
        return asked.columns
    return tuple(metrics) if len(metrics) == 2 and not score_names(metrics) else ()


def _measured(table: Table, row: Row, columns: Columns, metric: str) -> Measured:
    number, cells = row
    place = f"{table.path}:{number}"
    return Measured(
        item=text_of(cells.get(columns.item), f"{place}: {columns.item}") if columns.item else str(number),
        outcomes={metric: outcome_of(cells.get(metric), f"{place}: {metric}")},
        place=f"{table.unit} {number}",
        repeat=_text(cells, columns.repeat),
        prompt=_text(cells, columns.prompt),
        cluster=_text(cells, columns.cluster),
        group=text_of(cells.get(columns.group), f"{place}: {columns.group}") if columns.group else "",
    )


def _text(cells: dict[str, Any], name: str) -> str:
    cell = cells.get(name) if name else None
    return "" if cell is None else str(cell).strip()


def _wide_conditions(
    table: Table, rows: Iterator[Row], columns: Columns, wide: tuple[str, ...]
) -> tuple[Condition, ...]:
    found: dict[str, list[Observation]] = {name: [] for name in wide}
    held: dict[str, list[Observation]] = {name: [] for name in wide}  # empty cells, of which more may follow
    for number, cells in rows:
        place = f"{table.path}:{number}"
        item = text_of(cells.get(columns.item), f"{place}: {columns.item}") if columns.item else str(number)
        repeat, prompt, cluster = (_text(cells, name) for name in (columns.repeat, columns.prompt, columns.cluster))
        for name in wide:
            cell = cells.get(name)
            made = Observation(item, outcome_of(cell, f"{place}: {name}"), repeat, prompt, cluster)
            if not columns.item and is_empty(cell):
                held[name].append(made)  # at the end: a column that is shorter than the other
                continue
            found[name] += [*held[name], made]
            held[name].clear()
    return tuple(
        Condition(name, "score", tuple(observations), source=str(table.path), by_item=bool(columns.item))
        for name, observations in found.items()
    )
