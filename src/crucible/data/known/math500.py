r"""MATH-500: 500 competition problems. The expected answer is the final one, in LaTeX; `answer: full` is the solution.

Source of fields and splits: https://huggingface.co/datasets/HuggingFaceH4/MATH-500
"""

from __future__ import annotations

from typing import Final

from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of

__all__ = ["MATH500"]


def _maker(request: Request) -> ItemMaker:
    field, other = ("solution", "answer") if request.options.answer == "full" else ("answer", "solution")

    def make(row: Row, default_id: str) -> Item:
        problem = as_text(field_of(row, "problem"), row, "problem").strip()
        expected = as_text(field_of(row, field), row, field).strip()
        field_of(row, other)
        identity = as_text(row.values.get("unique_id") or default_id, row, "unique_id")
        return Item(identity, f"Problem: {problem}\n\nSolution:", expected, rest_of(row, "problem", field, "unique_id"))

    return make


MATH500: Final = Known(
    name="math500",
    what="competition problems with a final answer in LaTeX",
    home="https://github.com/openai/prm800k",
    licence="MIT (MATH and PRM800K; the card names none)",
    repository="HuggingFaceH4/MATH-500",
    splits={"test": "test"},
    maker=_maker,
    takes=frozenset({"answer"}),
)
"""The dataset `math500`."""
