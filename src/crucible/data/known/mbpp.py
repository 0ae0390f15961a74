"""MBPP: write a Python function that passes three tests, which the prompt shows.

`metadata["test"]` is the program of the tests, with what they need before them. What a model wrote is untrusted code.

Source of fields and splits: https://huggingface.co/datasets/google-research-datasets/mbpp
"""

from __future__ import annotations

from typing import Any, Final

from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of
from crucible.errors import DataError

__all__ = ["MBPP"]


def _maker(request: Request) -> ItemMaker:
    is_sanitized = request.options.config == "sanitized"
    text_field = "prompt" if is_sanitized else "text"

    def make(row: Row, default_id: str) -> Item:
        del default_id
        task = as_text(field_of(row, text_field), row, text_field).strip()
        tests = _lines(field_of(row, "test_list"), row, "test_list")
        before = _lines(field_of(row, "test_imports"), row, "test_imports") if is_sanitized else []
        setup = row.values.get("test_setup_code")
        if isinstance(setup, str) and setup.strip():
            before.append(setup)
        shown = "\n".join(tests)
        return Item(
            id=as_text(field_of(row, "task_id"), row, "task_id"),
            input=f"{task}\n\nYour code should pass these tests:\n\n{shown}\n\nCode:\n",
            expected=as_text(field_of(row, "code"), row, "code"),
            metadata={**rest_of(row, "task_id", text_field, "code"), "test": "\n".join([*before, *tests])},
        )

    return make


def _lines(value: Any, row: Row, field: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):  # pyright: ignore[reportUnknownVariableType]
        raise DataError(f'{row.where}: the field "{field}" must be a list of lines of Python')
    return [str(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


MBPP: Final = Known(
    name="mbpp",
    what="write a Python function that passes three tests; `config` is `full` or `sanitized`",
    home="https://github.com/google-research/google-research/tree/master/mbpp",
    licence="CC BY 4.0",
    repository="google-research-datasets/mbpp",
    config="full",
    configs=("sanitized",),
    splits={"train": "train", "validation": "validation", "test": "test", "prompt": "prompt"},
    maker=_maker,
)
"""The dataset `mbpp`."""
