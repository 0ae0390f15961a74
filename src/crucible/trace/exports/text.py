"""A chain as JSON or CSV text: `to_json`, `to_csv`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crucible.trace.chain import Chain
from crucible.trace.exports.cells import json_text, list_cell, number_cell, rows_to_csv, text_cell

__all__ = ["CSV_COLUMNS", "to_csv", "to_json"]

_CELLS: Mapping[str, Callable[[Any], str]] = {
    "id": text_cell,
    "timestamp": text_cell,
    "type": text_cell,
    "decision": text_cell,
    "alternatives": list_cell,
    "reasoning": text_cell,
    "confidence": number_cell,
    "code_section": text_cell,
    "spec_reference": text_cell,
    "parent_id": text_cell,
    "depends_on": list_cell,
    "stage_id": text_cell,
    "experiment_id": text_cell,
    "metadata": json_text,
}
CSV_COLUMNS = tuple(_CELLS)
"""The columns of `to_csv`: the predecessor's nine in its order, then the fields that it left out."""


def to_json(chain: Chain) -> str:
    """Return the chain as indented JSON that `Chain.from_dict` reads, ending with a newline.

    Unlike `Chain.save` it takes any chain: what JSON cannot carry (NaN, half a surrogate pair) becomes words.
    """
    return f"{json_text(chain.to_dict(), indent=2)}\n"


def to_csv(chain: Chain) -> str:
    r"""Return the chain as CSV (RFC 4180), a header and a row an event, each ended by CRLF.

    `alternatives` and `depends_on` are joined by `; `, or a JSON array where a word holds a `;`, begins with `[`, is
    empty or has spaces around it. `metadata` is JSON. A text that a spreadsheet would calculate (after any apostrophes
    it begins with `=`, `+`, `-`, `@`, a tab or a line break) has an apostrophe before it; take one off to get it back.
    An empty cell is an empty text or none. Keys that only a foreign file had stand in a last column, `extra`, as JSON.

    Args:
        chain: What to write; one without events gives the header alone.
    """
    rows = [event.to_dict() for event in chain]
    extras = [{key: value for key, value in row.items() if key not in _CELLS} for row in rows]
    has_extra = any(extras)
    table = [[*CSV_COLUMNS, "extra"] if has_extra else list(CSV_COLUMNS)]
    for row, extra in zip(rows, extras, strict=True):
        cells = [cell(row[name]) for name, cell in _CELLS.items()]
        table.append([*cells, json_text(extra) if extra else ""] if has_extra else cells)
    return rows_to_csv(table)
