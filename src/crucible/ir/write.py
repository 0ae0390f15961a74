"""Documents to text and plain data: every field, in the order of the type."""

from __future__ import annotations

from typing import Any

from crucible.ir.model import Model
from crucible.ir.yaml_text import dump_yaml

__all__ = ["json_schema", "to_dict", "to_json", "to_yaml"]


def to_dict(value: Model) -> dict[str, Any]:
    """Return plain JSON-like data with every field, in the order of the type."""
    return value.model_dump(mode="json", by_alias=True)


def to_json(value: Model, *, indent: int | None = None) -> str:
    """Return the JSON text of a value, every field included.

    Args:
        value: The value.
        indent: Spaces a level; None: all on one line.
    """
    return value.model_dump_json(by_alias=True, indent=indent)


def to_yaml(value: Model, *, defaults: bool = True) -> str:
    """Return the YAML text of a value.

    Args:
        value: The value.
        defaults: False: without the fields that hold their defaults, which is easier to read and reads back the same.
    """
    data = value.model_dump(mode="json", by_alias=True, exclude_defaults=not defaults)
    if (version := getattr(value, "schema_version", None)) is not None:
        data = {"schema_version": version, **data}  # a file without it counts as of the first version
    return dump_yaml(data)


def json_schema(kind: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type; known words of open fields are its `examples`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}
