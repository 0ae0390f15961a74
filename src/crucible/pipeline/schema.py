"""A stage's schema, derived from its options model, so that it cannot drift from what `run` reads.

Types are written as JSON: `"integer"`, `{"list": "string"}`, `{"enum": ["a", "b"]}`, `{"union": ["integer", "null"]}`,
`{"map": ["string", "float"]}`, `{"struct": "Contrast"}`, `"any"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

__all__ = ["SCHEMA_VERSION", "describe", "type_spec", "type_words"]

SCHEMA_VERSION = "1.0.0"
_WORDS = {"number": "float", "array": "list", "object": "map"}


def describe(name: str, description: str, options: type[BaseModel]) -> dict[str, Any]:
    """Return the canonical schema of a stage, with the JSON Schema of its options.

    Args:
        name: The stage's name.
        description: What it does; must not be empty.
        options: Model of its options.
    """
    schema = options.model_json_schema(by_alias=True)
    properties: dict[str, Any] = schema.get("properties", {})
    required: list[str] = schema.get("required", [])
    return {
        "name": name,
        "description": description or f"The stage {name}.",
        "required": required,
        "optional": [key for key in properties if key not in required],
        "types": {key: type_spec(entry) for key, entry in properties.items()},
        "defaults": {key: entry["default"] for key, entry in properties.items() if "default" in entry},
        "__schema_version__": SCHEMA_VERSION,
        "__extensions__": {"help": {key: entry.get("description", "") for key, entry in properties.items()}},
        "json_schema": schema,
    }


def type_spec(entry: Mapping[str, Any]) -> Any:
    """Return the type of one option as JSON.

    Args:
        entry: Its part of a JSON Schema.
    """
    if "enum" in entry or "const" in entry:
        return {"enum": list(entry.get("enum", ())) or [entry["const"]]}
    if "$ref" in entry:
        return {"struct": str(entry["$ref"]).rsplit("/", 1)[-1]}
    if union := entry.get("anyOf") or entry.get("oneOf"):
        specs = [type_spec(part) for part in union]
        return {"union": [spec for i, spec in enumerate(specs) if spec not in specs[:i]]}
    word = str(entry.get("type", "any"))
    inner = entry.get("items") if word == "array" else entry.get("additionalProperties")
    if word == "array" and isinstance(inner, dict):
        return {"list": type_spec(cast("dict[str, Any]", inner))}
    if word == "object" and isinstance(inner, dict):
        return {"map": ["string", type_spec(cast("dict[str, Any]", inner))]}
    return _WORDS.get(word, word)


def type_words(spec: Any) -> str:
    """Return a type for people, such as `list of integer | null`."""
    if isinstance(spec, str):
        return spec
    ((kind, inner),) = cast("dict[str, Any]", spec).items()
    if kind == "enum":
        return " | ".join(map(str, inner))
    if kind == "union":
        return " | ".join(dict.fromkeys(map(type_words, inner)))
    if kind == "list":
        return f"list of {type_words(inner)}"
    if kind == "map":
        return f"map of {type_words(inner[0])} to {type_words(inner[1])}"
    return str(inner)
