"""Numbers keep their meaning when they are rounded."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.ir import Interval
from crucible.report import number

fractions = st.floats(0, 1)
finite = st.floats(-1e9, 1e9, allow_nan=False)


def value_of(text: str) -> float:
    """Read a shown number back."""
    return float(re.sub("[%,+ ]|points", "", text).replace("−", "-"))


@given(fractions)
def test_percent_never_pretends_to_be_nothing_or_all(fraction: float) -> None:
    """0% and 100% are shown for exactly 0 and 1, and everything else to half a decimal."""
    text = number.percent(fraction)
    assert text.endswith("%")
    assert (value_of(text) in (0.0, 100.0)) is (fraction in (0.0, 1.0))
    assert math.isclose(value_of(text), 100 * fraction, abs_tol=0.0501)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.7066666, "70.7%"), (0.0, "0.0%"), (1.0, "100.0%"), (0.9997, "99.97%"), (0.00004, "0.004%"), (None, "—"),
     (-0.0, "0.0%"), (-0.012, "−1.2%"), (1e-12, "1e−10%"), (math.inf, "inf")],
)  # fmt: skip
def test_percent_examples(fraction: float | None, text: str) -> None:
    """One decimal where it is enough, more where it would mislead."""
    assert number.percent(fraction) == text


@given(st.floats(-1, 1))
def test_differences_keep_their_sign(value: float) -> None:
    """A difference that is not zero has a sign and a digit that is not zero."""
    text = number.difference(value, "fraction")
    assert text.endswith(" points")
    assert (value_of(text) > 0) is (value > 0)
    assert (value_of(text) < 0) is (value < 0)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.7067, "fraction", "+70.7 points"), (-0.0004, "fraction", "−0.04 points"), (0.0, "fraction", "0.0 points"),
     (None, "fraction", "—"), (1.25, "value", "+1.25"), (-3.0, "value", "−3"), (0.0, "value", "0"),
     (-1e-12, "fraction", "−1.0e−10 points")],
)  # fmt: skip
def test_difference_examples(value: float | None, unit: number.Unit, text: str) -> None:
    """Fractions are shown in points, other scores plainly."""
    assert number.difference(value, unit) == text


@given(fractions, st.sampled_from([0.05, 0.01, 0.1, 1e-3]))
def test_p_stays_on_its_side_of_alpha(p: float, alpha: float) -> None:
    """The shown p-value lies on the same side of the threshold as the value itself."""
    text = number.p_text(p, alpha)
    shown = float(text.lstrip("< "))
    if text.startswith("<"):
        assert p < 1e-4
    else:
        assert (shown < alpha) is (p < alpha)


@pytest.mark.parametrize(
    ("p", "alpha", "text"),
    [(0.0, 0.05, "p < 0.0001"), (3e-9, 0.05, "p < 0.0001"), (0.0312, 0.05, "p = 0.0312"), (1.0, 0.05, "p = 1"),
     (0.049996, 0.05, "p = 0.049996"), (0.99996, 0.05, "p = 1"), (None, 0.05, "p = —"), (5e-5, 6e-5, "p = 5.0e-05"),
     (1.5, None, "p = 1.5"), (0.5, None, "p = 0.5000")],
)  # fmt: skip
def test_p_examples(p: float | None, alpha: float | None, text: str) -> None:
    """Never p = 0.0000, and no rounding across the threshold."""
    assert number.p_phrase(p, alpha) == text


@given(finite)
def test_plain_numbers_agree_with_what_was_given(value: float) -> None:
    """Four significant digits are what is shown of a plain number."""
    assert math.isclose(value_of(number.number(value)), value, rel_tol=1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (1234567, "1,234,567"),
        (-5, "−5"),
        (2.0, "2"),
        (0.123456, "0.1235"),
        (-1.5, "−1.5"),
        (math.nan, "nan"),
    ],
)
def test_number_examples(value: float | None, text: str) -> None:
    """Whole numbers keep every digit."""
    assert number.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(4.29, "4.290"), (0.09995, "0.09995"), (None, "—"), (1234.0, "1234"), (0.0, "0.000")]
)
def test_losses_have_four_digits(value: float | None, text: str) -> None:
    """Losses in a column have the same number of digits."""
    assert number.loss_text(value) == text


def test_intervals() -> None:
    """An interval is shown in the unit of its estimate, signed for a difference."""
    interval = Interval(-0.044, 0.177, 0.95, "Tango score")
    assert number.interval_text(interval, "fraction", signed=True) == "−4.4 to +17.7 points"
    assert number.interval_text(interval, "value", signed=True) == "−0.044 to +0.177"
    assert number.interval_text(Interval(0.5, 0.75, 0.95, "Wilson score"), "fraction") == "50.0% to 75.0%"
    assert number.interval_text(None, "fraction") == "—"
    assert number.confidence(interval) == "95%"
    assert number.confidence(Interval(0, 1, 0.9833, "x")) == "98.33%"
    assert number.confidence(None) == "—"
