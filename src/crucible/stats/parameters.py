"""Parameters that are numbers: text or nothing in the place of one is refused by name, at one border for the room.

Every function that computes passes it (`extra.needs_stats` wears `takes_numbers`); structs pass it by `check_fields`.
It looks at what is annotated as a number and at nothing else; ranges are for the functions to check.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from crucible.errors import StatsError

__all__ = ["check_fields", "check_number", "takes_numbers"]

P = ParamSpec("P")
R = TypeVar("R")

_NUMBERS = frozenset({"int", "float"})
_FORMS = _NUMBERS | {"None", "tuple[int, int]", "tuple[float, float]"}
"""What an annotation of a number may be made of; any other is none of this module's business."""


class _Numeric(NamedTuple):
    name: str
    place: int | None  # among the positional arguments
    is_optional: bool
    what: str


def check_number(value: Any, name: str, what: str = "a number") -> None:
    """Check that a value is a number of any package; NaN and infinities are, text, None and complex numbers are not.

    Args:
        value: What came.
        name: What it is called in an error.
        what: What was expected.

    Raises:
        StatsError: It is none.
    """
    kind: type[Any] = value.__class__
    if kind is float or kind is int or hasattr(kind, "__float__") or hasattr(kind, "__index__"):
        return
    raise StatsError(f"{name} must be {what}, got {value!r}")


def takes_numbers(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` raise StatsError where text, None or the like comes for a parameter annotated as a number."""
    code = function.__code__
    places = {name: place for place, name in enumerate(code.co_varnames[: code.co_argcount])}
    numeric = _numeric(function.__annotations__, places)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for one in numeric:
            if one.name in kwargs:
                _check(one, kwargs[one.name])
            elif one.place is not None and one.place < len(args):
                _check(one, args[one.place])
        return function(*args, **kwargs)

    return wrapper if numeric else function


def check_fields(struct: Any) -> None:
    """Check the fields of a struct that are annotated as numbers.

    Raises:
        StatsError: One is text, None or the like.
    """
    for one in _fields_of(struct.__class__):
        _check(one, getattr(struct, one.name))


@functools.cache
def _fields_of(kind: type) -> tuple[_Numeric, ...]:
    annotated = {
        name: said for base in reversed(kind.__mro__) for name, said in vars(base).get("__annotations__", {}).items()
    }
    return _numeric(annotated, {})


def _numeric(annotated: dict[str, Any], places: dict[str, int]) -> tuple[_Numeric, ...]:
    found: list[_Numeric] = []
    for name, said in annotated.items():
        forms = {form.strip() for form in str(said).split("|")}
        if name != "return" and forms <= _FORMS and forms - {"None"}:
            what = "a whole number" if "float" not in str(said) else "a number"
            what += " or two" if "tuple" in str(said) else ""
            found.append(_Numeric(name, places.get(name), "None" in forms, what))
    return tuple(found)


def _check(one: _Numeric, value: Any) -> None:
    if value is None and one.is_optional:
        return
    if isinstance(value, tuple) and one.what.endswith("two"):
        for part in cast("tuple[Any, ...]", value):
            check_number(part, one.name, one.what)
        return
    check_number(value, one.name, one.what)
