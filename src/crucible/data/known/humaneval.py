"""HumanEval: complete a Python function. To score a completion is to run it: what a model wrote is untrusted code.

The prompt is the input, as it stands; `metadata["test"]` defines `check(candidate)`, and `metadata["entry_point"]` is
the function's name. The expected text is the canonical solution, the rest of the function.

Source of fields and splits: https://huggingface.co/datasets/openai/openai_humaneval
"""

from __future__ import annotations

from typing import Final

from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of

__all__ = ["HUMANEVAL"]


def _maker(request: Request) -> ItemMaker:
    del request

    def make(row: Row, default_id: str) -> Item:
        del default_id
        for name in ("test", "entry_point"):
            as_text(field_of(row, name), row, name)
        return Item(
            id=as_text(field_of(row, "task_id"), row, "task_id"),
            input=as_text(field_of(row, "prompt"), row, "prompt"),
            expected=as_text(field_of(row, "canonical_solution"), row, "canonical_solution"),
            metadata=rest_of(row, "task_id", "prompt", "canonical_solution"),
        )

    return make


HUMANEVAL: Final = Known(
    name="humaneval",
    what="complete a Python function; scored by running tests",
    home="https://github.com/openai/human-eval",
    licence="MIT",
    repository="openai/openai_humaneval",
    config="openai_humaneval",
    splits={"test": "test"},
    files={"test": "HumanEval.jsonl.gz"},
    maker=_maker,
)
"""The dataset `humaneval`."""
