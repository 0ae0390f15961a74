"""Differences of two values of the document, by path."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible import ir
from crucible.ir import Difference


def experiment(*names: str, **changes: Any) -> ir.Experiment:
    """Return an experiment with these stages."""
    pipeline = [{"name": name} for name in names]
    return ir.Experiment.read({"id": "e", "backend": {"id": "local"}, "pipeline": pipeline, **changes})


def test_fields_are_compared_by_path() -> None:
    """A changed default, an added key of a map and a removed one, in the order of the document."""
    a = experiment("s", metadata={"x": 1, "gone": True, "same": [1, {"y": 2}]})
    b = experiment("s", metadata={"x": 1.5, "same": [1, {"y": 3}], "new": None}, description="d")
    assert ir.diff(a, b) == [
        Difference("description", "changed", None, "d"),
        Difference("metadata.x", "changed", 1, 1.5),
        Difference("metadata.gone", "removed", True),
        Difference("metadata.same[1].y", "changed", 2, 3),
        Difference("metadata.new", "added", b=None),
    ]


def test_a_stage_put_in_front_is_one_difference() -> None:
    """Entries with names are matched by them, and named by their place on the second side."""
    [added] = ir.diff(experiment("b", "c"), experiment("a", "b", "c"))
    assert (added.path, added.kind, added.b["name"]) == ("pipeline[0]", "added", "a")
    [removed] = ir.diff(experiment("a", "b", "c"), experiment("a", "c"))
    assert (removed.path, removed.kind, removed.a["name"]) == ("pipeline[1]", "removed", "b")
    renamed = ir.diff(experiment("a", "b"), experiment("a", "x", "c"))
    assert [(found.path, found.kind) for found in renamed] == [
        ("pipeline[1].name", "changed"),
        ("pipeline[2]", "added"),
    ]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 1.0, []),
        (math.nan, math.nan, []),
        (True, 1, [Difference("", "changed", True, 1)]),
        ([1, 2, 3], (1, 5), [Difference("[1]", "changed", 2, 5), Difference("[2]", "removed", 3)]),
        ([1], [1, 2], [Difference("[1]", "added", b=2)]),
        ({"a": {}}, {"a": []}, [Difference("a", "changed", {}, [])]),
        ([{"id": "x"}, 3], [3], [Difference("[0]", "changed", {"id": "x"}, 3), Difference("[1]", "removed", 3)]),
        ([{"x": 1}], [{"id": "a"}], [Difference("[0].x", "removed", 1), Difference("[0].id", "added", b="a")]),
    ],
)
def test_plain_data(a: Any, b: Any, expected: list[Difference]) -> None:
    """Any plain data is compared: true is not 1, NaN is NaN, lists go by position where entries have no names."""
    assert ir.diff(a, b) == expected


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "name", "a"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(a=plain, b=plain)
def test_no_difference_means_the_same(a: Any, b: Any) -> None:
    """A value does not differ from itself, and two differ in as many places either way."""
    assert ir.diff(a, a) == []
    there, back = ir.diff(a, b), ir.diff(b, a)
    assert bool(there) == bool(back)
    assert sorted(found.kind == "changed" for found in there) == sorted(found.kind == "changed" for found in back)
