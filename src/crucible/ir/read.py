"""Documents from text: JSON and YAML in, typed values out, and back.

Reading is strict, and every problem names its file and its path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from crucible.errors import SpecError, SpecErrors
from crucible.ir.experiment import Experiment
from crucible.ir.model import Model
from crucible.ir.yaml_text import dump_yaml, parse_yaml

__all__ = [
    "content_hash",
    "from_dict",
    "from_json",
    "json_schema",
    "load",
    "parse_json",
    "read_mapping",
    "to_dict",
    "to_json",
    "to_yaml",
]

M = TypeVar("M", bound=Model)


def to_dict(value: Model) -> dict[str, Any]:
    """Return plain JSON-like data with every field, in the order of the type."""
    return value.model_dump(mode="json", by_alias=True)


def from_dict(data: Mapping[str, Any], kind: type[M], *, source: str = "") -> M:
    """Build a value from plain data, strictly.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    return kind.read(data, source=source)


def to_json(value: Model, *, indent: int | None = None) -> str:
    """Return the JSON text of a value, every field included."""
    return json.dumps(to_dict(value), ensure_ascii=False, indent=indent)


def from_json(text: str, kind: type[M]) -> M:
    """Build a value from JSON text, strictly.

    Raises:
        SpecErrors: The text is not JSON, or does not fit the type.
    """
    try:
        data = parse_json(text)
    except ValueError as error:
        raise SpecErrors(kind.__name__, [SpecError(f"not valid JSON: {error}", code="syntax")]) from None
    return kind.read(_mapping(data, kind.__name__))


def to_yaml(value: Model) -> str:
    """Return the YAML text of a value, without the fields that hold their defaults."""
    return dump_yaml(value.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def load(path: str | Path) -> Experiment:
    """Read an experiment document from a `.yaml`, `.yml` or `.json` file, without looking at stage options.

    Raises:
        SpecErrors: The file is missing or unreadable, is not YAML or JSON, or does not fit; every problem at once.
    """
    return Experiment.read(read_mapping(path), source=str(path))


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a `.yaml`, `.yml` or `.json` file whose top level is a mapping.

    Raises:
        SpecErrors: The file is missing, unreadable, not UTF-8, not of its format, or no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _problem(path, "no such file; check the path, or start from an example", "missing") from None
    except IsADirectoryError:
        raise _problem(path, "is a folder; name the experiment file inside it", "type") from None
    except OSError as error:
        raise _problem(path, f"cannot be read ({error.strerror})", "unreadable") from None
    except UnicodeDecodeError as error:
        raise _problem(path, f"is not UTF-8 text (byte {error.start})", "syntax") from None
    if path.suffix == ".json":
        try:
            return _mapping(parse_json(text), str(path))
        except ValueError as error:
            raise _problem(path, f"is not valid JSON: {error}", "syntax") from None
    try:
        return _mapping(parse_yaml(text), str(path))
    except ValueError as error:
        raise _problem(path, f"is not valid YAML: {error}", "syntax") from None


def _problem(source: Path, message: str, code: str) -> SpecErrors:
    return SpecErrors(str(source), [SpecError(message, code=code)])


def parse_json(text: str) -> Any:
    """Return the plain data of a JSON text; keys are unique and numbers are numbers.

    Raises:
        ValueError: The text is not JSON of this kind.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f'key "{key}" is given twice')
        result[key] = value
    return result


def _mapping(data: Any, source: str) -> dict[str, Any]:
    if isinstance(data, dict):
        return data  # pyright: ignore[reportUnknownVariableType]  # keys were checked by the parser
    found = "nothing" if data is None else type(data).__name__
    raise SpecErrors(source, [SpecError(f"expected a mapping at the top level, got {found}", code="type")])


def content_hash(value: Model) -> str:
    """Return the SHA-256 of the canonical JSON: independent of key order and of how the file was written."""
    text = json.dumps(to_dict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def json_schema(kind: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema(by_alias=True)}
