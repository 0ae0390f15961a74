"""The report as GitHub-flavoured Markdown that also reads well unrendered.

Only draws. Every text is escaped for the place it stands in; long texts stand in fences longer than any run of
backticks inside them. Loss curves are drawn with block characters, since Markdown viewers strip inline SVG.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from crucible.report import loss_curves as curves
from crucible.report import number, wording
from crucible.report.answers import clip
from crucible.report.axis import Scale
from crucible.report.findings import Contrast
from crucible.report.glossary import ABSENT_NOTE, SYNTHETIC_NOTE, terms
from crucible.report.outline import Section, SectionKey, sections
from crucible.report.results import Results, SampleItem, Training
from crucible.report.table import Cell, Column, Table
from crucible.stats.rendering.markdown_text import escape_markdown, paragraph
from crucible.stats.rendering.markup import visible

__all__ = ["fence", "render_markdown"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_COLUMNS = 48


def render_markdown(results: Results) -> str:
    """Return the whole document."""
    parts = [
        *_head(results),
        *(part for section in sections(results) for part in _section(section, results)),
        "## Terms",
        *_terms(results),
        escape_markdown(ABSENT_NOTE),
    ]
    return "\n\n".join(parts) + "\n"


def _terms(results: Results) -> list[str]:
    lines = [f"- **{escape_markdown(term)}**: {escape_markdown(meaning)}" for term, meaning in terms(results)]
    return ["\n".join(lines)] if lines else []


def _section(section: Section, results: Results) -> list[str]:
    before = _BEFORE.get(section.key, _nothing)(results)
    after = _AFTER.get(section.key, _nothing)(results)
    tables = [part for table in section.tables for part in _table(table)]
    return [f"## {section.title}", *before, *tables, *after] if before or tables or after else []


def fence(text: str, language: str = "text") -> str:
    """Return a code block that `text` cannot close."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{shown}\n{marks}"


def _head(results: Results) -> list[str]:
    parts = [f"# {escape_markdown(results.experiment_id)}"]
    if results.synthetic:
        parts.append(f"> **{wording.SYNTHETIC}**. {escape_markdown(SYNTHETIC_NOTE)}")
    if results.description:
        parts.append(paragraph(results.description))
    return [*parts, paragraph(wording.tool_line(results))]


def _verdict(results: Results) -> list[str]:
    groups = [paragraph(sentence) for sentence in wording.group_sentences(results)]
    return [*groups, *map(_contrast, results.contrasts), *_cautions(results)]


def _contrast(contrast: Contrast) -> str:
    name = f" ({escape_markdown(contrast.name)})" if wording.is_named(contrast) else ""
    return f"**{escape_markdown(contrast.headline)}**{name}. {escape_markdown(contrast.sentence)}"


def _cautions(results: Results) -> list[str]:
    return [f"**{wording.CAUTIONS}**", _bullets(results.cautions)] if results.cautions else []


def _table(table: Table) -> list[str]:
    is_grouped = any(row.group for row in table.rows)
    heads = [*([""] if is_grouped else []), *(_heading(column) for column in table.columns)]
    rules = [*([":--"] if is_grouped else []), *("--:" if column.is_number else ":--" for column in table.columns)]
    lines = [_line(heads), _line(rules)]
    for row in table.rows:
        group = [escape_markdown(row.group)] if is_grouped else []
        lines.append(_line([*group, escape_markdown(row.name), *(_cell(cell) for cell in row.cells)]))
    notes = [_bullets(list(table.notes))] if table.notes else []
    return [f"**{escape_markdown(table.caption)}**", "\n".join(lines), *notes]


def _heading(column: Column) -> str:
    text = escape_markdown(column.heading)
    return f"{text} ({escape_markdown(column.note)})" if column.note else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    return f"{text} ({escape_markdown(cell.note)})" if cell.note else text


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {paragraph(line)}" for line in lines)


def _curves(results: Results) -> list[str]:
    drawn = [model for model in results.training if curves.losses(model)]
    if not drawn:
        return []
    found = [loss for model in drawn for _, loss in curves.losses(model)]
    last = max(step for model in drawn for step, _ in curves.losses(model))
    is_log = curves.is_logarithmic(drawn) and min(found) < max(found)
    low = min(found) if is_log else min(0.0, *found)
    high = max(found) if max(found) > low else low + 1
    scale = Scale(low, high, 0, len(_BLOCKS), is_log=is_log)
    names = [visible(model.model).replace("\n", " ") for model in drawn]
    width = max(map(len, names))
    lines = [f"{name:<{width}}  {_sparkline(model, scale, last)}" for name, model in zip(names, drawn, strict=True)]
    span = f"{number.number(scale.low)} to {number.number(scale.high)}{' (log scale)' if is_log else ''}"
    title = f"loss, nats per answer token: {span}; steps 0 to {last:,.0f}"
    return [fence("\n".join([title, *lines])), paragraph(curves.describe(drawn))]


def _sparkline(model: Training, scale: Scale, last: float) -> str:
    buckets: list[list[float]] = [[] for _ in range(_COLUMNS)]
    for step, loss in curves.losses(model):
        buckets[min(int(max(step, 0) * _COLUMNS / (last + 1)), _COLUMNS - 1)].append(loss)
    heights = [int(scale(sum(bucket) / len(bucket))) if bucket else None for bucket in buckets]
    return "".join(" " if height is None else _BLOCKS[min(height, len(_BLOCKS) - 1)] for height in heights).rstrip()


def _answers(results: Results) -> list[str]:
    if results.samples is None or not results.samples.items:
        return []
    return [paragraph(results.samples.rule), *(part for item in results.samples.items for part in _item(item))]


def _item(item: SampleItem) -> list[str]:
    parts = [f"### Item {escape_markdown(item.id)}"]
    for name, text in (("Input", item.input), ("Expected", item.expected)):
        if text is not None:
            parts += [f"{name}:", fence(clip(text))]
    for answer in item.answers:
        scores = wording.score_line(answer)
        suffix = f" ({escape_markdown(scores)})" if scores else ""
        parts += [f"{paragraph(answer.label)}{suffix}:", fence(clip(wording.answer_text(answer)))]
    return parts


def _document(results: Results) -> list[str]:
    if not results.configuration:
        return []
    return [f"{wording.DOCUMENT}:", fence(wording.document_text(results), "yaml")]


def _command(results: Results) -> list[str]:
    command = results.provenance.command
    return [fence(command, "sh")] if command else []


def _missing(results: Results) -> list[str]:
    return [_bullets(results.missing)] if results.missing else []


def _nothing(_results: Results) -> list[str]:
    return []


_BEFORE: dict[SectionKey, Callable[[Results], list[str]]] = {
    "verdict": _verdict,
    "training-loss": _curves,
    "answers": _answers,
    "reproduce": _command,
    "missing": _missing,
}
_AFTER: dict[SectionKey, Callable[[Results], list[str]]] = {"configuration": _document}
