"""TruthfulQA: questions that people answer wrongly. As one right choice among false ones, or to be answered freely.

The published choices put the right one first. They are shown in an order that the seed and the question decide, or
`A` would be the answer to everything.

Source of fields and splits: https://huggingface.co/datasets/truthfulqa/truthful_qa
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from crucible.data.choices import as_choices, choice_item
from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.order import permutation
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of
from crucible.errors import DataError

__all__ = ["TRUTHFULQA"]


def _maker(request: Request) -> ItemMaker:
    def choose(row: Row, default_id: str) -> Item:
        question = as_text(field_of(row, "question"), row, "question").strip()
        targets = field_of(row, "mc1_targets")
        if not isinstance(targets, Mapping):
            raise DataError(f'{row.where}: "mc1_targets" must be an object with choices and labels')
        given = cast("Mapping[str, Any]", targets)
        choices = as_choices(given.get("choices"), row, "mc1_targets.choices")
        labels: list[object] = list(given.get("labels") or ())
        if len(labels) != len(choices) or labels.count(1) != 1:
            raise DataError(f'{row.where}: "mc1_targets.labels" must hold one label a choice, and 1 once')
        order = permutation(len(choices), request.seed, purpose=f"choices of {question}")
        shown = [choices[place] for place in order]
        metadata = rest_of(row, "question", "mc1_targets")
        return choice_item(default_id, question, shown, order.index(labels.index(1)), metadata=metadata)

    def answer(row: Row, default_id: str) -> Item:
        question = as_text(field_of(row, "question"), row, "question").strip()
        best = as_text(field_of(row, "best_answer"), row, "best_answer").strip()
        metadata = rest_of(row, "question", "best_answer")
        return Item(default_id, f"Question: {question}\n\nAnswer:", best, metadata)

    return answer if request.options.config == "generation" else choose


TRUTHFULQA: Final = Known(
    name="truthfulqa",
    what="questions that people answer wrongly: one right choice among false ones, or, `config: generation`, freely",
    home="https://github.com/sylinrl/TruthfulQA",
    licence="Apache-2.0",
    repository="truthfulqa/truthful_qa",
    config="multiple_choice",
    configs=("generation",),
    splits={"validation": "validation", "test": "validation"},
    notes={"test": 'the split "test" is validation, the only one there is'},
    maker=_maker,
)
"""The dataset `truthfulqa`."""
