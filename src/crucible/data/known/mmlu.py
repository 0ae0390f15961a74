"""MMLU: four-choice questions of 57 subjects. The configuration `all` holds them all; a subject's name is one, too.

Source of fields and splits: https://huggingface.co/datasets/cais/mmlu
"""

from __future__ import annotations

from typing import Final

from crucible.data.choices import as_choices, choice_index, choice_item
from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of

__all__ = ["MMLU"]


def _maker(request: Request) -> ItemMaker:
    del request

    def make(row: Row, default_id: str) -> Item:
        question = as_text(field_of(row, "question"), row, "question").strip()
        choices = as_choices(field_of(row, "choices"), row, "choices")
        answer = choice_index(field_of(row, "answer"), choices, row, "answer")
        subject = row.values.get("subject")
        identity = f"{subject}/{default_id}" if isinstance(subject, str) and subject else default_id
        metadata = rest_of(row, "question", "choices", "answer")
        return choice_item(identity, question, choices, answer, metadata=metadata)

    return make


MMLU: Final = Known(
    name="mmlu",
    what="four-choice questions of 57 subjects; `config` is a subject, or `all`",
    home="https://github.com/hendrycks/test",
    licence="MIT",
    repository="cais/mmlu",
    config="all",
    splits={
        "train": "auxiliary_train",
        "auxiliary_train": "auxiliary_train",
        "dev": "dev",
        "validation": "validation",
        "test": "test",
    },
    notes={"train": 'the split "train" is auxiliary_train: questions of other tests, not of the 57 subjects'},
    maker=_maker,
)
"""The dataset `mmlu`."""
