"""Tables in HTML: caption, scopes and roles for screen readers, headings in every cell for narrow screens."""

from __future__ import annotations

from crucible.report.table import Cell, Column, Row, Table
from crucible.stats.rendering.markup import Markup, element

__all__ = ["bullets", "html_table"]


_LONG_WORD = 16


def html_table(table: Table) -> Markup:
    """Return the table with its notes.

    Roles are written out because the style sheet lays rows out as blocks on narrow screens, which would drop them.
    """
    heads = [
        element(
            "th",
            column.heading,
            element("span", column.note, class_="note") if column.note else Markup(),
            scope="col",
            role="columnheader",
            class_=_head_class(column),
        )
        for column in table.columns
    ]
    groups = dict.fromkeys(row.group for row in table.rows)
    bodies = [_body(table, group) for group in groups]
    drawn = element(
        "table",
        element("caption", table.caption, id=f"table-{table.key}"),
        element("thead", element("tr", *heads, role="row"), role="rowgroup"),
        *bodies,
        role="table",
    )
    class_ = "table stacked" if _is_wide(table) else "table"
    return element("div", drawn, *([bullets(list(table.notes))] if table.notes else []), class_=class_)


def _head_class(column: Column) -> str | None:
    """Return the class of a heading: one with a long word, such as a model's name, may break inside of it."""
    is_long = any(len(word) > _LONG_WORD for word in f"{column.heading} {column.note}".split())
    return " ".join([*(["number"] if column.is_number else []), *(["long"] if is_long else [])]) or None


def _is_wide(table: Table) -> bool:
    """Tell whether a table is too wide for a narrow screen: many columns, or some with words beside the numbers."""
    has_notes = any(cell.note for row in table.rows for cell in row.cells)
    return len(table.columns) > (3 if has_notes or not all(column.is_number for column in table.columns) else 5)


def _body(table: Table, group: str) -> Markup:
    rows: list[Markup] = []
    if group:
        cell = element("th", group, scope="rowgroup", role="rowheader", colspan=len(table.columns))
        rows.append(element("tr", cell, role="row", class_="group"))
    rows += [_row(row, table.columns) for row in table.rows if row.group == group]
    return element("tbody", *rows, role="rowgroup")


def _row(row: Row, columns: tuple[Column, ...]) -> Markup:
    name = element("th", row.name, scope="row", role="rowheader", class_="number" if columns[0].is_number else None)
    cells = [_cell(cell, column) for cell, column in zip(row.cells, columns[1:], strict=True)]
    return element("tr", name, *cells, role="row")


def _cell(cell: Cell, column: Column) -> Markup:
    value = element("span", cell.text, class_="value")
    if cell.value is not None:
        value = element("data", cell.text, value=repr(cell.value), class_="value")
    elif cell.is_code:
        value = element("code", cell.text)
    note = element("span", cell.note, class_="note") if cell.note else Markup()
    class_ = "number" if column.is_number else None
    heading = f"{column.heading}, {column.note}" if column.note else column.heading
    return element("td", value, note, role="cell", class_=class_, data_heading=heading)


def bullets(lines: list[str]) -> Markup:
    """Return small bulleted lines."""
    return element("ul", *(element("li", line) for line in lines), class_="notes")
