"""Rows of a source, and how a row becomes an item. Every complaint names the file and the line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.data.items import Item
from crucible.data.options import FieldMap
from crucible.errors import DataError
from crucible.ir import did_you_mean

__all__ = ["Row", "as_text", "field_of", "mapped_item", "read_jsonl"]


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


def read_jsonl(path: Path) -> tuple[list[Row], str]:
    """Read a file of one JSON object a line; blank lines and a byte-order mark are passed over.

    Returns:
        The rows, and the hex SHA-256 of the file.

    Raises:
        DataError: The file cannot be read, or a line is no JSON object; names file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from error
    digest = hashlib.sha256(content).hexdigest()
    decoder = msgspec.json.Decoder()
    rows: list[Row] = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = decoder.decode(line)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: this is not UTF-8 text ({error.reason} at byte {error.start})") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise DataError(f"{where}: this is not JSON ({error}); expected one JSON object a line") from error
        if not isinstance(values, dict):
            raise DataError(f"{where}: expected a JSON object, got {_kind(values)}")
        rows.append(Row(cast("dict[str, Any]", values), where, number))
    return rows, digest


def field_of(row: Row, field: str, *, hint: str = "") -> Any:
    """Return a field that the row must have.

    Args:
        row: The row.
        field: Its name.
        hint: What to do when it is missing.

    Raises:
        DataError: The row does not have it.
    """
    if field not in row.values:
        known = ", ".join(map(str, row.values)) or "none"
        near = did_you_mean(field, row.values)
        raise DataError(f'{row.where}: there is no field "{field}"; the row has: {known}{hint}{near}')
    return row.values[field]


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


def mapped_item(row: Row, fields: FieldMap, *, default_id: str, keep_unanswered: bool = False) -> Item:
    """Make an item of a row by the names of its fields; the other fields become metadata.

    Args:
        row: The row.
        fields: Which field is what.
        default_id: The id of a row that has none.
        keep_unanswered: Accept a row whose answer is missing, null or blank.

    Raises:
        DataError: The input, or an answer that is needed, is missing, null or blank.
    """
    hint = "; say which is which with the option fields: {input: …, expected: …, id: …}"
    prompt = as_text(field_of(row, fields.input, hint=hint), row, fields.input)
    answer = row.values.get(fields.expected)
    is_blank = answer is None or (isinstance(answer, str) and not answer.strip())
    expected: str | None = None
    if not (keep_unanswered and is_blank):
        expected = as_text(field_of(row, fields.expected, hint=hint), row, fields.expected)
    given = row.values.get(fields.id)
    identity = default_id if given is None else as_text(given, row, fields.id)
    named = {fields.input, fields.expected, fields.id}
    rest = {str(key): value for key, value in row.values.items() if key not in named}
    return Item(id=identity, input=prompt, expected=expected, metadata=_plain(rest, row))


def _plain(values: dict[str, Any], row: Row) -> dict[str, Any]:
    """Return a copy of metadata as JSON values: dates as ISO text, bytes as base64."""
    try:
        return cast("dict[str, Any]", msgspec.to_builtins(values, str_keys=True))
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{row.where}: a field cannot be kept as metadata: {error}") from error


def _kind(value: object) -> str:
    words: dict[type, str] = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return words.get(type(value), "a number")
