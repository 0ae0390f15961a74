from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import final_number
from crucible.data.numbers import only_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18),
        ("1,000", 1000),
        ("#### 1,080", 1080),
        ("16,800,000", 16_800_000),
        ("$18", 18),
        ("$18.00", 18),
        ("18.", 18),
        ("The answer is (18).", 18),
        ("-5", -5),
        ("\N{MINUS SIGN}5", -5),
        ("-$5.50", Fraction(-11, 2)),
        ("$-5.50", Fraction(-11, 2)),
        ("16-9=7", 7),
        ("3.14", Fraction(314, 100)),
        (".5", Fraction(1, 2)),
        ("1/2", Fraction(1, 2)),
        ("50%", 50),
        ("1e3", 1000),
        ("18 eggs", 18),
        ("first 3, then 4", 4),
        ("#### Step 1\n2 + 2 = 4", 4),
        ("so 3\n#### 18\nQuestion: 5", 18),
        ("####18", 18),
        ("#### -3", -3),
        ("#### $1,000.50", Fraction(2001, 2)),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, value: object) -> None:
    """Thousands commas, currency signs, a trailing dot, fractions and minus signs all mean what they look like."""
    assert final_number(text) == value


@pytest.mark.parametrize("text", ["", "no number", "####", "#### none", "5/0", "9" * 65, "#### " + "9" * 65])
def test_text_without_a_usable_number_has_none(text: str) -> None:
    """Babble of digits and a division by zero are no numbers."""
    assert final_number(text) is None


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_comes_back(value: int) -> None:
    """Plain, with thousands commas, and after the marker."""
    assert final_number(str(value)) == value
    assert final_number(f"#### {value:,}.") == value


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    """A model may answer anything."""
    found = only_quantity(text)
    assert final_number(text) is None or isinstance(final_number(text), Fraction)
    assert found is None or isinstance(found.value, Fraction)


@pytest.mark.parametrize("text", ["1," * 50_000, "1" * 100_000, "-" * 100_000, "####" * 25_000, "1/" * 50_000])
def test_long_babble_is_read_in_linear_time(text: str) -> None:
    """A hundred thousand characters take well under two seconds."""
    start = time.monotonic()
    final_number(text)
    assert time.monotonic() - start < 2
