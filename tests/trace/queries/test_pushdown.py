"""Which parts of a condition become SQL."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from crucible.store import tables
from crucible.trace import event_types
from crucible.trace.queries import Condition
from crucible.trace.queries.pushdown import where

EXACT = {"stage_id": "a"}
INEXACT = {"content": "a"}


def asked(condition: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether a condition has SQL, and whether that is exact."""
    sql, is_exact = where(Condition.from_dict(condition))
    return sql is not None, is_exact


@pytest.mark.parametrize(
    "condition",
    [
        {"id": "a"},
        {"type": "loss_computed"},
        {"type": ["loss_computed", "x"]},
        {"category": "training"},
        {"category": {"ne": "other"}},
        {"confidence": {"gte": 0.5, "lt": 0.9}},
        {"confidence": None},
        {"since": "2026-01-01", "until": "2026-02-01"},
        {"timestamp": {"ne": "2026-01-01"}},
        {"stage_id": {"in": ["a", None]}},
        {"experiment_id": {"exists": False}},
        {"decision": {"starts_with": "a%"}},
        {"not": {"or": [EXACT, {"not": {"confidence": 1}}]}},
    ],
)
def test_exact(condition: dict[str, Any]) -> None:
    """What means the same everywhere is left to the database alone."""
    assert asked(condition) == (True, True)


@pytest.mark.parametrize(
    "condition",
    [
        INEXACT,
        {"decision": {"contains": "a"}},
        {"decision": {"matches": "a"}},
        {"decision": {"gte": "a"}},
        {"stage_id": "\0"},
        {"stage_id": {"starts_with": "\ud800"}},
        {"stage_id": ["a", "\0"]},
        {"metadata.a": 1},
        {"metadata": {"exists": True}},
        {"alternatives": "a"},
        {"not": INEXACT},
        {"not": {"and": [EXACT, INEXACT]}},
        {"or": [EXACT, INEXACT]},
        {"stage_id": {"in": [str(number) for number in range(5000)]}},
    ],
)
def test_left_to_python(condition: dict[str, Any]) -> None:
    """What depends on the database, lies in JSON, cannot be stored, or is too long has no SQL."""
    assert asked(condition) == (False, False)


@pytest.mark.parametrize(
    "condition",
    [
        {**EXACT, **INEXACT},
        {"and": [EXACT, {"not": INEXACT}]},
        {"or": [{**EXACT, **INEXACT}, {"id": "b"}]},
        {"and": [EXACT, {"or": [INEXACT, EXACT]}]},
    ],
)
def test_narrowed(condition: dict[str, Any]) -> None:
    """Of a conjunction, the database takes what it can."""
    assert asked(condition) == (True, False)


def test_everything() -> None:
    """The condition that all events meet needs no SQL, and no Python either."""
    assert asked({}) == (False, True)


@pytest.mark.parametrize("gate", ["not", "or", "and"])
def test_deep_and_wide(gate: str) -> None:
    """Very deep and very wide conditions give SQL that SQLite can take, or none."""
    deep: dict[str, Any] = EXACT
    for level in range(5000):
        deep = {"not": deep} if gate == "not" else {gate: [deep, {"stage_id": f"s{level}"}]}
    wide = {gate: [{"stage_id": f"s{number}"} for number in range(5000)]} if gate != "not" else deep
    engine = sa.create_engine("sqlite://")
    tables.metadata.create_all(engine, tables=[tables.trace_chains, tables.trace_events])
    with engine.connect() as connection:
        for condition in (deep, wide):
            sql, is_exact = where(Condition.from_dict(condition))
            assert not is_exact
            if sql is not None:
                assert connection.execute(sa.select(tables.trace_events.c.id).where(sql)).all() == []
    engine.dispose()


def test_every_type_fits() -> None:
    """Even a test of all categories but one fits into SQL."""
    categories = sorted({entry.category for entry in event_types()})
    assert asked({"category": categories}) == (True, True)
    assert asked({"not": {"category": ["other"]}}) == (True, True)
