"""Multiple choice: one way to put a question with lettered answers, and the letter as the expected answer.

Question: What is 2 + 2?

A. 3
B. 4

Answer:
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible.data.items import Item
from crucible.data.rows import Row
from crucible.data.transforms import letter_of
from crucible.errors import DataError

__all__ = ["as_choices", "choice_index", "choice_item", "choice_prompt"]


def choice_prompt(question: str, choices: Sequence[str], *, lead: str = "Question: ") -> str:
    """Return the prompt of a multiple choice: the question, a lettered line a choice, and `Answer:`.

    Args:
        question: The question.
        choices: The possible answers, at most 26.
        lead: What stands before the question.
    """
    lines = "\n".join(f"{letter_of(index)}. {choice}" for index, choice in enumerate(choices))
    return f"{lead}{question}\n\n{lines}\n\nAnswer:"


def choice_item(
    identity: str,
    question: str,
    choices: Sequence[str],
    answer: int | None,
    *,
    metadata: Mapping[str, Any],
    lead: str = "Question: ",
) -> Item:
    """Make an item of a question with choices; `metadata` gets `choices`, and `answer_text` where there is one.

    Args:
        identity: The item's id.
        question: The question.
        choices: The possible answers, in the order in which they are shown.
        answer: Index of the right one, from 0; None where it is not known.
        metadata: What else the item holds.
        lead: What stands before the question.
    """
    known = {} if answer is None else {"answer_text": choices[answer]}
    return Item(
        id=identity,
        input=choice_prompt(question, choices, lead=lead),
        expected=None if answer is None else letter_of(answer),
        metadata={**metadata, "choices": list(choices), **known},
    )


def as_choices(value: object, row: Row, field: str) -> list[str]:
    """Return a field as the texts of at least 2 and at most 26 choices.

    Raises:
        DataError: It is nothing of that kind.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.strip() for each in value):  # pyright: ignore[reportUnknownVariableType]
        raise DataError(f'{row.where}: the field "{field}" must be a list of texts, the possible answers')
    if not 2 <= len(value) <= 26:  # pyright: ignore[reportUnknownArgumentType]
        raise DataError(f'{row.where}: the field "{field}" must hold 2 to 26 choices, got {len(value)}')  # pyright: ignore[reportUnknownArgumentType]
    return [str(each) for each in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def choice_index(value: object, choices: Sequence[str], row: Row, field: str, *, given_as: str = "index") -> int:
    """Return which choice an answer names, from 0.

    Args:
        value: The answer as the row gives it.
        choices: The possible answers.
        row: The row.
        field: The answer's field.
        given_as: `letter` (A), `index` (0, as a number or its text) or `text` (the choice itself).

    Raises:
        DataError: It names none.
    """
    found = -1
    if given_as == "text" and isinstance(value, str) and choices.count(value) == 1:
        found = choices.index(value)
    elif given_as == "letter" and isinstance(value, str) and len(text := value.strip().upper()) == 1:
        found = ord(text) - ord("A")
    elif given_as == "index" and isinstance(value, int | str) and not isinstance(value, bool):
        found = int(value) if str(value).strip().isdecimal() else -1
    if not 0 <= found < len(choices):
        kinds = {"letter": "a letter", "index": "an index from 0", "text": "the text of one"}
        raise DataError(
            f'{row.where}: the field "{field}" names none of the {len(choices)} choices; '
            f"expected {kinds[given_as]}, got {value!r}"
        )
    return found
