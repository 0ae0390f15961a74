"""JSON Schema through jsonschema: is the schema sound, and does a value fit. Fetches nothing from the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from crucible.errors import DataError, require

__all__ = ["read_schema", "schema_of_fields", "violation"]


def schema_of_fields(fields: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these fields, whatever is in them, and perhaps others.

    Raises:
        DataError: There is no field, or one without a name.
    """
    if not fields or not all(fields):
        raise DataError(f"a list of fields holds the name of at least one, got {list(fields)!r:.80}")
    return {"type": "object", "required": list(dict.fromkeys(fields))}


def read_schema(path: Path) -> dict[str, Any]:
    """Read a JSON Schema from a file.

    Raises:
        DataError: The file cannot be read or holds no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"answer_schema: {path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"answer_schema: {path} is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise DataError(f"answer_schema: {path} holds no JSON object")
    return cast("dict[str, Any]", found)


def violation(schema: dict[str, Any], *, what: str) -> Callable[[Any], str]:
    """Return a function that says in one sentence how a value violates the schema; the empty string if it fits.

    The function raises `DataError` where the schema refers to another one that is not inside it.

    Args:
        schema: The schema; its `$schema` chooses the draft, 2020-12 without one.
        what: Whose schema it is, for the message.

    Raises:
        DataError: The schema itself is not sound.
        MissingExtra: jsonschema is not installed.
    """
    require("jsonschema", extra="data", feature=what)
    import jsonschema
    from jsonschema.exceptions import best_match  # pyright: ignore[reportUnknownVariableType]  # untyped in its stubs
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise DataError(f"{what} is no sound JSON Schema: {error.message} at {error.json_path}") from error
    validator = kind(schema, registry=REGISTRY)

    def problem(value: Any) -> str:
        try:
            found = cast("jsonschema.ValidationError | None", best_match(validator.iter_errors(value)))
        except Unresolvable as error:
            raise DataError(f"{what} refers to {error.ref}, which is not inside it; nothing is fetched") from error
        except RecursionError:
            return "it is nested too deeply"
        return "" if found is None else f"{found.message} at {found.json_path}"

    return problem
