"""Documents from text and plain data: JSON and YAML in, typed values out.

Reading is strict, and every problem names its file and its path. With `strict=False` unknown keys are kept and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from crucible.errors import SpecError, SpecErrors
from crucible.ir.experiment import Experiment
from crucible.ir.json_text import parse_json, quickly
from crucible.ir.lenient import settled
from crucible.ir.migration import Migrations
from crucible.ir.model import Model
from crucible.ir.validation_plain import is_plain
from crucible.ir.yaml_text import parse_yaml

__all__ = ["from_dict", "from_json", "from_yaml", "load", "read_mapping"]

M = TypeVar("M", bound=Model)

_LEVELS = 200
"""Levels of mappings and lists that a document may have; the parser beneath takes no more."""


def from_dict(data: Mapping[str, Any], kind: type[M], *, source: str = "", strict: bool = True) -> M:
    """Build a value from plain data; parts of it may be built values and aware `datetime`s already.

    Args:
        data: Mappings, lists, strings, numbers, booleans and None, of this or any older version.
        kind: What to build.
        source: What is being read, for the message; the type's name if empty.
        strict: False: unknown keys are kept under `extra` and null reads as the default, with an `UnknownKeyWarning`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    source = source or kind.__name__
    try:
        plain = _plain(data)
    except RecursionError:
        raise _too_deep(source) from None
    return _built(_mapping(plain, source), kind, source, strict)


def from_json(text: str | bytes, kind: type[M], *, strict: bool = True) -> M:
    """Build a value from JSON text.

    Args:
        text: One JSON object; bytes are UTF-8.
        kind: What to build.
        strict: As `from_dict`.

    Raises:
        SpecErrors: The text is not JSON, or does not fit the type: every problem, each with its path.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise _problem(kind.__name__, f"is not UTF-8 text (byte {error.start})", "syntax") from None
    if (quick := quickly(text, kind)) is not None:
        value, data = quick
        migrations = _migrations(kind)
        if migrations is None or migrations.is_current(data):
            return value
    try:
        data = parse_json(text)
    except ValueError as error:
        raise _problem(kind.__name__, f"not valid JSON: {error}", "syntax") from None
    return _built(_mapping(data, kind.__name__), kind, kind.__name__, strict)


def from_yaml(text: str, kind: type[M], *, strict: bool = True) -> M:
    """Build a value from YAML text.

    Args:
        text: One YAML document: a mapping, without tags, anchors and aliases.
        kind: What to build.
        strict: As `from_dict`.

    Raises:
        SpecErrors: The text is not YAML, or does not fit the type: every problem, each with its path.
    """
    try:
        data = parse_yaml(text)
    except ValueError as error:
        raise _problem(kind.__name__, f"not valid YAML: {error}", "syntax") from None
    return _built(_mapping(data, kind.__name__), kind, kind.__name__, strict)


def load(path: str | Path, *, strict: bool = True) -> Experiment:
    """Read an experiment document from a `.yaml`, `.yml` or `.json` file, without looking at stage options.

    Args:
        path: The file.
        strict: As `from_dict`.

    Raises:
        SpecErrors: The file is missing or unreadable, is not YAML or JSON, or does not fit; every problem at once.
    """
    return _built(read_mapping(path), Experiment, str(path), strict)


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a `.yaml`, `.yml` or `.json` file whose top level is a mapping.

    Raises:
        SpecErrors: The file is missing, unreadable, not UTF-8, not of its format, or no mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a byte-order mark
    except FileNotFoundError:
        raise _problem(path, "no such file; check the path, or start from an example", "missing") from None
    except IsADirectoryError:
        raise _problem(path, "is a folder; name the experiment file inside it", "type") from None
    except OSError as error:
        raise _problem(path, f"cannot be read ({error.strerror})", "unreadable") from None
    except UnicodeDecodeError as error:
        raise _problem(path, f"is not UTF-8 text (byte {error.start})", "syntax") from None
    parse, name = (parse_json, "JSON") if path.suffix.lower() == ".json" else (parse_yaml, "YAML")
    try:
        return _mapping(parse(text), str(path))
    except ValueError as error:
        raise _problem(path, f"is not valid {name}: {error}", "syntax") from None


def _built(data: Mapping[str, Any], kind: type[M], source: str, strict: bool) -> M:
    try:
        if not strict:
            if (migrations := _migrations(kind)) is not None:
                data = migrations.apply(data, source=source)
            data = settled(data, kind, source=source)
        return kind.read(data, source=source)
    except (RecursionError, SpecErrors) as error:
        if isinstance(error, RecursionError) or _is_deep(data):
            raise _too_deep(source) from None
        if error.errors[0].code == "json_invalid":  # of plain data that is not deep, there is one reason left
            raise _problem(source, "holds half of a surrogate pair, which is no text", "syntax") from None
        raise


def _migrations(kind: type[Model]) -> Migrations | None:
    return getattr(kind, "migrations", None)


def _is_deep(data: Any) -> bool:
    level: list[Any] = [data]
    for _ in range(_LEVELS):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(cast("Mapping[Any, Any]", value).values())
    return list(cast("list[Any]", value)) if isinstance(value, (list, tuple)) else []


def _plain(value: Any) -> Any:
    """Return data in which built values are plain again, as text would have them; the data itself if it is plain."""
    if is_plain(value):
        return value
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    return value


def _mapping(data: Any, source: str) -> dict[str, Any]:
    if isinstance(data, dict):
        return cast("dict[str, Any]", data)
    found = "nothing" if data is None else type(data).__name__
    raise _problem(source, f"expected a mapping at the top level, got {found}", "type")


def _problem(source: str | Path, message: str, code: str) -> SpecErrors:
    return SpecErrors(str(source), [SpecError(message, code=code)])


def _too_deep(source: str) -> SpecErrors:
    return _problem(source, f"is nested too deeply (at most {_LEVELS} levels)", "depth")
