"""Rows of a source, and their fields as text and as metadata. Every complaint names the file and the line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from crucible.errors import DataError
from crucible.ir import did_you_mean

__all__ = ["Row", "as_metadata", "as_text", "field_of", "is_blank"]


class Row(msgspec.Struct, frozen=True):
    """One row as the source has it.

    Args:
        values: The fields.
        where: The file and the line, such as `data/train.jsonl:12`.
        number: Place of the row, from 1; the line's number in a file of lines.
    """

    values: Mapping[str, Any]
    where: str
    number: int


def field_of(row: Row, field: str, *, hint: str = "") -> Any:
    """Return a field that the row must have; `a.b` is the field `b` inside `a`, unless a field is called `a.b`.

    Args:
        row: The row.
        field: Its name.
        hint: What to do when it is missing.

    Raises:
        DataError: The row does not have it.
    """
    if field in row.values:
        return row.values[field]
    found: Any = row.values
    for part in field.split("."):
        if not isinstance(found, Mapping) or part not in found:
            known = ", ".join(map(str, row.values)) or "none"
            near = did_you_mean(field, row.values)
            raise DataError(f'{row.where}: there is no field "{field}"; the row has: {known}{hint}{near}')
        found = cast("Mapping[str, Any]", found)[part]
    return found


def is_blank(value: object) -> bool:
    """Tell whether a value says nothing: null, or text without a letter."""
    return value is None or (isinstance(value, str) and not value.strip())


def as_text(value: object, row: Row, field: str) -> str:
    """Return a field's value as text: text as it is; numbers, true, false, lists and objects as compact JSON.

    Raises:
        DataError: The value is null, blank text, or nothing that JSON can say.
    """
    if isinstance(value, str):
        text = value
    elif value is None:
        raise DataError(f'{row.where}: the field "{field}" is empty (null)')
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f'{row.where}: the field "{field}" holds a {type(value).__name__}, not text: {error}'
            ) from error
    if not text.strip():
        raise DataError(f'{row.where}: the field "{field}" is empty; every item needs an input and an answer')
    return text


def as_metadata(values: dict[str, Any], row: Row) -> dict[str, Any]:
    """Return a copy of metadata as JSON values: dates as ISO text, bytes as base64.

    Raises:
        DataError: A value is nothing that JSON can say: NaN, an infinity, an object of a program, a loop.
    """
    try:
        plain = cast("dict[str, Any]", msgspec.to_builtins(values, str_keys=True))
        for name, value in plain.items():
            if not _is_finite(value):
                raise DataError(
                    f'{row.where}: the field "{name}" holds NaN or an infinity, which JSON has not; leave it out '
                    f"(fields.metadata) or make it null (fields.transforms: {{{name}: [null_if_nan]}})"
                )
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{row.where}: a field cannot be kept as metadata: {error}") from error
    return plain


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return all(map(_is_finite, cast("list[Any]", value)))
    return True
