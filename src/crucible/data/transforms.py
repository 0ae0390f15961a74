"""Named transforms of a field's value. A file names them; it cannot bring code of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from crucible.errors import DataError
from crucible.ir import did_you_mean

__all__ = ["letter_of", "transform_names", "transform_problem", "transformed"]

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letter_of(index: int) -> str:
    """Return the letter of a choice: A for 0.

    Raises:
        ValueError: There are 26 letters.
    """
    if not 0 <= index < len(_LETTERS):
        raise ValueError(f"there is no letter for {index}; choices are counted from 0 and are at most {len(_LETTERS)}")
    return _LETTERS[index]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got a {type(value).__name__}")
    return value


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"expected a list, got a {type(value).__name__}")
    return cast("Sequence[Any]", value)


def _first(value: Any) -> Any:
    if not (found := _list(value)):
        raise ValueError("the list is empty")
    return found[0]


def _number(value: Any) -> int | float:
    text = _text(value).strip().replace(",", "")
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f'"{text}" is no finite number')
    return found


def _after_hashes(value: Any) -> str:
    _, marker, last = _text(value).rpartition("####")
    if not marker:
        raise ValueError('there is no "####"')
    return last.strip()


def _boxed(value: Any) -> str:
    r"""Return what the last `\boxed{…}` holds, with its inner braces."""
    text = _text(value)
    start = text.rfind(r"\boxed{")
    if start < 0:
        raise ValueError(r"there is no \boxed{…}")
    depth, begin = 0, start + len(r"\boxed{")
    for place in range(begin - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[begin:place]
    raise ValueError(r"the last \boxed{ is not closed")


def _letter(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"expected an index, got a {type(value).__name__}")
    return letter_of(int(value))


def _null_if_nan(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


_TRANSFORMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "after_hashes": _after_hashes,
    "boxed": _boxed,
    "first": _first,
    "join_lines": lambda value: "\n".join(map(_text, _list(value))),
    "last": lambda value: _first(list(reversed(_list(value)))),
    "letter": _letter,
    "lower": lambda value: _text(value).lower(),
    "null_if_nan": _null_if_nan,
    "number": _number,
    "parse_json": lambda value: json.loads(_text(value)),
    "strip": lambda value: _text(value).strip(),
    "upper": lambda value: _text(value).upper(),
}


def transform_names() -> tuple[str, ...]:
    """Return the names of the transforms, sorted."""
    return tuple(sorted(_TRANSFORMS))


def transform_problem(transforms: Mapping[str, Sequence[str]] | None) -> str:
    """Return what is wrong with named transforms, in one sentence; empty if nothing is."""
    for field, names in (transforms or {}).items():
        for name in names:
            if name not in _TRANSFORMS:
                near = did_you_mean(name, _TRANSFORMS)
                return f'fields.transforms.{field}: unknown "{name}"; known: {", ".join(transform_names())}{near}'
    return ""


def transformed(value: Any, names: Sequence[str], where: str) -> Any:
    """Return a value after each of the named transforms.

    Args:
        value: The field's value.
        names: Names of transforms, in order.
        where: The row and the field, for the message.

    Raises:
        DataError: A name is unknown, or a transform cannot take the value.
    """
    for name in names:
        if name not in _TRANSFORMS:
            raise DataError(f"{where}: {transform_problem({'': [name]})}")
        try:
            value = _TRANSFORMS[name](value)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f'{where}: the transform "{name}" cannot take this: {error}') from error
    return value
