"""What is told of a result as GitHub-flavoured Markdown that also reads well unrendered."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.stats.rendering.markdown_text import escape_markdown, paragraph
from crucible.stats.rendering.telling import Note, Table, Telling

__all__ = ["draw_markdown"]


def draw_markdown(telling: Telling) -> str:
    """Return sentences, tables and notes; every text is escaped for the place it stands in."""
    parts = [paragraph(telling.lead)] if telling.lead else []
    parts += [part for table in telling.tables for part in _table(table)]
    parts += ["\n".join(f"- {paragraph(sentence)}" for sentence in telling.sentences)] if telling.sentences else []
    parts += [_note(note) for note in telling.notes]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> list[str]:
    heads = [escape_markdown(column.heading) for column in table.columns]
    rules = ["--:" if column.is_number else ":--" for column in table.columns]
    rows = [[escape_markdown(cell) for cell in row] for row in table.rows]
    if table.is_facts:
        heads = [""] * len(heads)
    return [f"**{escape_markdown(table.caption)}**", "\n".join(map(_line, [heads, rules, *rows]))]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _note(note: Note) -> str:
    lines = [f"- {paragraph(line)}" for line in note.lines]
    return "\n".join([f"{escape_markdown(note.title)}:", "", *lines])
