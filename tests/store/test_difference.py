"""Two documents are compared by path."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.store import Difference, differences

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def test_paths_name_the_smallest_part() -> None:
    """Changed, added and removed parts are told apart, each with its path."""
    a = {"id": "x", "pipeline": [{"name": "train", "options": {"rank": 2}}], "tags": ["a"], "owner": None}
    b = {"id": "x", "pipeline": [{"name": "train", "options": {"rank": 16}}, {"name": "report"}], "owner": "me", "n": 1}
    assert list(differences(a, b)) == [
        Difference("pipeline[0].options.rank", "changed", 2, 16),
        Difference("pipeline[1]", "only_b", None, {"name": "report"}),
        Difference("tags", "only_a", ["a"], None),
        Difference("owner", "changed", None, "me"),
        Difference("n", "only_b", None, 1),
    ]


def test_kinds_of_values_matter() -> None:
    """True is not 1 and a list is not a dict, but 1 is 1.0 and NaN is NaN."""
    assert list(differences(True, 1)) == [Difference("", "changed", True, 1)]
    assert list(differences({"a": []}, {"a": {}})) == [Difference("a", "changed", [], {})]
    assert list(differences({"a": 1, "b": math.nan}, {"a": 1.0, "b": math.nan})) == []


@settings(deadline=None)
@given(VALUES)
def test_nothing_differs_from_itself(value: object) -> None:
    """Comparing anything with itself finds nothing."""
    assert list(differences(value, value)) == []
