"""What of a condition a database can answer: `where`, over the table `trace_events`.

Only what means exactly the same in SQLite, in PostgreSQL and in Python becomes SQL; the rest stays in Python. NULL is
kept out of every comparison, so that each expression is true or false and `not` is plain negation. The order of texts
and what case is depend on the database, and JSON is text to it: tests of these, and patterns, stay in Python. Columns
hold what a database can hold; the rows that keep something else beside them (`extra_json`) are for Python in any case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.store.codec import storable
from crucible.trace.queries.condition import Condition
from crucible.trace.queries.fields import Field, Kind, read_field
from crucible.trace.queries.operands import categories
from crucible.trace.queries.predicates import spellings
from crucible.trace.queries.steps import Check, Gate
from crucible.trace.vocabulary import event_types

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

__all__ = ["where"]

_DEEPEST = 12  # levels of parentheses; SQLite takes 1000, SQLAlchemy recurses for each
_MOST_VALUES = 400  # bound values; SQLite makes a level of each `AND` and takes 1000
_ORDER = ("gte", "gt", "lte", "lt")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = {"id": "event_id", "timestamp": "timestamp_us", "category": "type"}


class _Part(msgspec.Struct, frozen=True):
    """The SQL of a part of a condition: implied by it, and equal to it if `is_exact`."""

    sql: ColumnElement[bool] | None = None
    is_exact: bool = False
    depth: int = 0
    values: int = 0


_UNKNOWN = _Part()


def where(condition: Condition) -> tuple[ColumnElement[bool] | None, bool]:
    """Return what a database can answer of a condition.

    Args:
        condition: What is asked of each event.

    Returns:
        An expression over `crucible.store.tables.trace_events` that every matching row fulfils, None where all rows
        must be looked at; and whether every row that fulfils it matches. If not, the events must be put to
        `condition.matches`. Both hold for rows without an `extra_json`; those with one must be looked at and put to
        `matches` always.
    """
    if condition.steps == (Gate("and", 0),):
        return None, True
    parts: list[_Part] = []
    for step in condition.steps:
        if isinstance(step, Check):
            parts.append(_checked(step))
            continue
        joined = parts[len(parts) - step.count :]
        del parts[len(parts) - step.count :]
        parts.append(_GATES[step.kind](joined))
    return parts[0].sql, parts[0].is_exact


def _all_of(parts: Sequence[_Part]) -> _Part:
    from sqlalchemy import and_

    fitting: list[_Part] = []
    room = _MOST_VALUES
    for part in parts:
        if part.sql is not None and part.values <= room:
            fitting.append(part)
            room -= part.values
    if not fitting:
        return _UNKNOWN
    is_exact = len(fitting) == len(parts) and all(part.is_exact for part in fitting)
    return _bounded(and_(*(part.sql for part in fitting if part.sql is not None)), fitting, is_exact=is_exact)


def _any_of(parts: Sequence[_Part]) -> _Part:
    from sqlalchemy import or_

    expressions = [part.sql for part in parts if part.sql is not None]
    if len(expressions) < len(parts):
        return _UNKNOWN
    return _bounded(or_(*expressions), parts, is_exact=all(part.is_exact for part in parts))


def _none_of(parts: Sequence[_Part]) -> _Part:
    from sqlalchemy import not_

    part = parts[0]
    if part.sql is None or not part.is_exact:  # the negation of too much would be too little
        return _UNKNOWN
    return _bounded(not_(part.sql), parts, is_exact=True)


_GATES = {"and": _all_of, "or": _any_of, "not": _none_of}


def _bounded(sql: ColumnElement[bool], parts: Sequence[_Part], *, is_exact: bool) -> _Part:
    depth = 1 + max(part.depth for part in parts)
    values = sum(part.values for part in parts)
    return _Part(sql, is_exact, depth, values) if depth <= _DEEPEST and values <= _MOST_VALUES else _UNKNOWN


def _checked(check: Check) -> _Part:
    from crucible.store.tables import trace_events

    field = read_field(check.field)
    if field.kind in (Kind.VALUE, Kind.OBJECT, Kind.WORDS, Kind.CONTENT):
        return _UNKNOWN
    column = trace_events.c[_COLUMNS.get(field.name, field.name)]
    if check.operator == "exists":
        return _Part(column.is_not(None) if check.value else column.is_(None), is_exact=True, values=1)
    if check.operator in ("eq", "ne", "in"):
        equal = _equality(field, column, check.value if check.operator == "in" else (check.value,))
        is_there = _Part(column.is_not(None), is_exact=True, values=1)
        return _all_of([is_there, _none_of([equal])]) if check.operator == "ne" else equal
    if check.operator in _ORDER and field.kind in (Kind.NUMBER, Kind.MOMENT):
        return _ordered(field, column, check.operator, check.value)
    if check.operator == "starts_with" and field.kind in (Kind.TEXT, Kind.TYPE):
        return _starting(column, check.value)
    return _UNKNOWN


def _equality(field: Field, column: Column[Any], given: Sequence[Any]) -> _Part:
    """Return that a column is one of the values given; null among them stands for NULL."""
    from sqlalchemy import and_, not_, or_

    values = [value for value in given if value is not None]
    is_other = field.kind is Kind.CATEGORY and "other" in values
    known = _stored(field.kind, [name for name in categories() if name not in values] if is_other else values)
    if known is None:
        return _UNKNOWN
    sql = column.in_(known)
    sql = and_(column.is_not(None), not_(sql) if is_other else sql)
    if len(values) < len(given):
        sql = or_(column.is_(None), sql)
    return _Part(sql, is_exact=True, values=len(known) + 2) if len(known) < _MOST_VALUES else _UNKNOWN


def _stored(kind: Kind, values: Sequence[Any]) -> list[Any] | None:
    """Return values as they lie in the database; None if one cannot lie there."""
    if kind is Kind.NUMBER:
        return list(values)
    if kind is Kind.MOMENT:
        return [_microseconds(value) for value in values]
    if kind is Kind.TYPE:
        values = [spelling for word in values for spelling in sorted(spellings(word))]
    if kind is Kind.CATEGORY:
        types = [entry for category in values for entry in event_types(category)]
        values = [word for entry in types for word in (entry.name, *entry.aliases)]
    return [*dict.fromkeys(values)] if all(storable(value) == value for value in values) else None


def _ordered(field: Field, column: Column[Any], operator: str, value: Any) -> _Part:
    from sqlalchemy import and_

    bound = _microseconds(value) if field.kind is Kind.MOMENT else value
    compared = {"gte": column >= bound, "gt": column > bound, "lte": column <= bound, "lt": column < bound}[operator]
    sql = and_(column.is_not(None), compared)
    if field.kind is Kind.NUMBER and operator in ("gte", "gt"):
        sql = and_(sql, column <= math.inf)  # to PostgreSQL, NaN is greater than every number
    return _Part(sql, is_exact=True, values=3)


def _starting(column: Column[Any], start: str) -> _Part:
    from sqlalchemy import and_, func

    if storable(start) != start:
        return _UNKNOWN
    sql = and_(column.is_not(None), func.substr(column, 1, len(start)) == start)  # LIKE has its own idea of case
    return _Part(sql, is_exact=True, values=3)


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
