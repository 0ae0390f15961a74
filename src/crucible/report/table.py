"""What a table is, free of any format: facts are arranged once, and every renderer only draws them.

A table's first column names the row. A cell keeps the exact number beside its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from crucible.report import number

__all__ = ["Cell", "Column", "Row", "Table", "fact_cell", "fact_label", "facts_table", "lift_notes", "shown"]

_FIRST_FACTS = (
    "name", "dataset", "split", "items", "synthetic", "source", "revision", "sha256", "content_hash", "notes",
    "base_model", "initial_loss", "final_loss", "kept_step", "kept_validation_loss", "steps", "tokens",
    "parameters_trained", "truncated", "refused",
)  # fmt: skip
_LABELS = {
    "kept_step": "Kept checkpoint, step",
    "kept_validation_loss": "Kept checkpoint, validation loss",
    "refused": "Refused, too long",
    "sha256": "SHA-256",
    "truncated": "Truncated prompts",
}
_DIGESTS = ("sha256", "hash", "revision", "digest")


@dataclass(frozen=True, slots=True)
class Cell:
    """One value.

    Args:
        text: As shown.
        value: The exact number behind `text`; None for words.
        note: Smaller words after the text.
        is_code: Whether the text is to be shown letter by letter (digests, paths).
    """

    text: str
    value: float | None = None
    note: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        heading: Its name.
        is_number: Whether it is aligned to the right.
        note: Words that hold for every cell of the column.
    """

    heading: str
    is_number: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name and one cell for each further column.

    Args:
        name: What the row is about.
        cells: As many as there are columns after the first.
        group: Heading shared with the neighbouring rows; empty for none.
    """

    name: str
    cells: tuple[Cell, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A captioned table.

    Args:
        key: Short name, unique within a report.
        caption: What the table shows.
        columns: The first one names the rows.
        rows: In order; rows of one group stand together.
        notes: Lines to put under the table.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


def lift_notes(table: Table) -> Table:
    """Return the table with a note that all filled cells of a column share moved to the column's heading."""
    columns = list(table.columns)
    rows = list(table.rows)
    for index in range(len(columns) - 1):
        notes = {row.cells[index].note for row in rows if row.cells[index].text != number.ABSENT}
        if len(notes) == 1 and "" not in notes:
            note = "; ".join(part for part in (columns[index + 1].note, notes.pop()) if part)
            columns[index + 1] = replace(columns[index + 1], note=note)
            rows = [replace(row, cells=_without_note(row.cells, index)) for row in rows]
    return replace(table, columns=tuple(columns), rows=tuple(rows))


def _without_note(cells: tuple[Cell, ...], index: int) -> tuple[Cell, ...]:
    return (*cells[:index], replace(cells[index], note=""), *cells[index + 1 :])


def facts_table(
    key: str,
    caption: str,
    heading: str,
    facts: Mapping[str, Mapping[str, Any]],
    *,
    names: Literal["worded", "verbatim"] = "worded",
) -> Table | None:
    """Return a table of single values, one row a fact and one column a thing, or None if there are no facts.

    Args:
        key: Short name, unique within a report.
        caption: What the table shows.
        heading: Of the first column.
        facts: Column heading to its facts by name.
        names: `worded` puts well-known facts first and words their names; `verbatim` leaves order and names alone.
    """
    known = dict.fromkeys(name for part in facts.values() for name, value in part.items() if value is not None)
    order = list(known)
    if names == "worded":
        order.sort(key=lambda name: _FIRST_FACTS.index(name) if name in _FIRST_FACTS else len(_FIRST_FACTS))
    rows = tuple(
        Row(
            fact_label(name) if names == "worded" else name,
            tuple(fact_cell(name, part.get(name)) for part in facts.values()),
        )
        for name in order
    )
    columns = (Column(heading), *(Column(title) for title in facts))
    return Table(key, caption, columns, rows) if rows else None


def fact_label(name: str) -> str:
    """Return the name of a fact in words, without the unit that `fact_cell` shows."""
    words = name.removesuffix("_ns").removesuffix("_s").removesuffix("_bytes").replace("_", " ")
    return _LABELS.get(name, words[:1].upper() + words[1:])


def fact_cell(name: str, value: object) -> Cell:
    """Return one fact; the end of its name (`_ns`, `_s`, `_bytes`, `loss`, `sha256` …) tells how it is shown."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Cell(shown(value), is_code=name.endswith(_DIGESTS))
    if name.endswith("_ns"):
        return Cell(f"{number.number(value / 1e9, digits=3)} s", value)
    if name.endswith("loss"):
        return Cell(number.loss_text(value), value)
    unit = " s" if name.endswith("_s") else " bytes" if name.endswith("_bytes") else ""
    text = str(value) if name == "seed" else number.number(value)
    return Cell(text + unit, value)


def shown(value: object) -> str:
    """Return any plain value as text, every digit of it."""
    if value is None:
        return number.ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "; ".join(shown(inner) for inner in cast("list[object]", value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
