"""ARC: science questions of grade school, with three to five choices. Published labels (A or 1) become letters.

Source of fields and splits: https://huggingface.co/datasets/allenai/ai2_arc
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from crucible.data.choices import as_choices, choice_item
from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of
from crucible.errors import DataError

__all__ = ["ARC"]


def _maker(request: Request) -> ItemMaker:
    del request

    def make(row: Row, default_id: str) -> Item:
        question = as_text(field_of(row, "question"), row, "question").strip()
        given = field_of(row, "choices")
        if not isinstance(given, Mapping):
            raise DataError(f'{row.where}: "choices" must be an object with text and label')
        both = cast("Mapping[str, Any]", given)
        choices = as_choices(both.get("text"), row, "choices.text")
        labels: list[object] = list(both.get("label") or ())
        key = field_of(row, "answerKey")
        if len(labels) != len(choices) or labels.count(key) != 1:
            raise DataError(f'{row.where}: "answerKey" must be one of the labels {labels}, got {key!r}')
        identity = as_text(row.values.get("id") or default_id, row, "id")
        metadata = {**rest_of(row, "id", "question", "choices", "answerKey"), "labels": labels}
        return choice_item(identity, question, choices, labels.index(key), metadata=metadata)

    return make


ARC: Final = Known(
    name="arc",
    what="science questions of grade school; `config` is `ARC-Challenge` or `ARC-Easy`",
    home="https://allenai.org/data/arc",
    licence="CC BY-SA 4.0",
    repository="allenai/ai2_arc",
    config="ARC-Challenge",
    configs=("ARC-Easy",),
    splits={"train": "train", "validation": "validation", "test": "test"},
    maker=_maker,
)
"""The dataset `arc`."""
