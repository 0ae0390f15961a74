"""From one check to a function of an event.

What is missing (None, a metadata path that leads nowhere, an empty list or object among the event's own fields) fails
every comparison, `ne`, too; only `eq` null and `exists: false` find it. Booleans are not numbers: True is not 1.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from crucible.trace.event import Event
from crucible.trace.queries.fields import Kind, read_field
from crucible.trace.queries.patterns import finder
from crucible.trace.queries.steps import Check
from crucible.trace.vocabulary import canonical_type, event_type

__all__ = ["Predicate", "compile_check", "same", "spellings"]

Predicate: TypeAlias = Callable[[Event], bool]
_ValueTest: TypeAlias = Callable[[Any], bool]

_DEEPEST = 200  # levels; a query has no values with more, see `operands`
_TRUE, _FALSE, _LIST, _OBJECT = object(), object(), object(), object()  # no value of an event is one of these
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def compile_check(check: Check) -> Predicate:
    """Return a function that says whether an event passes a check.

    What the registry of types says is read now.

    Raises:
        MissingExtra: The check has a regular expression and google-re2 is not installed.
    """
    field = read_field(check.field)
    test = _value_test(field.kind, check.operator, check.value)
    if field.kind is Kind.CONTENT:
        first, second = (read_field(name).getter() for name in ("decision", "reasoning"))
        return lambda event: test(first(event)) or test(second(event))
    get = field.getter()
    return lambda event: test(get(event))


def spellings(word: str) -> frozenset[str]:
    """Return a type's name and its aliases, given any of them; an unknown word is its only spelling."""
    name = canonical_type(word)
    known = event_type(name)
    return frozenset({name, *(known.aliases if known else ())})


def same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal: 1 is 1.0 but not true, a tuple is a list, NaN equals nothing."""
    waiting: list[tuple[Any, Any]] = [(left, right)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, list | tuple) and isinstance(other, list | tuple):
            ones, others = cast("list[Any]", one), cast("list[Any]", other)
            if len(ones) != len(others):
                return False
            waiting += zip(ones, others, strict=True)
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            mine, theirs = cast("Mapping[Any, Any]", one), cast("Mapping[Any, Any]", other)
            if mine.keys() != theirs.keys():
                return False
            waiting += [(value, theirs[key]) for key, value in mine.items()]
        elif not _same_scalar(one, other):
            return False
    return True


def _same_scalar(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if _is_number(one):
        return _is_number(other) and one == other
    return isinstance(one, str) and isinstance(other, str) and one == other


def _is_number(value: Any) -> bool:
    kind = value.__class__
    return kind is float or kind is int or (isinstance(value, int | float) and kind is not bool)


def _value_test(kind: Kind, name: str, value: Any) -> _ValueTest:
    if name == "exists":
        return _is_there(kind) if value else _equal(kind, None)
    if name == "eq":
        return _equal(kind, value)
    if name == "ne":
        is_there, equal = _is_there(kind), _equal(kind, value)
        return lambda found: is_there(found) and not equal(found)
    if name == "in":
        return _any_of(kind, value)
    if name in _ORDER:
        return _ordered(kind, _ORDER[name], value)
    return _part(kind, name, value)


def _is_there(kind: Kind) -> _ValueTest:
    return bool if kind in (Kind.WORDS, Kind.OBJECT) else lambda found: found is not None


def _equal(kind: Kind, value: Any) -> _ValueTest:
    if value is None:
        is_there = _is_there(kind)
        return lambda found: not is_there(found)
    if kind is Kind.TYPE:
        return _any_of(kind, (value,))
    if kind is Kind.MOMENT:
        moment = datetime.fromisoformat(value)
        return lambda found: _aware(found) == moment
    if isinstance(value, str):
        return lambda found: isinstance(found, str) and found == value
    return lambda found: same(found, value)


def _any_of(kind: Kind, values: tuple[Any, ...]) -> _ValueTest:
    """Test for any of many values, in a time that does not grow with how many they are."""
    missing = _equal(kind, None) if None in values else None
    given = [value for value in values if value is not None]
    if kind is Kind.MOMENT:
        moments = frozenset(datetime.fromisoformat(value) for value in given)
        return lambda found: _aware(found) in moments
    if kind is Kind.TYPE:
        given = [spelling for word in given for spelling in spellings(word)]
    known = frozenset(_key(value) for value in given)
    if kind is Kind.WORDS:
        return lambda found: (
            any(isinstance(word, str) and word in known for word in found or ())
            or (missing is not None and missing(found))
        )
    if missing is None:
        return lambda found: found is not None and _key(found) in known
    return lambda found: found is None or _key(found) in known


def _key(value: Any, left: int = _DEEPEST) -> Any:
    """Return something hashable that is equal for values that are the `same`, and for no others."""
    kind = value.__class__
    if kind is str or kind is int or value is None or (kind is float and value == value):  # noqa: PLR0124  # not NaN
        return value
    if kind is bool:
        return _TRUE if value else _FALSE
    if left > 0 and isinstance(value, list | tuple):
        return _LIST, tuple([_key(entry, left - 1) for entry in cast("list[Any]", value)])
    if left > 0 and isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value).items()
        return _OBJECT, frozenset([(key, _key(entry, left - 1)) for key, entry in entries])
    return object()  # NaN, or deeper than a query goes: equal to nothing


def _ordered(kind: Kind, compare: Callable[[Any, Any], bool], value: Any) -> _ValueTest:
    if kind is Kind.MOMENT:
        moment = datetime.fromisoformat(value)
        return lambda found: compare(_aware(found), moment)
    if isinstance(value, str):
        return lambda found: isinstance(found, str) and compare(found, value)
    return lambda found: _is_number(found) and compare(found, value)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _part(kind: Kind, name: str, value: Any) -> _ValueTest:
    if name == "contains" and kind in (Kind.WORDS, Kind.VALUE):
        return _holds(value)
    test = {"contains": _containing, "starts_with": _starting, "matches": _matching}[name](value)
    return test if kind is not Kind.WORDS else lambda words: any(map(test, words))


def _containing(part: str) -> _ValueTest:
    folded = part.casefold()
    return lambda found: isinstance(found, str) and folded in found.casefold()


def _starting(start: str) -> _ValueTest:
    return lambda found: isinstance(found, str) and found.startswith(start)


def _matching(pattern: str) -> _ValueTest:
    find = finder(pattern)
    return lambda found: isinstance(found, str) and find(found)


def _holds(value: Any) -> _ValueTest:
    """Test a text for a part, a list for an entry, an object for a key."""
    part = _containing(value) if isinstance(value, str) else None

    def test(found: Any) -> bool:
        if isinstance(found, str):
            return part is not None and part(found)
        if isinstance(found, list | tuple):
            return any(same(entry, value) for entry in cast("list[Any]", found))
        return isinstance(found, Mapping) and part is not None and value in found

    return test
