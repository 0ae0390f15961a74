"""HellaSwag: which of four endings goes on from here? The labels of the split `test` are not public.

The texts stand as they are published, with the marks such as `[title]` that its WikiHow half carries.

Source of fields and splits: https://huggingface.co/datasets/Rowan/hellaswag
"""

from __future__ import annotations

from typing import Final

from crucible.data.choices import as_choices, choice_index, choice_item
from crucible.data.items import Item
from crucible.data.known.answers import may_be_unanswered, rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of, is_blank

__all__ = ["HELLASWAG"]


def _maker(request: Request) -> ItemMaker:
    def make(row: Row, default_id: str) -> Item:
        context = as_text(field_of(row, "ctx"), row, "ctx").strip()
        activity = as_text(field_of(row, "activity_label"), row, "activity_label").strip()
        endings = as_choices(field_of(row, "endings"), row, "endings")
        label = row.values.get("label")
        index = None
        if is_blank(label):
            may_be_unanswered(request, row, "there is no label")
        else:
            index = choice_index(label, endings, row, "label")
        metadata = rest_of(row, "ctx", "endings", "label")
        return choice_item(
            default_id, f"{activity}: {context} …", endings, index, metadata=metadata, lead="Which ending fits?\n\n"
        )

    return make


HELLASWAG: Final = Known(
    name="hellaswag",
    what="which of four endings goes on from here",
    home="https://rowanzellers.com/hellaswag/",
    licence="MIT",
    repository="Rowan/hellaswag",
    splits={"train": "train", "validation": "validation", "test": "test"},
    files={"train": "hellaswag_train.jsonl", "validation": "hellaswag_val.jsonl", "test": "hellaswag_test.jsonl"},
    maker=_maker,
    takes=frozenset({"unanswered"}),
)
"""The dataset `hellaswag`."""
