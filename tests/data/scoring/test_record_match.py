from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item
from crucible.data.scoring import json_match
from crucible.data.scoring.record_match import same_json
from crucible.ir import Failed, Scored

RIGHT, WRONG = Scored(1.0), Scored(0.0)


@pytest.mark.parametrize(
    ("expected", "output", "verdict"),
    [
        ('{"a": 1, "b": [1, 2]}', '{"b":[1,2],"a":1.0}', RIGHT),
        ('{"a": 1}', '{"a": 1, "b": 2}', WRONG),
        ("[1, 2]", "[2, 1]", WRONG),
        ("[1, 2]", "[1, 2, 3]", WRONG),
        ("1", "true", WRONG),
        ("1", '"1"', WRONG),
        ("null", "null", RIGHT),
        ("null", "false", WRONG),
        ("0.1", "0.10000000000000001", WRONG),
        ("0.1", "1e-1", RIGHT),
        ("100000000000000000001", "100000000000000000000", WRONG),
        ("1e-999", "0", WRONG),
        ('{"a": 1}', '{"a": 1, "a": 1}', WRONG),
        ('{"a": 1}', 'Here it is:\n```json\n{"a": 1}\n```\nDone.', RIGHT),
        ('{"a": 1}', '```\n{"a": 1}\n```\n```\n{"a": 2}\n```', WRONG),
        ('{"a": 1}', "no json", WRONG),
        ('"é"', '"\\u00e9"', RIGHT),
        ('"é"', '"è"', WRONG),
    ],
)
def test_json_is_compared_by_value(expected: str, output: str, verdict: Scored) -> None:
    """Keys in any order, lists in theirs, numbers exactly, booleans never as numbers."""
    assert json_match(Item("i", "q", expected), output) == verdict


def test_a_code_fence_can_be_ruled_out() -> None:
    """Where the answer was to be JSON and nothing else."""
    assert json_match(Item("i", "q", "1"), "```\n1\n```", fenced=False) == WRONG


def test_an_expectation_that_is_no_json_is_a_broken_item() -> None:
    """Failed, and never a zero."""
    assert isinstance(json_match(Item("i", "q", "{"), "{"), Failed)


def test_deep_nesting_is_no_error() -> None:
    """An answer of a hundred thousand brackets is wrong; one that Python can read is compared."""
    assert json_match(Item("i", "q", "[]"), "[" * 100_000) == WRONG
    deep = "[" * 300 + "]" * 300
    assert json_match(Item("i", "q", deep), deep) == RIGHT


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_sameness_is_that_of_json_and_not_of_python(one: object, two: object) -> None:
    """Each value is itself, sameness goes both ways, and True is not 1."""
    assert same_json(one, one)
    assert same_json(one, two) == same_json(two, one)
    assert not same_json([True], [1])
