"""Values survive the database, whatever they are."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.store import decode, encode, storable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(VALUES)
def test_json_values_come_back(value: Any) -> None:
    """What JSON can hold comes back the same, infinities included."""
    assert decode(encode(value)) == value


def test_text_is_valid_json() -> None:
    """NaN and the infinities are kept in a form that any JSON reader accepts."""
    text = encode({"loss": math.nan, "bounds": [-math.inf, math.inf], "note": None})
    json.loads(text, parse_constant=pytest.fail)
    back = decode(text)
    assert math.isnan(back["loss"])
    assert back["bounds"] == [-math.inf, math.inf]
    assert back["note"] is None


def test_tag_of_a_user_is_left_alone() -> None:
    """A dict that only looks like our mark for NaN comes back as it is."""
    value = {"$float": "pi", "list": [{"$float": "NaN", "and": 1}]}
    assert decode(encode(value)) == value


def test_numpy_scalars_become_numbers() -> None:
    """A NumPy number is kept as a number, also where it is not finite."""
    numpy = pytest.importorskip("numpy")
    value = {"loss": numpy.float32(0.5), "step": numpy.int64(3), "nan": numpy.float32("nan"), "row": numpy.arange(2)}
    back = decode(encode(value))
    assert (back["loss"], back["step"], back["row"]) == (0.5, 3, "[0 1]")
    assert math.isnan(back["nan"])


def test_what_json_cannot_hold_becomes_text() -> None:
    """A path, an odd key, a huge integer, half a surrogate pair: nothing makes a record fail."""

    class Point(msgspec.Struct):
        x: float

    value = {
        "path": Path("a/b"),
        ("a", 1): {1},
        "huge": 2**70,
        "half": "\ud800",
        "point": Point(math.inf),
        "error": ValueError("bad"),
    }
    assert decode(encode(value)) == {
        "path": "a/b",
        "('a', 1)": [1],
        "huge": str(2**70),
        "half": "\\ud800",
        "point": {"x": math.inf},
        "error": "bad",
    }


def test_text_outside_of_json_is_made_storable() -> None:
    """PostgreSQL takes no NUL and nobody half a surrogate pair; all other text stays as it is."""
    assert storable("loss [ü]") == "loss [ü]"
    assert storable("a\0b\ud800") == "a\\x00b\\ud800"


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity", "=NaN", "==NaN", "", "=", "pi"])
def test_dict_that_looks_like_the_mark_comes_back(name: str) -> None:
    """A user's own dict is never taken for a number, wherever it stands and however often it went through."""
    value = {"$float": name}
    for whole in (value, [value, math.inf], {"a": {"b": [value]}, "n": None}):
        assert decode(encode(whole)) == whole
    assert decode(encode({"$float": value})) == {"$float": value}


def test_text_of_earlier_versions_is_read_as_before() -> None:
    """What was written before such dicts were escaped means what it meant."""
    back = decode('{"a":{"$float":"NaN"},"b":[{"$float":"-Infinity"}],"c":{"$float":"pi"},"d":{"$float":"NaN","e":1}}')
    assert math.isnan(back.pop("a"))
    assert back == {"b": [-math.inf], "c": {"$float": "pi"}, "d": {"$float": "NaN", "e": 1}}
