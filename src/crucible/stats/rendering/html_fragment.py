"""What is told of a result as a piece of HTML: no script, nothing loaded, its style kept to itself.

The colours are the page's own, so that it reads on light and dark pages alike; a wide table scrolls inside of itself.
"""

from __future__ import annotations

from crucible.stats.rendering.markup import Markup, element
from crucible.stats.rendering.telling import Column, Note, Table, Telling

__all__ = ["draw_html"]

_STYLE = """
.crucible-told { font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.5; max-width: 100%; }
.crucible-told p { margin: 0 0 .6em; max-width: 50em; overflow-wrap: anywhere; }
.crucible-told ul { margin: 0 0 .6em; padding-left: 1.2em; max-width: 52em; }
.crucible-told li { overflow-wrap: anywhere; }
.crucible-told .scroll { overflow-x: auto; margin: .8em 0; }
.crucible-told table { border-collapse: collapse; border: 0; margin: 0; font-size: 13px;
  font-variant-numeric: tabular-nums; border-bottom: 1.5px solid currentColor; }
.crucible-told caption { caption-side: top; text-align: left; font-weight: 600; padding: 0 0 .4em; color: inherit; }
.crucible-told thead tr { border-top: 1.5px solid currentColor; border-bottom: 1px solid currentColor; }
.crucible-told table.facts tbody tr:first-child { border-top: 1.5px solid currentColor; }
.crucible-told th, .crucible-told td { padding: .3em .8em .3em 0; text-align: left; vertical-align: top;
  font-weight: 400; background: none; border: 0; max-width: 34em; overflow-wrap: break-word; }
.crucible-told th:last-child, .crucible-told td:last-child { padding-right: 0; }
.crucible-told thead th { font-weight: 600; vertical-align: bottom; }
.crucible-told tbody tr + tr { border-top: 1px solid rgba(127, 127, 127, .25); background: none; }
.crucible-told .number { text-align: right; white-space: nowrap; }
.crucible-told thead th.number { white-space: normal; }
.crucible-told th.short { white-space: nowrap; }
.crucible-told th.long { min-width: 16em; overflow-wrap: anywhere; }
.crucible-told details { margin: .6em 0 0; font-size: 13px; }
.crucible-told summary { cursor: pointer; }
.crucible-told dl { margin: .4em 0 0; max-width: 54em; }
.crucible-told dt { font-weight: 600; }
.crucible-told dd { margin: 0 0 .3em 1.2em; overflow-wrap: anywhere; }
"""

_SHORT = 44  # characters of a row's name that stay on one line


def draw_html(telling: Telling) -> str:
    """Return one `<div>`; every text is escaped, and nothing in it asks for anything from anywhere."""
    before = [element("p", telling.lead)] if telling.lead else []
    tables = [element("div", _table(table), class_="scroll") for table in telling.tables]
    after = [element("li", sentence) for sentence in telling.sentences]
    parts = [*before, *tables, *([element("ul", *after)] if after else []), *_notes(telling.notes)]
    return element("div", element("style", Markup(_STYLE)), *parts, class_="crucible-told") + "\n"


def _table(table: Table) -> Markup:
    rows = [_row(row, table.columns) for row in table.rows]
    parts = [element("caption", table.caption)]
    if not table.is_facts:
        heads = [element("th", one.heading, scope="col", class_=_class(one)) for one in table.columns]
        parts.append(element("thead", element("tr", *heads)))
    return element("table", *parts, element("tbody", *rows), class_="facts" if table.is_facts else None)


def _row(row: tuple[str, ...], columns: tuple[Column, ...]) -> Markup:
    width = "short" if len(row[0]) <= _SHORT else "long"
    name = element("th", row[0], scope="row", class_=f"{width} number" if columns[0].is_number else width)
    cells = [element("td", text, class_=_class(one)) for text, one in zip(row[1:], columns[1:], strict=True)]
    return element("tr", name, *cells)


def _class(column: Column) -> str | None:
    return "number" if column.is_number else None


def _notes(notes: tuple[Note, ...]) -> list[Markup]:
    if not notes:
        return []
    listed = [
        part for note in notes for part in (element("dt", note.title), *(element("dd", line) for line in note.lines))
    ]
    title = element("summary", ", ".join(note.title for note in notes))
    return [element("details", title, element("dl", *listed))]
