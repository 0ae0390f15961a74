"""As much of a document as fits, so that one field of a wrong type does not hide what else is wrong.

What does not fit is left out, as if nobody had written it; where something must stand, a stand-in does. The value is
for looking at alone: what a check says of a place that was left out is about the stand-in, and not to be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast

from pydantic.fields import FieldInfo

from crucible.assembly.knobs_walk import inner_types
from crucible.errors import SpecErrors
from crucible.ir import Model

__all__ = ["is_of_left_out", "readable"]

Parts = tuple[str | int, ...]

_STAND_IN: Final = "unreadable"
_ROUNDS: Final = 20
"""Readings at most; each one leaves out what the one before complained of, or what is around it."""
_COMPARED: Final = {"training_config.dataset_ref": "dataset", "baseline": "training_config.model_ref"}
"""Parts that are held against another one, so that what is said of them may be about a stand-in there."""
_PART: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def readable(data: dict[str, Any], kind: type[Model]) -> tuple[Model | None, frozenset[str]]:
    """Return the value of what fits in a document that does not fit as a whole, and the paths that were left out.

    Args:
        data: The document as plain data; what does not fit is taken out of it in place.
        kind: Its type.

    Returns:
        None as the value where nothing can be made of it, such as a document of a newer version.
    """
    left_out: set[str] = set()
    stood_in: set[Parts] = set()
    for _ in range(_ROUNDS):
        try:
            return kind.read(data), frozenset(left_out)
        except SpecErrors as problems:
            done: set[Parts] = set()
            for parts in (_parts(problem.path) for problem in problems.errors if problem.code != "version"):
                if not any(parts[:size] in done for size in range(1, len(parts) + 1)):
                    done.add(_leave_out(data, kind, parts, stood_in))
            left_out.update(_text(parts) for parts in done)
            if not done or not all(done):
                break
    return None, frozenset(left_out)


def is_of_left_out(path: str, left_out: Iterable[str]) -> bool:
    """Tell whether what is said of a place is about something that was left out.

    Args:
        path: The place.
        left_out: The paths that were left out.
    """
    mirrored = [
        other + path.removeprefix(part) for part, other in _COMPARED.items() if path == part or _is_in(path, part)
    ]
    if any(path == each or _is_in(path, each) for each in left_out):
        return True
    return any(_is_in(one, each) or _is_in(each, one) or one == each for one in mirrored for each in left_out)


def _is_in(path: str, whole: str) -> bool:
    return path.startswith((f"{whole}.", f"{whole}["))


def _leave_out(data: dict[str, Any], kind: type[Model], parts: Parts, stood_in: set[Parts]) -> Parts:
    """Take a place out of a document, or what is around it; return what was taken, empty if that is the whole."""
    if not parts:
        return ()
    here, last, field = _at(data, parts[:-1]), parts[-1], _field_at(kind, parts)
    is_place = isinstance(here, list) if isinstance(last, int) else isinstance(here, dict)
    if parts in stood_in or not is_place:
        return _leave_out(data, kind, parts[:-1], stood_in)
    holder = cast("dict[Any, Any]", here)  # a list takes its places as a mapping takes its keys
    if isinstance(last, str) and last in holder:
        del holder[last]
        return parts
    made = None if field is None else _made(field, is_item=isinstance(last, int))
    if made is None:
        return _leave_out(data, kind, parts[:-1], stood_in)
    holder[last] = made
    stood_in.add(parts)
    return parts


def _made(field: FieldInfo, *, is_item: bool) -> Any:
    """Return what can stand where something must: a word, or a value of the type with words in it; None if nothing."""
    inner = inner_types(field)
    if not inner:
        return _STAND_IN if field.is_required() and not is_item else None
    if not is_item and not field.is_required():
        return None
    needed = {own.alias or name: own for name, own in inner[0].model_fields.items() if own.is_required()}
    made = {name: _made(own, is_item=False) for name, own in needed.items()}
    return [made] if not is_item and "tuple" in str(field.annotation) else made


def _at(data: Any, parts: Parts) -> Any:
    """Return what stands at a place; None if there is no such place."""
    for part in parts:
        if isinstance(data, dict) and part in data:
            data = cast("dict[Any, Any]", data)[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(cast("list[Any]", data)):
            data = cast("list[Any]", data)[part]
        else:
            return None
    return data


def _field_at(kind: type[Model], parts: Parts) -> FieldInfo | None:
    """Return the field that a place is, or is an item of; None where the types say nothing of it."""
    inner: type[Model] | None = kind
    found: FieldInfo | None = None
    for part in parts:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in inner.model_fields.items()} if inner else {}
        found = fields.get(part)
        kinds = inner_types(found) if found else ()
        inner = kinds[0] if kinds else None
    return found


def _parts(path: str) -> Parts:
    return tuple(int(place) if place else name for name, place in _PART.findall(path))


def _text(parts: Parts) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
