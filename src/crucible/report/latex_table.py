"""Tables in LaTeX: booktabs rules, columns as wide as what stands in them, never wider than the text together."""

from __future__ import annotations

from itertools import groupby
from typing import Literal

from crucible.report.table import Cell, Column, Row, Table
from crucible.stats.rendering.latex_text import escape_latex

__all__ = ["latex_table"]

_LEAST = 6
_MOST = 40
_WHOLE_LINE = 60
_MANY = 3


def latex_table(table: Table, *, environment: Literal["longtable", "table"], stamp: str = "") -> str:
    r"""Return the table with its notes.

    Args:
        table: What to draw.
        environment: `longtable` may go over pages; `table` floats, over both columns of a paper where it is wide.
        stamp: Words put before the caption, such as that the data is synthetic; empty for none.
    """
    words = f"{stamp}: {table.caption}" if stamp else table.caption
    caption = rf"\caption{{{escape_latex(words)}}}\label{{tab:crucible-{table.key}}}"
    head = [r"\toprule", _line([_heading(column) for column in table.columns]), r"\midrule"]
    rows = [*_rows(table), r"\bottomrule"]
    if environment == "longtable":
        lines = [
            rf"\begin{{longtable}}{{{_columns(table)}}}",
            caption + r"\\",
            *head,
            r"\endfirsthead",
            *head,
            r"\endhead",
            *rows,
            r"\end{longtable}",
            *_notes(table),
        ]
        return "\n".join(lines)
    inside = [r"\centering\small", caption, rf"\begin{{tabular}}{{{_columns(table)}}}", *head, *rows, r"\end{tabular}"]
    float_ = "table*" if len(table.columns) > _MANY else "table"
    return "\n".join([rf"\begin{{{float_}}}[htbp]", *inside, *_notes(table), rf"\end{{{float_}}}"])


def _rows(table: Table) -> list[str]:
    lines: list[str] = []
    for place, (group, rows) in enumerate(groupby(table.rows, key=lambda row: row.group)):
        if place:
            lines.append(r"\addlinespace")
        if group:
            heading = rf"\textbf{{{escape_latex(group)}}}"
            lines.append(
                rf"\multicolumn{{{len(table.columns)}}}{{p{{{_width(sum(_shares(table)))}}}}}{{{heading}}} \\*"
            )
        lines += [_row(row) for row in rows]
    return lines


def _row(row: Row) -> str:
    return _line([escape_latex(row.name), *map(_cell, row.cells)])


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\[0.2em]"


def _cell(cell: Cell) -> str:
    text = escape_latex(cell.text.replace("< ", "<\N{NO-BREAK SPACE}") if cell.value is not None else cell.text)
    shown = rf"\texttt{{{text}}}" if cell.is_code else text
    return rf"{shown} {{\footnotesize({escape_latex(cell.note)})}}" if cell.note else shown


def _heading(column: Column) -> str:
    text = escape_latex(column.heading)
    return rf"{text} {{\footnotesize({escape_latex(column.note)})}}" if column.note else text


def _notes(table: Table) -> list[str]:
    if not table.notes:
        return []
    return [
        r"\par\smallskip{\footnotesize\raggedright\setlength\parskip{0pt}",
        *(rf"{escape_latex(note)}\par" for note in table.notes),
        "}",
    ]


def _columns(table: Table) -> str:
    drawn = [
        rf">{{\ragged{'left' if column.is_number else 'right'}\arraybackslash}}p{{{_width(share)}}}"
        for column, share in zip(table.columns, _shares(table), strict=True)
    ]
    return "".join(drawn)


def _width(share: float) -> str:
    return rf"\dimexpr {share:.4f}\linewidth-2\tabcolsep\relax"


def _shares(table: Table) -> list[float]:
    """Return each column's part of the line by what stands in it; a small table leaves some of the line free."""
    weights = [_weight(table, place) for place in range(len(table.columns))]
    return [weight / max(sum(weights), _WHOLE_LINE if len(weights) > _MANY else _WHOLE_LINE / 2) for weight in weights]


def _weight(table: Table, place: int) -> float:
    """Return how much room a column wants: its longest word fits, and long text gets more than short text."""
    column = table.columns[place]
    texts = [f"{column.heading} {column.note}"]
    texts += [
        row.name if place == 0 else f"{row.cells[place - 1].text} {row.cells[place - 1].note}" for row in table.rows
    ]
    longest_word = max((len(word) for text in texts for word in text.split()), default=0)
    longest_text = max(len(text) for text in texts)
    return min(max(longest_word + 2, longest_text**0.75, _LEAST), _MOST)
