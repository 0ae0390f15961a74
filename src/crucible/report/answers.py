"""The items that a report shows in full: chosen by a rule that cannot see the answers.

Reads the JSONL files that `evaluate` wrote, one line an item. The rule is the order of the ids, never the scores.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crucible.report import _reading as reading
from crucible.report.results import Answer, SampleItem, Samples

__all__ = ["clip", "sample_answers"]


def sample_answers(files: dict[str, Path], size: int) -> Samples:
    """Return the first items by id, with every evaluation's answer.

    Args:
        files: Evaluation label to its JSONL file.
        size: Items to show at most.

    Raises:
        OSError: A file cannot be read.
        ValueError: A line is not JSON; the message names file and line.
    """
    rows = {label: _first_rows(path, size) for label, path in files.items()}
    ids = sorted({item_id for found in rows.values() for item_id in found})[:size]
    items = [_item(item_id, rows) for item_id in ids]
    rule = f"The first {len(items)} items in text order of their ids, whatever the answers." if items else ""
    return Samples(rule=rule, items=items)


def clip(text: str, limit: int = 1200) -> str:
    """Return `text`, or its first `limit` characters and how many more there are."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def _item(item_id: str, rows: dict[str, dict[str, dict[str, Any]]]) -> SampleItem:
    found = [row[item_id] for row in rows.values() if item_id in row]
    return SampleItem(
        id=item_id,
        input=next((value for row in found if (value := _as_text(row.get("input"))) is not None), None),
        expected=next((value for row in found if (value := _as_text(row.get("expected"))) is not None), None),
        answers=[_answer(label, row.get(item_id, {})) for label, row in rows.items()],
    )


def _answer(label: str, row: dict[str, Any]) -> Answer:
    scores = {name: reading.mapping(outcome) for name, outcome in reading.mapping(row.get("scores")).items()}
    return Answer(label=label, output=_as_text(row.get("output")), scores=scores)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _first_rows(path: Path, size: int) -> dict[str, dict[str, Any]]:
    rows = heapq.nsmallest(size, _rows(path), key=lambda row: str(row.get("id", "")))
    return {str(row.get("id", "")): row for row in reversed(rows)}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield reading.mapping(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path.name}:{number} is not JSON ({error})") from error
