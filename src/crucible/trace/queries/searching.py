"""Asking a chain: `search` for a text, `search_regex` for a pattern, `query` for any condition.

All three make a `Condition` and keep the events that meet it, in chain order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack, cast

import msgspec

from crucible.errors import SpecError, SpecErrors
from crucible.ir import did_you_mean
from crucible.trace.chain import Chain
from crucible.trace.event import Event
from crucible.trace.queries.condition import Condition
from crucible.trace.queries.fields import CONTENT, Kind
from crucible.trace.queries.operands import read_operand
from crucible.trace.queries.steps import Check, Gate, Step

__all__ = ["FilterFields", "Filters", "query", "search", "search_regex"]


class FilterFields(TypedDict, total=False):
    """The filters of `search` and `search_regex`; None is no filter."""

    type: str | Iterable[str] | None
    min_confidence: float | None
    max_confidence: float | None
    since: datetime | str | None
    until: datetime | str | None
    stage_id: str | None
    experiment_id: str | None


# each filter: the field that it tests, what that holds, and how
_TESTS: Mapping[str, tuple[str, Kind, str]] = {
    "type": ("type", Kind.TYPE, "in"),
    "min_confidence": ("confidence", Kind.NUMBER, "gte"),
    "max_confidence": ("confidence", Kind.NUMBER, "lte"),
    "since": ("timestamp", Kind.MOMENT, "gte"),
    "until": ("timestamp", Kind.MOMENT, "lte"),
    "stage_id": ("stage_id", Kind.TEXT, "eq"),
    "experiment_id": ("experiment_id", Kind.TEXT, "eq"),
}


class Filters(msgspec.Struct, frozen=True):
    """What a search is narrowed to; all that is set must hold. `Filters.new` checks it.

    Args:
        type: Types, by name or alias, whichever of them the events carry; empty for all.
        min_confidence: Least confidence, inclusive; events that state none are left out.
        max_confidence: Greatest confidence, inclusive; events that state none are left out.
        since: Earliest time, inclusive, ISO-8601 UTC.
        until: Latest time, inclusive, ISO-8601 UTC.
        stage_id: The stage.
        experiment_id: The experiment.
    """

    type: tuple[str, ...] = ()
    min_confidence: float | None = None
    max_confidence: float | None = None
    since: str | None = None
    until: str | None = None
    stage_id: str | None = None
    experiment_id: str | None = None

    @classmethod
    def new(cls, **filters: Unpack[FilterFields]) -> Filters:
        """Read filters.

        Args:
            **filters: Any of the fields; `type` may be one type or several, `since` and `until` datetimes (naive ones
                count as UTC) or ISO-8601 text.

        Raises:
            SpecErrors: Every filter that is unknown or has a wrong value.
        """
        read: dict[str, Any] = {}
        problems: list[SpecError] = []
        for name, value in cast("dict[str, object]", filters).items():
            if name not in _TESTS:
                hint = did_you_mean(name[:80], _TESTS) or "; known are " + ", ".join(_TESTS)
                problems.append(SpecError(f"unknown filter {name[:80]!r}{hint}", path=name[:80], code="unknown_key"))
            elif value is not None:
                _, kind, operator = _TESTS[name]
                operand, found = read_operand(kind, operator, _listed(value) if name == "type" else value)
                read[name] = operand
                problems += [SpecError(each.message, path=f"{name}{each.path}", code=each.code) for each in found]
        if problems:
            raise SpecErrors("filters", problems)
        return cls(**read)

    def checks(self) -> list[Check]:
        """Return what a condition tests for these filters."""
        given = ((name, getattr(self, name)) for name in _TESTS)
        return [Check(_TESTS[name][0], _TESTS[name][2], value) for name, value in given if value not in (None, ())]

    def condition(self, operator: str = "contains", value: str = "") -> Condition:
        """Return the condition of a search.

        Args:
            operator: How the decision or the reasoning is tested: `contains` (case-insensitive) or `matches` (a regular
                expression).
            value: The text or the pattern; an empty one is no test.

        Raises:
            SpecError: The pattern is malformed, or `value` is no text.
            MissingExtra: The operator is `matches` and google-re2 is not installed.
        """
        text, problems = read_operand(Kind.CONTENT, operator, value)
        if problems:
            raise problems[0]
        steps: list[Step] = [*([Check(CONTENT, operator, text)] if text else []), *self.checks()]
        return Condition((*steps, Gate("and", len(steps))) if len(steps) != 1 else tuple(steps))


def _listed(value: object) -> object:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value]
    return list(cast("Iterable[object]", value))


def search(chain: Chain, text: str, **filters: Unpack[FilterFields]) -> list[Event]:
    """Return the events whose decision or reasoning holds a text, in chain order.

    Args:
        chain: Where to search.
        text: A part of the decision or the reasoning, whatever its case; "" is in all of them.
        **filters: What else must hold: `type`, `min_confidence`, `max_confidence`, `since`, `until`, `stage_id`,
            `experiment_id`; see `Filters`.

    Raises:
        SpecError: `text` is no text.
        SpecErrors: Every filter that is unknown or has a wrong value.
    """
    return query(chain, Filters.new(**filters).condition("contains", text))


def search_regex(chain: Chain, pattern: str, **filters: Unpack[FilterFields]) -> list[Event]:
    """Return the events whose decision or reasoning holds a match of a regular expression, in chain order.

    The time grows linearly with the text, whatever the pattern.

    Args:
        chain: Where to search.
        pattern: In RE2's syntax: no lookaround and no backreferences; case-sensitive unless it starts with `(?i)`.
        **filters: As in `search`.

    Raises:
        SpecError: The pattern is malformed, one that cannot be matched in linear time, or too large.
        SpecErrors: Every filter that is unknown or has a wrong value.
        MissingExtra: google-re2 is not installed.
    """
    return query(chain, Filters.new(**filters).condition("matches", pattern))


def query(chain: Chain, condition: Mapping[str, Any] | Condition) -> list[Event]:
    """Return the events that meet a condition, in chain order.

    Args:
        chain: Where to search.
        condition: A mapping in the language of `crucible.trace.queries.language`, such as
            `{"type": "loss_computed", "or": [{"metadata.loss": {"lt": 0.5}}, {"not": {"stage_id": "warmup"}}]}`, or one
            that was read already.

    Raises:
        SpecErrors: Every problem of the condition, with its path.
        MissingExtra: It has a regular expression and google-re2 is not installed.
    """
    parsed = condition if isinstance(condition, Condition) else Condition.from_dict(condition)
    return list(filter(parsed.compiled(), chain))
