"""A parsed query: `Condition`, which a chain in memory and the store answer alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import msgspec

from crucible.trace.event import Event
from crucible.trace.queries.language import read_condition
from crucible.trace.queries.operands import thawed
from crucible.trace.queries.predicates import Predicate
from crucible.trace.queries.program import compile_steps
from crucible.trace.queries.steps import Check, Gate, Step

__all__ = ["Condition"]


class Condition(msgspec.Struct, frozen=True, dict=True):
    """A query that was read and checked.

    Args:
        steps: Its tree in postfix order; `from_dict` makes them.
    """

    steps: tuple[Step, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Condition:
        """Read a condition; the language is described in `crucible.trace.queries.language`.

        Args:
            data: A mapping of fields to tests; `{}` is the condition that every event meets.

        Raises:
            SpecErrors: Every problem, with its path, such as `and[1].confidnce`.
            MissingExtra: It has a regular expression and google-re2 is not installed.
        """
        return cls(read_condition(data))

    def matches(self, event: Event) -> bool:
        """Return whether an event meets the condition.

        What the registry of types says is read when this is called first; `compiled` reads it anew.
        """
        return self._meets(event)

    def compiled(self) -> Predicate:
        """Return `matches` as a function, for use on many events."""
        return compile_steps(self.steps)

    @cached_property
    def _meets(self) -> Predicate:
        return self.compiled()

    def to_dict(self) -> dict[str, Any]:
        """Return the condition as JSON values, every operator spelled out but for lists of texts in the content.

        `from_dict` reads the same one back.
        """
        parts: list[dict[str, Any]] = []
        for step in self.steps:
            if isinstance(step, Check):
                parts.append({step.field: {step.operator: thawed(step.value)}})
                continue
            joined = parts[len(parts) - step.count :]
            del parts[len(parts) - step.count :]
            parts.append(_joined(step, joined))
        return parts[0]


def _joined(gate: Gate, parts: list[dict[str, Any]]) -> dict[str, Any]:
    if gate.kind == "not":
        return {"not": parts[0]}
    if gate.kind == "or":
        words = [_content_word(part) for part in parts]
        return {"or": parts} if None in words else {"content": words}
    return _merged(parts) or {"and": parts} if parts else {}


def _content_word(part: dict[str, Any]) -> str | None:
    """Return the text of a part that looks for one in the content; many are written as a list, as they are read."""
    tests = part.get("content") if len(part) == 1 else None
    if not isinstance(tests, dict):  # a list of texts already
        return None
    known = cast("dict[str, Any]", tests)
    return known.get("contains") if len(known) == 1 else None


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Put checks into one mapping; None where that would lose one, or their order, or a gate among them."""
    merged: dict[str, dict[str, Any]] = {}
    latest = ""
    for part in parts:
        [(field, tests)] = part.items() if len(part) == 1 else [("and", ())]
        if field in ("and", "or", "not") or len(tests) != 1:
            return None
        if field in merged and (field != latest or tests.keys() & merged[field].keys()):
            return None
        merged.setdefault(field, {}).update(tests)
        latest = field
    return merged
