"""The query language: from a mapping to the steps of a condition, with every problem at once.

    {"type": "loss_computed", "metadata.loss": {"lt": 1}, "or": [{"stage_id": "a"}, {"not": {"id": "b"}}]}

Keys are fields, or `and`, `or` (a list of conditions each) and `not` (one condition); all in one mapping must
hold. The test of a field is one of

- a plain value: equality; for `alternatives` and `depends_on` one of the entries, for `content` a part of the text;
  null: nothing is there;
- a list: any of the values (`confidence` also takes the predecessor's pairs, such as `["gte", 0.8]`);
- a mapping of operators, which must all hold: eq, ne, in, gte, gt, lte, lt, exists, and for text contains
  (case-insensitive), starts_with and matches (a regular expression).

Reading is iterative: the depth of nesting has no limit but memory, the number of conditions has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast

from crucible.errors import SpecError, SpecErrors
from crucible.ir import did_you_mean
from crucible.trace.queries.fields import BOUNDS, OPERATORS, Field, Kind, read_field
from crucible.trace.queries.operands import kind_of, read_operand
from crucible.trace.queries.steps import Check, Gate, Step

__all__ = ["MOST_CONDITIONS", "read_condition"]

MOST_CONDITIONS = 100_000  # tests, and gates that join them

_Place: TypeAlias = tuple[Any, str] | None  # the place around, and the part that leads here
_LONGEST_PATH = 40  # parts shown of a path
_GATES = ("and", "or", "not")


def read_condition(data: object) -> tuple[Step, ...]:
    """Return the steps of a condition.

    Args:
        data: The condition as a mapping.

    Raises:
        SpecErrors: Every problem, with its path, such as `and[1].confidnce`.
        MissingExtra: It has a regular expression and google-re2 is not installed.
    """
    reader = _Reader()
    reader.read(data)
    if reader.problems:
        raise SpecErrors("query", reader.problems)
    return tuple(reader.steps)


class _Reader:
    """Reads one condition; what is still to be read lies on a stack."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.problems: list[SpecError] = []
        self._parts = 0  # parts in `steps` that no gate has joined yet
        self._read = 0  # mappings met, of which some hold no test
        self._around: set[int] = set()  # the mappings that are being read
        self._waiting: list[tuple[Any, ...]] = []

    def read(self, data: object) -> None:
        """Fill `steps` and `problems`."""
        self._waiting.append((self._condition, data, None))
        while self._waiting and len(self.steps) <= MOST_CONDITIONS and self._read <= 2 * MOST_CONDITIONS:
            act, *given = self._waiting.pop()
            act(*given)
        if self._waiting:
            message = f"more than {MOST_CONDITIONS:,} conditions; ask for less, or use lists of values"
            self.problems.append(SpecError(message, code="too_many"))

    def _condition(self, data: object, place: _Place) -> None:
        self._read += 1
        if not isinstance(data, Mapping):
            self._problem(place, f"expected a condition, a mapping of fields to tests, got {kind_of(data)}", "type")
        elif id(cast("object", data)) in self._around:
            self._problem(place, "the condition contains itself", "cycle")
        elif not data and place is not None:
            self._problem(place, "an empty condition would match everything; leave it out", "empty")
        else:
            mapping = cast("Mapping[object, object]", data)
            self._around.add(id(mapping))
            self._waiting.append((self._close, "and", self._parts, id(mapping)))
            self._waiting += [(self._entry, key, value, place) for key, value in reversed(list(mapping.items()))]

    def _close(self, kind: Literal["and", "or", "not"], before: int, identity: int | None = None) -> None:
        """Join the parts that came since there were `before` of them."""
        count = self._parts - before
        if kind == "not" or count > 1 or not self.steps:
            self.steps.append(Gate(kind, count))
        self._parts = before + 1
        self._around.discard(identity or 0)

    def _entry(self, key: object, value: object, place: _Place) -> None:
        if not isinstance(key, str):
            self._problem(place, f"the keys of a condition are text, got {kind_of(key)}", "type")
        elif key not in _GATES:
            self._field(key, value, (place, key))
        elif key == "not":
            self._waiting.append((self._close, "not", self._parts))
            self._waiting.append((self._condition, value, (place, key)))
        elif not isinstance(value, list | tuple):
            self._problem((place, key), f"expected a list of conditions, got {kind_of(value)}", "type")
        elif not value:
            matched = "everything" if key == "and" else "nothing"
            self._problem((place, key), f"an empty list would match {matched}; leave `{key}` out", "empty")
        else:
            listed = list(enumerate(cast("list[object]", value)))
            if key == "or":
                self._waiting.append((self._close, "or", self._parts))
            self._waiting += [(self._condition, each, (place, f"{key}[{index}]")) for index, each in reversed(listed)]

    def _field(self, key: str, value: object, place: _Place) -> None:
        if key in BOUNDS:
            self._check(Field("timestamp", Kind.MOMENT), BOUNDS[key], value, place)
            return
        try:
            field = read_field(key)
        except SpecError as problem:
            self._problem(place, problem.message, problem.code)
            return
        if isinstance(value, Mapping):
            self._operators(field, cast("Mapping[object, object]", value), place)
        elif isinstance(value, list | tuple):
            self._list(field, cast("list[object]", value), place)
        elif field.kind is Kind.OBJECT and value is not None:
            self._problem(place, f"expected an operator or null, got {kind_of(value)}; {_INSIDE}", "type")
        else:
            self._check(field, "contains" if _has_parts(field, value) else "eq", value, place)

    def _operators(self, field: Field, tests: Mapping[object, object], place: _Place) -> None:
        if not tests:
            self._problem(place, "no operator is given; expected such as {gte: 0.8}", "empty")
        allowed = OPERATORS[field.kind]
        for name, value in tests.items():
            if isinstance(name, str) and name in allowed:
                self._check(field, name, value, (place, name))
                continue
            word = name[:80] if isinstance(name, str) else repr(name)[:80]
            hint = did_you_mean(word, allowed) or f"; {field.name[:80]} has " + ", ".join(allowed)
            if field.kind is Kind.OBJECT:
                hint += f"; {_INSIDE}"
            if field.kind is Kind.VALUE:
                hint += "; to compare with an object write {eq: {..}}"
            self._problem((place, word), f"unknown operator {word!r} for {field.kind.value}{hint}", "unknown_operator")

    def _list(self, field: Field, values: list[object], place: _Place) -> None:
        if field.kind is Kind.OBJECT:
            self._problem(place, f"expected an operator or null, got a list; {_INSIDE}", "type")
        elif field.kind is Kind.NUMBER and len(values) == 2 and isinstance(values[0], str) and values[0] in _PAIRS:
            self._check(field, values[0], values[1], (place, "[1]"))  # the predecessor's ["gte", 0.8]
        elif field.kind is not Kind.CONTENT or not values:
            self._check(field, "in", values, place)
        else:
            before = self._parts
            for index, value in enumerate(values):
                self._check(field, "contains", value, (place, f"[{index}]"))
            self._close("or", before)

    def _check(self, field: Field, operator: str, value: object, place: _Place) -> None:
        operand, problems = read_operand(field.kind, operator, value)
        for problem in problems:
            inner = (place, problem.path) if problem.path else place
            self._problem(inner, problem.message, problem.code)
        self.steps.append(Check(field.name, operator, operand))
        self._parts += 1

    def _problem(self, place: _Place, message: str, code: str) -> None:
        self.problems.append(SpecError(message, path=_path(place), code=code))


_PAIRS = ("gte", "gt", "lte", "lt", "eq")
_INSIDE = "to test a value inside the metadata write metadata.KEY"


def _has_parts(field: Field, value: object) -> bool:
    return field.kind is Kind.CONTENT or (field.kind is Kind.WORDS and value is not None)


def _path(place: _Place) -> str:
    """Return a place as text, with its middle left out where it is very long."""
    parts: list[str] = []
    while place is not None:
        place, part = place[0], place[1][:120]
        parts.append(part if part.startswith("[") or place is None else f".{part}")
    parts.reverse()
    if len(parts) > _LONGEST_PATH:
        half = _LONGEST_PATH // 2
        parts = [*parts[:half], f"…({len(parts) - 2 * half} more)…", *parts[-half:]]
    return "".join(parts)
