"""Documents to text and plain data: every field, in the order of the type."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError

from crucible.errors import SpecError, SpecErrors
from crucible.ir.model import Model
from crucible.ir.yaml_text import dump_yaml

__all__ = ["dumped", "json_schema", "to_dict", "to_json", "to_yaml"]


def to_dict(value: Model) -> dict[str, Any]:
    """Return plain JSON-like data with every field, in the order of the type.

    Raises:
        SpecErrors: The value holds something that JSON has no word for, which only a copy made without checks can.
    """
    return dumped(value)


def dumped(value: Model, *, exclude_unset: bool = False, exclude_defaults: bool = False) -> dict[str, Any]:
    """Return plain JSON-like data of a value.

    Args:
        value: The value.
        exclude_unset: Without the fields that nobody gave.
        exclude_defaults: Without the fields that hold their defaults.

    Raises:
        SpecErrors: As `to_dict`.
    """
    try:
        return value.model_dump(
            mode="json", by_alias=True, exclude_unset=exclude_unset, exclude_defaults=exclude_defaults, warnings=False
        )
    except (PydanticSerializationError, UnicodeError, AttributeError, RecursionError) as error:
        raise _no_json(value, error) from None


def _no_json(value: Model, error: Exception) -> SpecErrors:
    name = type(value).__name__
    is_half = isinstance(error, UnicodeError) or "surrogates" in str(error)
    why = "half of a surrogate pair" if is_half else f"a value of another kind ({error})"
    message = f"{name} holds what JSON has no word for: {why}; `validate` says where"
    return SpecErrors(name, [SpecError(message, code="plain")])


def to_json(value: Model, *, indent: int | None = None) -> str:
    """Return the JSON text of a value, every field included.

    Args:
        value: The value.
        indent: Spaces a level; None: all on one line.

    Raises:
        SpecErrors: As `to_dict`.
    """
    try:
        return value.model_dump_json(by_alias=True, indent=indent, warnings=False)
    except (PydanticSerializationError, UnicodeError, AttributeError, RecursionError) as error:
        raise _no_json(value, error) from None


def to_yaml(value: Model, *, defaults: bool = True) -> str:
    """Return the YAML text of a value.

    Args:
        value: The value.
        defaults: False: without the fields that hold their defaults, which is easier to read and reads back the same.

    Raises:
        SpecErrors: As `to_dict`.
    """
    data = dumped(value, exclude_defaults=not defaults)
    if (version := getattr(value, "schema_version", None)) is not None:
        data = {"schema_version": version, **data}  # a file without it counts as of the first version
    return dump_yaml(data)


def json_schema(kind: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type; known words of open fields are its `examples`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}
