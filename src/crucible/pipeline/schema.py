"""A stage's schema, derived from its options model, so that it cannot drift from what `run` reads.

Types are written as JSON: `"integer"`, `{"list": "string"}`, `{"enum": ["a", "b"]}`, `{"union": ["integer", "null"]}`,
`{"map": ["string", "float"]}`, `{"tuple": ["integer", "string"]}`, `{"struct": "Contrast"}`, `"any"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import to_jsonable_python

__all__ = ["SCHEMA_VERSION", "describe", "type_spec", "type_words"]

SCHEMA_VERSION = "1.0.0"
_WORDS = {"number": "float", "array": "list", "object": "map"}


class _Schema(GenerateJsonSchema):
    """JSON Schema in which what has none, such as a function, may be anything."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  # the base class has it so

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:  # noqa: ARG002  # the base's
        return {}


def describe(name: str, description: str, options: type[BaseModel]) -> dict[str, Any]:
    """Return the canonical schema of a stage, with the JSON Schema of its options.

    Args:
        name: The stage's name.
        description: What it does; must not be empty.
        options: Model of its options.
    """
    schema = options.model_json_schema(by_alias=True, schema_generator=_Schema)
    parts: dict[str, Any] = schema.get("$defs", {})
    properties: dict[str, Any] = schema.get("properties", {})
    required: list[str] = schema.get("required", [])
    fields = options.model_fields.items()
    made = {_key(field, attribute): value for attribute, field in fields if (value := _made(field)) is not None}
    return {
        "name": name,
        "description": description or f"The stage {name}.",
        "required": required,
        "optional": [key for key in properties if key not in required],
        "types": {key: type_spec(entry, parts) for key, entry in properties.items()},
        "defaults": {key: entry["default"] for key, entry in properties.items() if "default" in entry} | made,
        "__schema_version__": SCHEMA_VERSION,
        "__extensions__": {"help": {key: entry.get("description", "") for key, entry in properties.items()}},
        "json_schema": schema,
    }


def _key(field: FieldInfo, attribute: str) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) else field.alias or attribute


def _made(field: FieldInfo) -> Any:
    """Return a collection that a field's factory makes as default; None for anything else, such as the time."""
    if field.default_factory is None or field.default_factory_takes_validated_data:
        return None
    value = field.get_default(call_default_factory=True)
    if isinstance(value, (set, frozenset)):
        value = sorted(cast("set[Any]", value), key=repr)
    if not isinstance(value, (list, dict, tuple)):
        return None
    return to_jsonable_python(value, serialize_unknown=True)


def type_spec(entry: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> Any:
    """Return the type of one option as JSON.

    Args:
        entry: Its part of a JSON Schema.
        parts: What that schema refers to, its `$defs`.
    """
    if "enum" in entry or "const" in entry:
        return {"enum": list(entry.get("enum", ())) or [entry["const"]]}
    if "$ref" in entry:
        name = str(entry["$ref"]).rsplit("/", 1)[-1]
        part = (parts or {}).get(name, {})
        return type_spec(part) if "enum" in part or "const" in part else {"struct": name}
    if union := entry.get("anyOf") or entry.get("oneOf"):
        specs = [type_spec(choice, parts) for choice in union]
        return "any" if "any" in specs else {"union": [spec for i, spec in enumerate(specs) if spec not in specs[:i]]}
    if "prefixItems" in entry:
        return {"tuple": [type_spec(item, parts) for item in entry["prefixItems"]]}
    return _plain_spec(entry, parts)


def _plain_spec(entry: Mapping[str, Any], parts: Mapping[str, Any] | None) -> Any:
    word = str(entry.get("type", "any"))
    inner = entry.get("items") if word == "array" else entry.get("additionalProperties")
    if word == "array" and isinstance(inner, dict):
        return {"list": type_spec(cast("dict[str, Any]", inner), parts)}
    if word == "object" and isinstance(inner, dict):
        return {"map": ["string", type_spec(cast("dict[str, Any]", inner), parts)]}
    return _WORDS.get(word, word)


def type_words(spec: Any) -> str:
    """Return a type for people, such as `list of integer | null`."""
    if isinstance(spec, str):
        return spec
    ((kind, inner),) = cast("dict[str, Any]", spec).items()
    return _IN_WORDS[kind](inner) if kind in _IN_WORDS else str(inner)


_IN_WORDS: dict[str, Callable[[Any], str]] = {
    "enum": lambda values: " | ".join(map(str, values)),
    "union": lambda specs: " | ".join(dict.fromkeys(map(type_words, specs))),
    "list": lambda spec: f"list of {type_words(spec)}",
    "tuple": lambda specs: f"tuple of {', '.join(map(type_words, specs))}",
    "map": lambda specs: f"map of {type_words(specs[0])} to {type_words(specs[1])}",
}
