"""Mappings and values that the document carries and never looks into: plain JSON, whoever made them.

Text is plain by the nature of its format, so reading it costs nothing here. What Python code hands over is checked and
copied where it enters: a number that JSON has not, a key that is no text or an object would be lost on the way to disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from crucible.ir.wording_text import hidden, show

__all__ = ["MAX_DEPTH", "Loose", "Opaque", "PlainValue"]

T = TypeVar("T")

MAX_DEPTH = 150
"""Levels of mappings and lists in a value that Python code hands over; a whole document of text may have 200."""


class _Plain:
    """Marks a field whose value must be plain JSON: mappings with text keys, lists, text, finite numbers and so on."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check what comes from Python; what comes from JSON text is plain already."""
        schema = handler(source)
        checked = core_schema.no_info_before_validator_function(_settled, schema)
        return core_schema.json_or_python_schema(json_schema=schema, python_schema=checked)


Opaque = Annotated[dict[str, Any], _Plain()]
"""A mapping that belongs to somebody else, such as the options of a stage."""
PlainValue = Annotated[Any, _Plain()]
"""Any plain JSON value."""
Loose = Annotated[T | Opaque, Field(union_mode="left_to_right")]
"""A typed value, or a plain mapping where the typed form does not fit."""


def _settled(value: Any, path: str = "", depth: int = 0) -> Any:
    """Return a copy made of dicts, lists and plain values; tuples become lists, as they would on the way to disk."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise _strange(path, "half of a surrogate pair in", value)
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise _strange(path, "a number that JSON has not:", value)
        return value
    if depth >= MAX_DEPTH:
        raise PydanticCustomError("depth", "must not be nested deeper than {levels} levels", {"levels": MAX_DEPTH})
    if isinstance(value, Mapping):
        return {
            _key(key, path): _settled(inner, _at(path, key), depth + 1)
            for key, inner in cast("Mapping[Any, Any]", value).items()
        }
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        return [_settled(inner, f"{path}[{place}]", depth + 1) for place, inner in enumerate(items)]
    raise _strange(path, f"{type(value).__name__}", value)


def _at(path: str, key: Any) -> str:
    name = hidden(str(key))
    return f"{path}.{name}" if path else name


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise _strange(path, "a key that is no text:", key)
    return cast("str", _settled(key, path))


def _strange(path: str, what: str, value: Any) -> PydanticCustomError:
    shown = show(value) if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    place = f" at {path}" if path else ""
    message = "must hold plain JSON values only, found{place} {what} {shown}"
    return PydanticCustomError("plain", message, {"place": place, "what": what, "shown": shown})
