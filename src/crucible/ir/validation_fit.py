"""As much of a value as fits: what the rules across fields can still be asked about when some fields are wrong.

The value is read by the type's own schema, in which a field that does not fit is left away instead of an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator

__all__ = ["fitting"]

Node = dict[str, Any]

_WRAPPED_AT = ("schema", "items_schema", "values_schema", "json_schema", "python_schema", "steps", "definitions")


class _Absent:
    """Stands for a field or an item that does not fit."""


_ABSENT = _Absent()


def fitting(kind: type[BaseModel], text: bytes | str) -> BaseModel | None:
    """Return a value that lacks the fields that do not fit; asking for one of them is an `AttributeError`.

    Args:
        kind: What to build.
        text: JSON.

    Returns:
        The value, which never was validated as a whole and must not leave this package; None if nothing fits.
    """
    try:
        return _reader(kind).validate_json(text)
    except ValidationError:
        return None


@functools.cache
def _reader(kind: type[BaseModel]) -> SchemaValidator:
    config = CoreConfig(strict=True, allow_inf_nan=False, extra_fields_behavior="ignore", validate_by_name=True)
    return SchemaValidator(cast("CoreSchema", _tolerant(cast("Node", kind.__pydantic_core_schema__))), config)


def _tolerant(node: Any) -> Any:
    """Return a schema in which fields may fail; the branches of unions stay strict, since one must be chosen."""
    if isinstance(node, list):
        return [_tolerant(inner) for inner in cast("list[Any]", node)]
    kind = node["type"]
    if kind in ("union", "tagged-union"):
        return node
    if kind == "model-fields":
        fields = {name: {**field, "schema": _optional(field["schema"])} for name, field in node["fields"].items()}
        return {**node, "fields": fields, "extra_behavior": "allow" if "extras_schema" in node else "ignore"}
    if kind == "tuple":
        return {**node, "items_schema": [_item(inner) for inner in node["items_schema"]]}
    changed = {key: _tolerant(node[key]) for key in _WRAPPED_AT if key in node}
    if kind != "model":
        return {**node, **changed}
    function = {"type": "no-info", "function": _assembling(node["cls"])}
    reference = {"ref": node["ref"]} if "ref" in node else {}
    return {"type": "function-after", "function": function, "schema": changed["schema"], **reference}


def _optional(node: Node) -> Node:
    """Return the schema of a field that is absent where it does not fit; a default stays for where nothing is given."""
    if node["type"] == "default":
        return {**node, "schema": _lenient(_tolerant(node["schema"]))}
    return _lenient(_tolerant(node))


def _item(node: Node) -> Node:
    """Let the items of a list fail alone where they are values of their own, so that the others keep their places."""
    is_model = node["type"] in ("model", "definition-ref")
    return _lenient(_tolerant(node)) if is_model else _tolerant(node)


def _lenient(node: Node) -> Node:
    return {"type": "default", "schema": node, "default": _ABSENT, "on_error": "default"}


def _assembling(cls: type[BaseModel]) -> Callable[[Any], BaseModel]:
    def assemble(read: tuple[Mapping[str, Any], Any, set[str]]) -> BaseModel:
        fields, extra, names = read
        value = cls.__new__(cls)
        fitting = {name: inner for name, inner in fields.items() if inner is not _ABSENT}
        object.__setattr__(value, "__dict__", fitting)
        object.__setattr__(value, "__pydantic_fields_set__", names & fitting.keys())
        object.__setattr__(value, "__pydantic_extra__", extra)
        object.__setattr__(value, "__pydantic_private__", None)
        return value

    return assemble
