"""From a row to an item by the names of its fields: text, or a multiple choice."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from crucible.data.choices import as_choices, choice_index, choice_item
from crucible.data.items import Item
from crucible.data.options import FieldMap
from crucible.data.rows import Row, as_metadata, as_text, field_of, is_blank
from crucible.data.transforms import transformed
from crucible.errors import DataError

__all__ = ["mapped_item"]

_HINT: Final = "; say which is which with the option fields: {input: …, expected: …, id: …}"


def mapped_item(row: Row, fields: FieldMap, *, default_id: str, keep_unanswered: bool = False) -> Item:
    """Make an item of a row by the names of its fields; the other fields become metadata.

    Args:
        row: The row.
        fields: Which field is what.
        default_id: The id of a row that has none.
        keep_unanswered: Accept a row whose answer is missing, null or blank.

    Raises:
        DataError: The input, or an answer that is needed, is missing, null or blank; a transform cannot take a value.
    """
    if fields.transforms:
        row = _transformed(row, fields)
    given = row.values.get(fields.id)
    identity = default_id if given is None else as_text(given, row, fields.id)
    prompt = as_text(field_of(row, fields.input, hint=_HINT), row, fields.input)
    named = {fields.input, fields.expected, fields.id}
    rest = {str(key): value for key, value in row.values.items() if key not in named}
    if fields.metadata is not None:
        rest = {name: field_of(row, name) for name in fields.metadata}
    answer = _answer(row, fields.expected, needed=not keep_unanswered)
    if fields.choices is None:
        expected = None if answer is None else as_text(answer, row, fields.expected)
        return Item(id=identity, input=prompt, expected=expected, metadata=as_metadata(rest, row))
    choices = as_choices(field_of(row, fields.choices, hint=_HINT), row, fields.choices)
    rest.pop(fields.choices, None)
    kind = fields.answer_as or "letter"
    index = None if answer is None else choice_index(answer, choices, row, fields.expected, given_as=kind)
    return choice_item(identity, prompt, choices, index, metadata=as_metadata(rest, row), lead="")


def _answer(row: Row, field: str, *, needed: bool) -> Any:
    """Return the answer; None for one that is missing, null or blank and may be."""
    if needed:
        answer = field_of(row, field, hint=_HINT)
        if is_blank(answer):
            as_text(answer, row, field)  # for its complaint
        return answer
    try:
        answer = field_of(row, field)
    except DataError:
        return None
    return None if is_blank(answer) else answer


def _transformed(row: Row, fields: FieldMap) -> Row:
    """Return the row with its named fields transformed; a field inside another one is added under its full name."""
    values = dict(row.values)
    for field, names in (fields.transforms or {}).items():
        values[field] = transformed(field_of(row, field), names, f'{row.where}: field "{field}"')
    return msgspec.structs.replace(row, values=values)
