"""GSM8K: grade-school word problems whose solution ends in a line `#### 18`.

The expected answer is the whole solution, so that a model can learn the way to it; `number_match` compares the numbers.
With the option `answer: final` it is the last line only.
"""

from __future__ import annotations

from typing import Final

from crucible.data.items import Item
from crucible.data.numbers import final_number
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of
from crucible.data.source import Files, Source, local_place, named_file
from crucible.errors import DataError

__all__ = ["GSM8K", "problem_maker"]

_FILES: Final = {"train": "train.jsonl", "test": "test.jsonl"}


def problem_maker(*, only_final: bool = False) -> ItemMaker:
    """Return the function that makes an item of a problem.

    It raises `DataError` where the question or the answer is missing, or the answer does not end in `#### ` and a
    number.

    Args:
        only_final: Expect the last line alone.
    """

    def make(row: Row, default_id: str) -> Item:
        question = as_text(field_of(row, "question"), row, "question").strip()
        answer = as_text(field_of(row, "answer"), row, "answer").strip()
        _, marker, last = answer.rpartition("####")
        if not marker or final_number(last) is None:
            raise DataError(f'{row.where}: the answer does not end in "#### " and a number: "{answer[-40:]}"')
        final = f"#### {last.strip()}"
        return Item(
            id=default_id,
            input=f"Question: {question}\n\nAnswer:",
            expected=final if only_final else answer,
            metadata={"final": last.strip()},
        )

    return make


def _find(request: Request) -> Files:
    home = "https://github.com/openai/grade-school-math"
    place = local_place(request, folder="gsm8k", home=home, hub="openai/gsm8k")
    return named_file(request, place, _FILES, problem_maker(only_final=request.options.answer == "final"))


GSM8K = Source(frozenset({"path", "answer"}), _find)
"""The source `gsm8k`."""
