"""Reading what a newer or a foreign writer wrote: nothing is lost, and everything unusual is named.

Keys that are not known move under `extra` of the value that they stand in; null where a value has a default other than
null reads as that default. What is wrong beyond that stays wrong: types and ranges are checked as strictly as ever.
"""

from __future__ import annotations

import types
import typing
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crucible.errors import SpecError, SpecErrors, UnknownKeyWarning
from crucible.ir.model import did_you_mean
from crucible.ir.predecessor import NotElixir
from crucible.ir.spelling import names_of
from crucible.ir.wording_text import hidden

__all__ = ["settled"]


def settled(data: Mapping[str, Any], kind: type[BaseModel], *, source: str) -> Mapping[str, Any]:
    """Return the data in a form that reads strictly, as far as unknown keys and nulls go, and warn of what was moved.

    Args:
        data: Plain data; it is not changed.
        kind: What is to be built of it.
        source: What is being read, for the messages.

    Raises:
        SpecErrors: A key that is not known stands under `extra` already.
    """
    notes = _Notes()
    result = _model(kind, data, "", notes)
    if notes.clashes:
        raise SpecErrors(source, notes.clashes)
    if notes.kept or notes.defaulted or notes.loose:
        parts = [
            f"{words}: {', '.join(paths)}"
            for words, paths in (
                ("kept under `extra`", notes.kept),
                ("null read as the default", notes.defaulted),
                ("read as a plain map", notes.loose),
            )
            if paths
        ]
        warnings.warn(f"{source}: {'; '.join(parts)}", UnknownKeyWarning, stacklevel=4)
    return result


@dataclass
class _Notes:
    kept: list[str] = field(default_factory=list[str])
    defaulted: list[str] = field(default_factory=list[str])
    loose: list[str] = field(default_factory=list[str])
    clashes: list[SpecError] = field(default_factory=list[SpecError])


def _model(kind: type[BaseModel], data: Mapping[Any, Any], path: str, notes: _Notes) -> dict[str, Any]:
    fields = {each: found for name, found in kind.model_fields.items() for each in names_of(name, found)}
    takes_all = kind.model_config.get("extra") == "allow" or "extra" not in fields
    result: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in data.items():
        place = _at(path, str(key))
        found = fields.get(key)
        if found is None:
            # a key that is no text is for the strict reader to refuse
            (unknown if isinstance(key, str) and not takes_all else result)[key] = value
        elif isinstance(value, str) and any(mark.is_foreign(value) for mark in _marks(found.annotation)):
            unknown[key] = value
        elif value is None and not found.is_required() and not _takes_null(found.annotation):
            notes.defaulted.append(place)
        else:
            result[key] = _value(found.annotation, value, place, notes)
    if unknown:
        _keep(result, unknown, path, notes, known=fields)
    return result


def _at(path: str, key: str) -> str:
    return f"{path}.{hidden(key)}" if path else hidden(key)


def _keep(
    result: dict[str, Any], unknown: dict[str, Any], path: str, notes: _Notes, known: Mapping[str, FieldInfo]
) -> None:
    before = result.get("extra")
    if not (before is None or isinstance(before, dict)):
        result.update(unknown)  # the strict reader says what is wrong with either
        return
    result["extra"] = {**cast("dict[str, Any]", before or {}), **unknown}
    for key in unknown:
        place = _at(path, key)
        if before and key in before:
            notes.clashes.append(
                SpecError("is given here and under `extra`; leave one of them", path=place, code="clash")
            )
        hint = "" if key in known else did_you_mean(key, known).replace("; ", " (").replace("?", "?)")
        notes.kept.append(place + hint)


def _note_loose(branches: list[Any], value: Mapping[Any, Any], path: str, notes: _Notes) -> None:
    """Name the keys for which a map is not read as the type that it could have been."""
    for kind in branches:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            known = {each for name, found in kind.model_fields.items() for each in names_of(name, found)}
            unknown = [str(key) for key in value if key not in known]
            is_meant = len(unknown) < len(value) or any(did_you_mean(key, known) for key in unknown)
            if unknown and is_meant:  # a map that has nothing of the type is the plain one that it may be
                names = ", ".join(hidden(key) + did_you_mean(key, known).replace("; ", ", ") for key in unknown)
                notes.loose.append(f"{path} (for {names})")


def _value(annotation: Any, value: Any, path: str, notes: _Notes) -> Any:
    """Settle what a field holds: a model, a list of them, or something that nobody looks into."""
    branches = list(_branches(annotation))
    if isinstance(value, Mapping) and not any(typing.get_origin(branch) is dict for branch in branches):
        for branch in branches:
            if isinstance(branch, type) and issubclass(branch, BaseModel):
                return _model(branch, cast("Mapping[str, Any]", value), path, notes)
    elif isinstance(value, Mapping):
        _note_loose(branches, cast("Mapping[Any, Any]", value), path, notes)
    elif isinstance(value, (list, tuple)):
        for branch in branches:
            if typing.get_origin(branch) is tuple:
                inner = typing.get_args(branch)[0]
                items = cast("list[Any]", value)
                return [_value(inner, item, f"{path}[{place}]", notes) for place, item in enumerate(items)]
    return cast("Any", value)


def _branches(annotation: Any) -> typing.Iterator[Any]:
    """Yield what an annotation may be, without its marks."""
    if typing.get_origin(annotation) is Annotated:
        yield from _branches(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for inner in typing.get_args(annotation):
            yield from _branches(inner)
    else:
        yield annotation


def _marks(annotation: Any) -> typing.Iterator[NotElixir]:
    """Yield the marks of names that mean nothing here."""
    for inner in typing.get_args(annotation):
        if isinstance(inner, NotElixir):
            yield inner
        else:
            yield from _marks(inner)


def _takes_null(annotation: Any) -> bool:
    return any(branch is Any or branch is type(None) for branch in _branches(annotation))
