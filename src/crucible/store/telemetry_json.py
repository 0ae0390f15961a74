"""Fields inside the JSON texts of events, as SQL: the same question to SQLite and to PostgreSQL.

A field is named by its key, or by keys with dots between them. On PostgreSQL a text that holds a NUL has no fields,
since jsonb cannot hold one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import ColumnElement, Double, String, and_, case, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import JSONB

from crucible.errors import SpecError
from crucible.store import tables

__all__ = ["field_equals", "field_number", "field_text"]

_events = tables.telemetry_events
_DOCUMENTS = (_events.c.fields_json, _events.c.metadata_json, _events.c.measurements_json)
_KEY = re.compile(r'[^".\x00-\x1f\\]{1,200}')


def field_equals(path: str, value: Any, *, sqlite: bool) -> ColumnElement[bool]:
    """Return whether what enrichment found, else the metadata, else the measurements hold a value under a name.

    Args:
        path: Key, or keys with dots between them.
        value: A text, number or truth value; None: nowhere is there anything.
        sqlite: Whether the question is put to SQLite.

    Raises:
        SpecError: The path cannot be a field's, or the value is none of these.
    """
    keys = _keys(path)
    if value is None:
        return and_(*(_kind(document, keys, sqlite=sqlite).is_(None) for document in _DOCUMENTS))
    return or_(*(_holds(document, keys, value, sqlite=sqlite) for document in _DOCUMENTS))


def field_number(path: str, *, sqlite: bool) -> ColumnElement[float]:
    """Return a field as a number; NULL where it is none, or not there.

    Raises:
        SpecError: The path cannot be a field's.
    """
    keys = _keys(path)
    numbers = [
        case((_kind(document, keys, sqlite=sqlite) == "number", cast(_text(document, keys, sqlite=sqlite), Double)))
        for document in _DOCUMENTS
    ]
    return func.coalesce(*numbers)


def field_text(path: str, *, sqlite: bool) -> ColumnElement[str]:
    """Return a field as text; NULL where it is not there.

    Raises:
        SpecError: The path cannot be a field's.
    """
    keys = _keys(path)
    return func.coalesce(*(cast(_text(document, keys, sqlite=sqlite), String) for document in _DOCUMENTS))


def _keys(path: str) -> list[str]:
    keys = path.split(".")
    if not all(_KEY.fullmatch(key) for key in keys):
        raise SpecError(
            f"a field is named by its key, such as model, or keys with dots between them; got {path!r:.100}"
        )
    return keys


def _holds(document: ColumnElement[Any], keys: list[str], value: Any, *, sqlite: bool) -> ColumnElement[bool]:
    kind = _kind(document, keys, sqlite=sqlite)
    text = _text(document, keys, sqlite=sqlite)
    match value:
        case bool():
            return and_(kind == "boolean", cast(text, String).in_(["true", "1"] if value else ["false", "0"]))
        case int() | float():
            number = case((kind == "number", cast(text, Double)))
            return number == literal(float(value), Double)
        case str():
            return and_(kind == "string", text == value)
        case _:
            raise SpecError(
                f"a field is compared with a text, a number, true, false or None; got {type(value).__name__}"
            )


def _kind(document: ColumnElement[Any], keys: list[str], *, sqlite: bool) -> ColumnElement[str]:
    """Return number, string, boolean or something else; NULL where there is nothing, or null."""
    if sqlite:
        kind = func.json_type(document, _sqlite_path(keys))
        words = {"integer": "number", "real": "number", "text": "string", "true": "boolean", "false": "boolean"}
        return case(*((kind == there, here) for there, here in words.items()), (kind == "null", None), else_=kind)
    kind = func.jsonb_typeof(func.jsonb_extract_path(_parsed(document), *keys))
    return case((kind == "null", None), else_=kind)


def _text(document: ColumnElement[Any], keys: list[str], *, sqlite: bool) -> ColumnElement[Any]:
    if sqlite:
        return func.json_extract(document, _sqlite_path(keys))
    return func.jsonb_extract_path_text(_parsed(document), *keys)


def _parsed(document: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((func.strpos(document, r"\u0000") == 0, cast(document, JSONB)))


def _sqlite_path(keys: list[str]) -> str:
    return "$" + "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys)
