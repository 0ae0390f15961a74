"""FEVER: is a claim supported or refuted by Wikipedia? The claims alone, without the pages.

The repository on the Hub holds a program that makes the rows, and no rows; programs are not run here, so the files come
from FEVER's own page.

Source of fields and files: https://fever.ai/dataset/fever.html
"""

from __future__ import annotations

from typing import Final

from crucible.data.items import Item
from crucible.data.known.answers import may_be_unanswered
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_metadata, as_text, field_of, is_blank
from crucible.errors import DataError

__all__ = ["FEVER", "FEVER_VERDICTS"]

FEVER_VERDICTS: Final = ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO")
"""The closed vocabulary of answers."""

_FILES: Final = {
    "train": "train.jsonl",
    "validation": "shared_task_dev.jsonl",
    "dev": "shared_task_dev.jsonl",
    "paper_dev": "paper_dev.jsonl",
    "paper_test": "paper_test.jsonl",
    "test": "paper_test.jsonl",
    "shared_task_test": "shared_task_test.jsonl",
}


def _maker(request: Request) -> ItemMaker:
    def make(row: Row, default_id: str) -> Item:
        claim = as_text(field_of(row, "claim"), row, "claim").strip()
        label = row.values.get("label")
        if is_blank(label):
            may_be_unanswered(request, row, "there is no label (those of the shared task's test are not public)")
            label = None
        elif label not in FEVER_VERDICTS:
            raise DataError(f'{row.where}: the label "{label}" is unknown; expected {", ".join(FEVER_VERDICTS)}')
        given = row.values.get("id")
        return Item(
            id=default_id if given is None else as_text(given, row, "id"),
            input=f"Claim: {claim}\n\nVerdict:",
            expected=None if label is None else str(label),
            metadata=as_metadata({"evidence": row.values.get("evidence", [])}, row),
        )

    return make


FEVER: Final = Known(
    name="fever",
    what="claims on what Wikipedia says: SUPPORTS, REFUTES or NOT ENOUGH INFO",
    home="https://fever.ai/dataset/fever.html",
    licence="CC BY-SA 3.0 and the terms of the Wikipedia pages",
    splits={split: split for split in _FILES},
    files=_FILES,
    notes={"test": 'the split "test" is paper_test.jsonl: the labels of the shared task\'s test are not public'},
    maker=_maker,
    takes=frozenset({"unanswered"}),
)
"""The dataset `fever`."""
