"""No Robots: instructions and the answers that people wrote to them.

The expected answer is the last message of the conversation. Where only a user's message comes before it, that is the
input; longer ones are put a turn a paragraph, `role: text`. `metadata["messages"]` is the conversation as it is.

Source of fields and splits: https://huggingface.co/datasets/HuggingFaceH4/no_robots
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from crucible.data.items import Item
from crucible.data.known.answers import rest_of
from crucible.data.known.listing import Known
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row, as_text, field_of
from crucible.errors import DataError

__all__ = ["NO_ROBOTS"]


def _maker(request: Request) -> ItemMaker:
    del request

    def make(row: Row, default_id: str) -> Item:
        turns = _turns(field_of(row, "messages"), row)
        *before, (role, answer) = turns
        if role != "assistant" or not before:
            raise DataError(f"{row.where}: the last message must be the assistant's answer to one before it")
        if [role for role, _ in before] == ["user"]:
            prompt = before[0][1]
        else:
            prompt = "\n\n".join([*(f"{role}: {text}" for role, text in before), "assistant:"])
        identity = as_text(row.values.get("prompt_id") or default_id, row, "prompt_id")
        return Item(identity, prompt, answer, rest_of(row, "prompt_id", "prompt"))

    return make


def _turns(messages: object, row: Row) -> list[tuple[str, str]]:
    wrong = f'{row.where}: "messages" must be a list of objects with role and content'
    if not isinstance(messages, list) or not messages:
        raise DataError(wrong)
    turns: list[tuple[str, str]] = []
    for each in cast("list[Any]", messages):
        if not isinstance(each, Mapping):
            raise DataError(wrong)
        message = cast("Mapping[str, Any]", each)
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str) or not content.strip():
            raise DataError(wrong)
        turns.append((role, content))
    return turns


NO_ROBOTS: Final = Known(
    name="no_robots",
    what="instructions, and the answers that people wrote to them",
    home="https://huggingface.co/datasets/HuggingFaceH4/no_robots",
    licence="CC BY-NC 4.0",
    repository="HuggingFaceH4/no_robots",
    splits={"train": "train", "test": "test"},
    maker=_maker,
)
"""The dataset `no_robots`."""
