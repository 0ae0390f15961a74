"""Checking what a query holds a field against, and the form in which a check keeps it.

Times are kept as ISO-8601 UTC text, confidences as floats, lists as tuples: JSON values with one spelling each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.trace.event import format_timestamp
from crucible.trace.plain import not_plain
from crucible.trace.queries.fields import Kind
from crucible.trace.queries.patterns import finder
from crucible.trace.reading import read_timestamp
from crucible.trace.vocabulary import event_types

__all__ = ["categories", "kind_of", "read_operand", "thawed"]

_UNKNOWN = "other"  # the category of types that are not registered


def read_operand(kind: Kind, operator: str, value: object) -> tuple[Any, list[SpecError]]:
    """Return a value in the form that a `Check` keeps, and what is wrong with it.

    Args:
        kind: What the field holds.
        operator: One of the field's operators.
        value: As the query gives it.

    Returns:
        The value, to be used only if there are no problems, and the problems, with paths below the operator such as
        `[2]`.
    """
    problems: list[SpecError] = []
    if operator != "in":
        return _read(kind, operator, value, problems), problems
    if not isinstance(value, list | tuple):
        problems.append(_wrong("a list", value))
        return None, problems
    entries = cast("list[object]", value)
    if not entries:
        problems.append(SpecError("an empty list would match nothing; give at least one value", code="empty"))
    read: list[Any] = []
    for place, entry in enumerate(entries):
        inner: list[SpecError] = []
        read.append(_read(kind, "entry", entry, inner))
        problems += [SpecError(each.message, path=f"[{place}]{each.path}", code=each.code) for each in inner]
    return tuple(read), problems


def _read(kind: Kind, operator: str, value: object, problems: list[SpecError]) -> Any:
    try:
        return _reader(kind, operator)(value)
    except SpecError as problem:
        problems.append(problem)
        return None


def _reader(kind: Kind, operator: str) -> Callable[[object], Any]:
    if operator == "exists":
        return _boolean
    if operator == "matches":
        return _pattern
    if operator in ("eq", "ne", "entry"):
        return _or_none(_WORD if kind is Kind.WORDS and operator == "entry" else _EQUAL[kind])
    if kind is Kind.VALUE:
        return {"contains": _json, "starts_with": _text}.get(operator, _ordered)
    return {Kind.NUMBER: _number, Kind.MOMENT: _moment}.get(kind, _text)


def _or_none(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("text", value)
    return value


def _pattern(value: object) -> str:
    finder(value)
    return cast("str", value)


def _category(value: object) -> str:
    word = _text(value)
    known = categories()
    if word not in known:
        hint = did_you_mean(word[:80], known) or "; known are " + ", ".join(known)
        raise SpecError(f"unknown category {word[:80]!r}{hint}", code="unknown_category")
    return word


def categories() -> tuple[str, ...]:
    """Return the categories of the registered types in order of registration, and that of all other types."""
    return tuple(dict.fromkeys([*(entry.category for entry in event_types()), _UNKNOWN]))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpecError("expected a finite number; nothing can be compared with NaN and infinities", code="value")
    return number


def _moment(value: object) -> str:
    moment = read_timestamp(value)
    if moment is None:
        shown = f"{value[:80]!r}" if isinstance(value, str) else f"{kind_of(value)}"
        raise SpecError(f"expected a time, as a datetime or as ISO-8601 text, got {shown}", code="type")
    return format_timestamp(moment)


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong("the whole list (for one of its entries use `contains`)", value)
    entries = cast("list[object]", value)
    if odd := [entry for entry in entries if not isinstance(entry, str)]:
        raise _wrong("a list of text", odd[0])
    return tuple(cast("list[str]", entries))


def _json(value: object) -> Any:
    if value is None:
        raise SpecError("expected a value, got null; to find what is missing use {exists: false}", code="type")
    if isinstance(value, str):
        return value  # any text, as events in memory may hold any
    if problem := not_plain(value, "the value"):
        raise SpecError(problem, code="not_json")
    return _frozen(value)


def _object(value: object) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong("an object", value)
    return _json(dict(cast("Mapping[str, Any]", value)))


def _ordered(value: object) -> float | str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("a number or text", value)
    return cast("float", _json(value))


_WORD: Callable[[object], Any] = _text
_EQUAL: Mapping[Kind, Callable[[object], Any]] = {
    Kind.TEXT: _text,
    Kind.TYPE: _text,
    Kind.CATEGORY: _category,
    Kind.NUMBER: _number,
    Kind.MOMENT: _moment,
    Kind.WORDS: _words,
    Kind.OBJECT: _object,
    Kind.VALUE: _json,
}


def _frozen(value: Any) -> Any:
    """Return a copy with tuples for lists; `not_plain` has bounded the depth."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(entry) for entry in cast("list[Any]", value))
    if isinstance(value, dict):
        return {key: _frozen(entry) for key, entry in cast("dict[str, Any]", value).items()}
    return value


def thawed(value: Any) -> Any:
    """Return a check's value as JSON has it, with lists for tuples."""
    if isinstance(value, tuple):
        return [thawed(entry) for entry in cast("tuple[Any, ...]", value)]
    if isinstance(value, dict):
        return {key: thawed(entry) for key, entry in cast("dict[str, Any]", value).items()}
    return value


def _wrong(expected: str, value: object) -> SpecError:
    return SpecError(f"expected {expected}, got {kind_of(value)}", code="type")


def kind_of(value: object) -> str:
    """Return what a value is, in words, shortened."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < 2**63 else "a number beyond 64 bits"
    if isinstance(value, str):
        return f"the text {value[:80]!r}"
    named: list[tuple[Any, str]] = [(Mapping, "an object"), (list, "a list"), (tuple, "a list")]
    return next((word for kind, word in named if isinstance(value, kind)), f"a {value.__class__.__name__}")
