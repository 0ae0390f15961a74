"""Fields inside the JSON texts of events, as SQL: the same question to SQLite and to PostgreSQL.

A field is named by its key, or by keys with dots between them. On PostgreSQL a text that holds a NUL has no fields,
since jsonb cannot hold one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, Numeric, String, and_, case, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import JSONB

from crucible.errors import SpecError
from crucible.store import tables

__all__ = ["field_equals", "field_number", "field_text", "found_number"]

_events = tables.telemetry_events
_DOCUMENTS = (_events.c.fields_json, _events.c.metadata_json, _events.c.measurements_json)
_MOST = 2**63
_KEY = re.compile(r'[^".\x00-\x1f\\]{1,200}')


def field_equals(path: str, value: Any, *, sqlite: bool) -> ColumnElement[bool]:
    """Return whether what enrichment found, the metadata or the measurements hold a value under a name.

    Args:
        path: Key, with dots or without, or keys with dots between them.
        value: A text, number or truth value; None: nowhere is there anything. Whole numbers are compared exactly.
        sqlite: Whether the question is put to SQLite.

    Raises:
        SpecError: The path cannot be a field's, or the value is none of these.
    """
    ways = _ways(path)
    if value is None:
        return and_(*(_kind(document, keys, sqlite=sqlite).is_(None) for document in _DOCUMENTS for keys in ways))
    return or_(*(_holds(document, keys, value, sqlite=sqlite) for document in _DOCUMENTS for keys in ways))


def field_number(path: str, *, sqlite: bool) -> ColumnElement[float]:
    """Return a field as a number; NULL where it is none, or not there.

    Raises:
        SpecError: The path cannot be a field's.
    """
    numbers = [
        case((_kind(document, keys, sqlite=sqlite) == "number", cast(_text(document, keys, sqlite=sqlite), Double)))
        for document in _DOCUMENTS
        for keys in _ways(path)
    ]
    return func.coalesce(*numbers)


def field_text(path: str, *, sqlite: bool) -> ColumnElement[str]:
    """Return a field as text, a truth value as `true` or `false`; NULL where it is not there.

    Raises:
        SpecError: The path cannot be a field's.
    """
    return func.coalesce(*(_words(document, keys, sqlite=sqlite) for document in _DOCUMENTS for keys in _ways(path)))


def found_number(name: str, *, sqlite: bool) -> ColumnElement[float]:
    """Return a number that enrichment found, under a key without dots; NULL where there is none.

    Raises:
        SpecError: The name cannot be a field's.
    """
    return cast(_text(_events.c.fields_json, _keys(name), sqlite=sqlite), Double)


def _words(document: ColumnElement[Any], keys: list[str], *, sqlite: bool) -> ColumnElement[Any]:
    text = cast(_text(document, keys, sqlite=sqlite), String)
    if not sqlite:
        return text
    kind = func.json_type(document, _sqlite_path(keys))
    return case((kind == "true", "true"), (kind == "false", "false"), else_=text)


def _ways(path: str) -> list[list[str]]:
    """Return the keys that a path can mean: those between its dots, and, where it has dots, itself."""
    keys = _keys(path)
    return [keys] if len(keys) == 1 else [keys, [path]]


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
        case int():
            if abs(value) >= _MOST:
                raise SpecError(f"a whole number of 64 bits can be looked for, got one of {len(str(value))} digits")
            number = text if sqlite else cast(text, Numeric)
            return and_(kind == "number", case((kind == "number", number)) == literal(value, BigInteger))
        case float():
            return case((kind == "number", cast(text, Double))) == literal(value, Double)
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
