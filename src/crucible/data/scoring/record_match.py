"""JSON answers: how many fields of a record are right, whether the value is the same, whether it fits a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from crucible.data.items import Item
from crucible.data.records import NOT_JSON, leaves, parse_record
from crucible.data.schema import schema_of_fields, violation
from crucible.data.scoring.scorer import NO_ANSWER, Scorer, bounded
from crucible.ir import Failed, Outcome, Scored

__all__ = ["field_f1", "json_match", "same_json", "schema_compliance"]

_FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)


@bounded(0.0, 1.0)
def field_f1(item: Item, output: str) -> Outcome:
    """Score how many fields of the expected JSON object the answer has right: F1 over (path, value), 0.0 to 1.0.

    Nested values count by their leaves, such as `address.city` or `tags[0]`; 1 and 1.0 are equal, 1 and true are not.
    An answer that is no JSON object scores 0.0. Two empty objects score 1.0.
    """
    if item.expected is None:
        return NO_ANSWER
    wanted_leaves = leaves(parse_record(item.expected))
    if wanted_leaves is None:
        return Failed("the expected answer is no JSON object")
    given_leaves = leaves(parse_record(output))
    if given_leaves is None:
        return Scored(0.0)
    total = len(wanted_leaves) + len(given_leaves)
    return Scored(2 * len(wanted_leaves & given_leaves) / total if total else 1.0)


@bounded(0.0, 1.0)
def json_match(item: Item, output: str, *, fenced: bool = True) -> Outcome:
    """Score 1.0 if the answer is the expected JSON value, else 0.0.

    The order of keys and white space do not count, the order of a list does. Numbers are compared exactly as they are
    written: 1, 1.0 and 1e0 are one, 0.1 and 0.10000000000000001 are two; 1, true and "1" are three.

    Args:
        item: Skipped without an expected answer; failed where that is no JSON.
        output: The model's answer: JSON and nothing else.
        fenced: Whether the answer may also be the only code block of a text.
    """
    if item.expected is None:
        return NO_ANSWER
    wanted = parse_record(item.expected, exact=True)
    if wanted is NOT_JSON:
        return Failed("the expected answer is no JSON")
    given = parse_record(output, exact=True)
    if given is NOT_JSON and fenced and output.count("```") == 2:
        block = _FENCE.search(output)
        given = NOT_JSON if block is None else parse_record(block[1], exact=True)
    return Scored(float(given is not NOT_JSON and same_json(given, wanted)))


def same_json(one: Any, two: Any) -> bool:
    """Tell whether two JSON values are equal; numbers by value, and never a boolean with a number."""
    open_pairs: list[tuple[Any, Any]] = [(one, two)]
    while open_pairs:
        left, right = open_pairs.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            here, there = cast("Mapping[str, Any]", left), cast("Mapping[str, Any]", right)
            if here.keys() != there.keys():
                return False
            open_pairs += [(here[key], there[key]) for key in here]
        elif isinstance(left, list) and isinstance(right, list):
            if len(cast("list[Any]", left)) != len(cast("list[Any]", right)):
                return False
            open_pairs += zip(cast("list[Any]", left), cast("list[Any]", right), strict=True)
        elif _kind(cast("object", left)) != _kind(right) or left != right:
            return False
    return True


def _kind(value: object) -> str:
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__


def schema_compliance(schema: dict[str, Any] | Sequence[str]) -> Scorer:
    """Return a scorer: 1.0 if the answer is JSON that fits the schema, else 0.0.

    The whole answer must be the JSON value; white space around it does not count, a code fence does.

    Args:
        schema: A JSON Schema, or the names of the fields that a JSON object must have.

    Raises:
        DataError: The schema is not sound.
        MissingExtra: jsonschema is not installed.
    """
    whole = schema if isinstance(schema, dict) else schema_of_fields(schema)
    problem = violation(whole, what="answer_schema")

    @bounded(0.0, 1.0)
    def scorer(item: Item, output: str) -> Outcome:  # noqa: ARG001  # the item does not matter
        value = parse_record(output)
        return Scored(float(value is not NOT_JSON and not problem(value)))

    scorer.__name__ = "schema_compliance"
    return scorer
