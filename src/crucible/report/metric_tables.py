"""Tables of whatever else a run measured: checks of the data, guardrails, single numbers, a stranger's metrics.

Their shape is not known, so it is read off the values: a mapping becomes rows, a mapping inside it a group of rows, and
a list of mappings a table of its own. What is too long to show is counted; the JSON report has all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crucible.report import _reading as reading
from crucible.report import number
from crucible.report.results import Results
from crucible.report.table import Cell, Column, Row, Table, fact_cell, fact_label, shown

__all__ = ["flat_values", "metric_tables"]

_TITLES = {
    "classification": "Classes",
    "data_checks": "Checks of the data",
    "drift": "Drift",
    "fairness": "Fairness",
    "guardrails": "Guardrails",
    "quality": "Quality targets",
    "registry": "Model registry",
    "validation": "Check of the document",
}
_MAX_ROWS = 40
_MAX_RECORDS = 20
_MAX_FIELDS = 6
_MAX_WORDS = 8
_MAX_CHARACTERS = 200


def metric_tables(results: Results) -> list[Table]:
    """Return the metrics that no other part of the report shows, one table a metric and one for single values."""
    single = {name: value for name, value in results.other.items() if not _is_composed(value)}
    tables = [_facts(f"metric-{place}", name, value) for place, (name, value) in enumerate(_composed(results.other))]
    rows = [Row(name, (_cell(name, value),)) for name, value in single.items()]
    return [table for group in tables for table in group] + _rowed("metrics", "Single values", rows)


def flat_values(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of every single value inside; a list of single values is one, as JSON text."""
    inside = reading.mapping(value) or (dict(enumerate(reading.listing(value))) if _records(value) else {})
    for name, inner in inside.items():
        yield from flat_values(inner, (*path, str(name)))
    if not inside and value != {}:
        yield path, json.dumps(value, ensure_ascii=False) if isinstance(value, (list, tuple)) else value


def _is_composed(value: Any) -> bool:
    return bool(reading.mapping(value)) or _records(value)


def _composed(metrics: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in metrics.items() if _is_composed(value)]


def _records(value: Any) -> bool:
    """Tell whether a value is a list with a mapping in it."""
    return any(isinstance(inner, dict) for inner in reading.listing(value))


def _facts(key: str, name: str, value: Any) -> list[Table]:
    """Return the table of one metric, and one for each list of mappings inside it."""
    title = _title(name)
    if _records(value):
        return [_list(key, title, reading.listing(value))]
    parts = reading.mapping(value)
    lists = {part: inner for part, inner in parts.items() if _records(inner)}
    rows = [row for part, inner in parts.items() if part not in lists for row in _rows(part, inner)]
    rows.sort(key=lambda row: row.group != "")  # single values first; the sort keeps the order of the groups
    further = enumerate(lists.items())
    found = [_list(f"{key}-{i}", f"{title}: {_worded(part).lower()}", inner) for i, (part, inner) in further]
    return _rowed(key, title, rows) + found


def _title(name: str) -> str:
    """Return the words for a metric; a stage that ran twice put a label after the dot."""
    kind, _, label = name.partition(".")
    words = _TITLES.get(kind)
    return name if words is None else f"{words} ({label})" if label else words


def _rowed(key: str, title: str, rows: list[Row]) -> list[Table]:
    """Return the table of the first rows, or none where there are no rows."""
    notes = (f"{len(rows) - _MAX_ROWS:,} more rows are in the JSON report.",) if len(rows) > _MAX_ROWS else ()
    columns = (Column("Measured"), Column("Value", is_number=all(row.cells[0].value is not None for row in rows)))
    return [Table(key, title, columns, tuple(rows[:_MAX_ROWS]), notes)] if rows else []


def _rows(part: str, value: Any) -> list[Row]:
    """Return the rows of one entry: one, or a group of them where it is a mapping."""
    if not isinstance(value, dict) or not value:
        return [Row(_worded(part), (_cell(part, value),))]
    inner = flat_values(value)
    return [Row(".".join(path), (_cell(path[-1], found),), group=_worded(part)) for path, found in inner]


def _list(key: str, title: str, records: list[Any]) -> Table:
    """Return a list of mappings as a table with a column for each field, or one of JSON where there are too many."""
    kept = records[:_MAX_RECORDS]
    fields = list(dict.fromkeys(name for record in kept for name in reading.mapping(record)))
    is_wide = len(fields) > _MAX_FIELDS or not all(isinstance(record, dict) for record in kept)
    columns = (Column("#", is_number=True), *(Column(_worded(name)) for name in ([""] if is_wide else fields)))
    rows = tuple(
        Row(number.count(place + 1), _whole(record) if is_wide else _fields(record, fields))
        for place, record in enumerate(kept)
    )
    more = len(records) - len(kept)
    return Table(key, title, columns, rows, (f"{more:,} more are in the JSON report.",) if more else ())


def _whole(record: Any) -> tuple[Cell, ...]:
    return (Cell(_clipped(shown(record))),)


def _fields(record: Any, fields: list[str]) -> tuple[Cell, ...]:
    found = reading.mapping(record)
    return tuple(_cell(name, found.get(name)) for name in fields)


def _cell(name: str, value: Any) -> Cell:
    words = reading.listing(value)
    if value == {}:
        return Cell("none")
    if len(words) > _MAX_WORDS:
        text = f"{shown(words[:_MAX_WORDS])}; … ({len(words) - _MAX_WORDS:,} more)"
        return Cell(_clipped(text))
    cell = fact_cell(name, value)
    return cell if cell.value is not None else Cell(_clipped(cell.text), is_code=cell.is_code)


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _worded(name: str) -> str:
    """Return a snake_case name as words; any other name as it is, since it may be somebody's own."""
    return fact_label(name) if name.isidentifier() and name.islower() else name
