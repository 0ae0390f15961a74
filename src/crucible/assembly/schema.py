"""The JSON Schema of a whole document, stage options included, for the completion of editors."""

from __future__ import annotations

from typing import Any, Final

from crucible.ir import Experiment, json_schema
from crucible.pipeline import Registry

__all__ = ["document_schema"]

_REGISTERED: Final = {"module": {"const": None}}
"""Holds of a stage that is found by its name; one that names a module has a name and options of its own."""


def document_schema(registry: Registry | None = None) -> dict[str, Any]:
    """Return the schema of an experiment document in which each stage's options are spelled out.

    Args:
        registry: Where stages are found; None: the installed ones.
    """
    registry = registry or Registry()
    schema = json_schema(Experiment)
    definitions: dict[str, Any] = schema["$defs"]
    rules: list[dict[str, Any]] = []
    for name in registry.names():
        options: dict[str, Any] = dict(registry.get(name).describe()["json_schema"])
        definitions.update(options.pop("$defs", {}))
        definitions[f"{name}_options"] = options
        rules.append(
            {
                "if": {"properties": {"name": {"const": name}, **_REGISTERED}, "required": ["name"]},
                "then": {"properties": {"options": {"anyOf": [{"$ref": f"#/$defs/{name}_options"}, {"type": "null"}]}}},
            }
        )
    stage = definitions["StageDef"]
    names = {"properties": {"name": {"enum": registry.names()}}}
    stage["allOf"] = [{"if": {"properties": _REGISTERED}, "then": names}, *rules]
    return schema
