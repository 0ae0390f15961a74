"""Making JSON values of anything, and finding what is none."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace.plain import not_plain, plain


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


class Point(msgspec.Struct):
    """A record."""

    x: int
    at: Path


class Grumpy:
    """Refuses to be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("ünï", "ünï"),
        ("\ud800", "\\ud800"),
        (0.5, 0.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**63, 2**63),
        (2**64, "0x10000000000000000"),
        (-(2**63) - 1, "-0x8000000000000001"),
        (Fraction(1, 4), 0.25),
        (Decimal("0.1"), 0.1),
        (1 + 2j, "(1+2j)"),
        (Colour.RED, "red"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Path("a/b"), "a/b"),
        (b"x", "b'x'"),
        ((1, [2]), [1, [2]]),
        ({3}, [3]),
        ({1: {"a": math.inf}}, {"1": {"a": "inf"}}),
        (Point(1, Path("p")), {"x": 1, "at": "p"}),
        (Grumpy(), "<Grumpy>"),
        ({Grumpy(): 1}, {"<Grumpy>": 1}),
    ],
)
def test_plain(value: Any, expected: Any) -> None:
    """Whatever comes becomes the nearest JSON value."""
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert not_plain(found) is None


def test_plain_numpy() -> None:
    """Scalars of numpy become numbers."""
    np = pytest.importorskip("numpy")
    assert plain({"loss": np.float32(0.5), "step": np.int64(3)}) == {"loss": 0.5, "step": 3}


def test_plain_of_what_contains_itself() -> None:
    """A structure that contains itself is cut off, not followed for ever."""
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert not_plain(plain(loop)) is None
    assert not_plain(loop) == "metadata" + ".self" * 129 + " is nested too deeply, or contains itself"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [0, math.nan]}, "metadata.a[1] is nan, which JSON cannot carry"),
        ({1: 2}, "metadata has the key 1, expected strings"),
        ({"a": 2**64}, "metadata.a is an integer beyond 64 bits"),
        ({"a": "\udfff"}, "metadata.a holds a lone surrogate"),
        ({"a": ({"b": Path("p")},)}, "metadata.a[0].b is a PosixPath, expected a JSON value"),
        ({"a": [None, True, 1, 0.5, "ü", {}]}, None),
    ],
)
def test_not_plain(value: Any, problem: str | None) -> None:
    """What JSON cannot carry is found, with its place."""
    assert not_plain(value) == problem


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=10,
    )
)
def test_plain_is_plain(value: Any) -> None:
    """What `plain` returns can be written as JSON and read back equal."""
    found = plain(value)
    assert not_plain(found) is None
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


def test_what_contains_itself_twice() -> None:
    """A value that contains itself more than once ends soon, instead of doubling at every level."""
    value: dict[str, object] = {"n": 1}
    value["a"] = value["b"] = value
    found = plain(value)
    assert found["n"] == found["a"]["a"]["n"] == 1
    assert len(str(found)) < 1_000_000


def test_keys_are_made_encodable() -> None:
    """A key with half a surrogate pair is spelled out like any other text."""
    assert plain({"a\ud800": 1}) == {"a\\ud800": 1}


def test_numbers_of_other_libraries() -> None:
    """A scalar of NumPy or PyTorch, and a decimal, is the number that it holds; an array stays words."""
    import numpy as np
    import torch

    for value in (torch.tensor(0.25), np.array(0.25), np.float32(0.25), Decimal("0.25")):
        assert plain({"loss": value}) == {"loss": 0.25}
    assert plain(torch.tensor(3)) == 3
    assert plain(torch.tensor(float("nan"))) == "nan"
    assert plain(Decimal("NaN")) == "NaN"
    assert isinstance(plain(np.array([0.25, 0.5])), str)


def test_a_scalar_that_raises_is_worded() -> None:
    """What says that it is a scalar and cannot be read becomes words."""

    class Odd:
        shape = ()

        def item(self) -> object:
            raise ValueError("no")

        def __str__(self) -> str:
            return "odd"

    assert plain(Odd()) == "odd"


def test_lazy_objects_are_worded() -> None:
    """A shape that cannot be had yet, and a decimal that signals, become words instead of an error."""

    class Lazy:
        @property
        def shape(self) -> tuple[int, ...]:
            raise RuntimeError("not materialised")

        def __str__(self) -> str:
            return "lazy"

    assert plain({"a": Lazy(), "b": Decimal("sNaN")}) == {"a": "lazy", "b": "sNaN"}
