"""Values as attributes of OpenTelemetry."""

from __future__ import annotations

import enum
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.telemetry.bridges.attributes import attribute, number, words


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "0x8000000000000000"),
        (-(2**64), "-0x10000000000000000"),
        (1.5, 1.5),
        (math.inf, math.inf),
        (None, None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("word"), "word"),
        (np.array(2.5), 2.5),
        (Fraction(1, 4), 0.25),
        (Decimal("0.1"), "0.1"),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        (["a", "b"], ["a", "b"]),
        ((1, 0.5), [1.0, 0.5]),
        ([True, 1], "[true,1]"),
        ([], []),
        ([None], "[null]"),
        ([[1]], "[[1]]"),
        ({"a": [1, math.nan]}, '{"a":[1,{"$float":"NaN"}]}'),
        ({1, 2}, "[1,2]"),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    """Each value becomes the nearest thing that OpenTelemetry takes, of exactly that type."""
    found = attribute(value)
    assert found == expected
    assert type(found) is type(expected)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    )
)
def test_every_value_is_legal(value: Any) -> None:
    """Whatever comes, the answer is one of the types of OpenTelemetry, and its text can be sent."""
    found = attribute(value)
    assert (found is None) == (value is None)
    elements = found if isinstance(found, list) else [found]
    assert len({type(each) for each in elements}) <= 1
    for each in elements:
        assert each is None or type(each) in (str, bool, int, float)
        if isinstance(each, str):
            each.encode()
        if type(each) is int:
            assert -(2**63) <= each < 2**63


def test_long_texts_and_lists_are_cut() -> None:
    """A collector refuses a message of more than 4 MB with all that is in its batch; a cut text says so."""
    assert words("a" * 40_000) == "a" * 32_768 + "… (40000 characters)"
    found = attribute(list(range(100_000)))
    assert isinstance(found, str)
    assert len(found) < 33_000
    assert attribute(list(range(1000))) == list(range(1000))


class Hostile:
    """An object of which nothing can be asked."""

    shape = ()
    ndim = 0

    def item(self) -> Any:
        """Fail, as a broken array would."""
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_hostile_objects_become_their_type() -> None:
    """An object that raises when it is asked for anything costs neither the event nor its other values."""
    assert attribute(Hostile()) == "<Hostile>"
    assert words(Hostile()) == "<Hostile>"
    assert number(Hostile()) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (1.5, 1.5),
        (np.float64(2.5), 2.5),
        (np.array(3), 3.0),
        (Fraction(1, 2), 0.5),
        (10**400, None),
        (True, None),
        (np.bool_(True), None),
        ("1", None),
        (None, None),
        (np.array([1.0, 2.0]), None),
        ([1], None),
    ],
)
def test_numbers(value: Any, expected: float | None) -> None:
    """Numbers of any library are numbers; truths, words and lists are none."""
    assert number(value) == expected
