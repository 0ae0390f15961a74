from __future__ import annotations

import json
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import DataError, Item, NumberFormat
from crucible.data.numbers import only_quantity, read_quantity
from crucible.data.plain_numbers import plain_numbers
from crucible.data.scoring import number_match
from crucible.ir import Failed, Scored

RIGHT, WRONG = Scored(1.0), Scored(0.0)


def item(expected: str) -> Item:
    """Return an item that expects this."""
    return Item("i", "q", expected)


@pytest.mark.parametrize(
    ("expected", "output", "verdict"),
    [
        # spec/reliability.md 3.1-5: the predecessor took the first number.
        ("4", "2+2 equals 4", RIGHT),
        ("2", "2+2 equals 4", WRONG),
        ("42", "Step 1: multiply 6 by 7. Answer: 42", RIGHT),
        ("1", "Step 1: multiply 6 by 7. Answer: 42", WRONG),
        ("7", "GPT-4 says 7", RIGHT),
        ("-4", "GPT-4 says 7", WRONG),
        ("7", "7, says GPT-4", RIGHT),
        ("0.5", ".5", RIGHT),
        ("5", ".5", WRONG),
        ("1", "1, 2, 3", WRONG),
        ("3", "1, 2, 3", WRONG),
        ("0.5", "1/2", RIGHT),
        ("1", "1/2", WRONG),
        ("50%", "50%", RIGHT),
        ("1/2", "50%", RIGHT),
        ("50", "0.5", WRONG),
        ("1.23456", "1.234,56", WRONG),
        ("56", "1.234,56", WRONG),
        # spec/reliability.md 3.5-2: the predecessor deleted punctuation and allowed 1 %.
        ("3.14", "314", WRONG),
        ("-5", "5", WRONG),
        ("5", "-5", WRONG),
        ("1/2", "12", WRONG),
        ("2.5", "25", WRONG),
        ("100.0", "101.0", WRONG),
        ("42", "42abc", WRONG),
        ("3.5", "3.5", RIGHT),
        ("3.5", "3.50", RIGHT),
        # what says more than a number, or another one
        ("18", "The answer is 18 million.", WRONG),
        ("18000000", "The answer is $18 million.", RIGHT),
        ("18", "The answer is between 18 and 20.", WRONG),
        ("18", "If the answer is 18, 9 * 2 would do. But 9 * 3 = 27.", WRONG),
        ("5", "The answer is 5? No, it is 3.", WRONG),
        ("0.5", r"\boxed{-\frac{1}{2}}", WRONG),
        ("-0.5", r"\boxed{-\frac{1}{2}}", RIGHT),
        ("-1.5", r"$-1\frac12$", RIGHT),
        ("3", r"\boxed{\frac{1}{2}3}", WRONG),
        *[
            ("2", rf"\boxed{{{box}}}", WRONG)
            for box in (r"2 \pi", "x > 2", r"x \ge 2", r"\frac{2}{x}", "e^{2}", "C_{2}")
        ],
        *[("2", rf"\boxed{{{box}}}", WRONG) for box in ("2 x", "2 + x", "2!", r"\log_3 2", r"2 \text{ to } 3 or 4")],
        *[("3", rf"\boxed{{{box}}}", RIGHT) for box in ("x = 3", "9/3 = 3", r"3\text{ cm}^2", r"\$3.00", r"\text{3}")],
        ("1500", r"\boxed{1.5\times10^3}", RIGHT),
        ("2", "1. First, I add.\n2. Then I multiply.", WRONG),
        ("18", "18. That is what she makes.", RIGHT),
        # reasoning that is marked as such is no answer
        ("624", r"<think>Maybe the answer is \boxed{5}.</think>The total is 624.", RIGHT),
        ("5", r"<think>Maybe the answer is \boxed{5}.</think>The total is 624.", WRONG),
        ("5", "<think>So far the answer is 5. But", WRONG),
        ("18", "<answer>18</answer>", RIGHT),
        # what people write
        ("1000", "#### 1,000", RIGHT),
        ("1000", "1e3", RIGHT),
        ("1500", "1.5 x 10^3", RIGHT),
        ("1500", r"1.5 \times 10^{3}", RIGHT),
        ("0.5", r"\boxed{\dfrac{1}{2}}", RIGHT),
        ("1.5", "1 1/2 cups", RIGHT),
        ("1.5", "1½ cups", RIGHT),
        ("-5", "\N{MINUS SIGN}5", RIGHT),
        ("-5", "x = - 5", RIGHT),
        ("-5", "minus 5", RIGHT),
        ("18", "She makes **$18** a day.", RIGHT),
        ("18", "5 km would be 18 km", RIGHT),
        ("5", "\N{FULLWIDTH DIGIT FIVE}", RIGHT),
        ("8", "5 + 3 = 8", RIGHT),
        ("8", "8 = 5 + 3", RIGHT),
        ("3", "5 + 3", WRONG),
        ("9", "16-9", WRONG),
        ("15", "2024-01-15", WRONG),
        ("30", "12:30", WRONG),
        ("10", "10\N{SUPERSCRIPT TWO}", WRONG),
        ("2", r"\boxed{2\sqrt{3}}", WRONG),
        ("2", r"\boxed{x^2}, about 2", WRONG),
        ("6", "The answer is not 5. It is 6.", RIGHT),
        ("42", "The answer is 42, because 6 * 7 = 42 and not 41.", RIGHT),
        ("18", "#### 18\n\nQuestion: How many? Answer: 5", RIGHT),
        ("1", "no number", WRONG),
    ],
)
def test_the_number_that_an_answer_comes_to(expected: str, output: str, verdict: Scored) -> None:
    """What is no number by itself is none, and an answer without a number is wrong, not failed."""
    assert number_match(item(expected), output) == verdict


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("1.234,56", Fraction(123456, 100)),
        ("1.234", 1234),
        ("0,5", Fraction(1, 2)),
        ("12", 12),
        ("1,5 kg", Fraction(3, 2)),
    ],
)
def test_a_decimal_comma_is_read_when_declared(output: str, value: Fraction) -> None:
    """And a point then stands between thousands."""
    form = NumberFormat(decimal=",", thousands=".")
    found = read_quantity(output, form)
    assert found is not None
    assert found.value == value


def test_thousands_may_be_spaces_when_declared() -> None:
    """By default `1 000` is no thousand, nor is it a 1."""
    spaced = partial(number_match, form=NumberFormat(thousands=" "))
    assert spaced(item("1 000"), "1000") == RIGHT
    assert spaced(item("1000"), "about 1\N{NO-BREAK SPACE}000") == RIGHT
    assert number_match(item("1"), "1 000") == WRONG


def test_what_percent_means_can_be_declared() -> None:
    """By default both, because the expected answer says which is meant."""
    number = partial(number_match, form=NumberFormat(percent="number"))
    fraction = partial(number_match, form=NumberFormat(percent="fraction"))
    assert [score(item("50"), "50%") for score in (number, fraction, number_match)] == [RIGHT, WRONG, RIGHT]
    assert [score(item("0.5"), "50 percent") for score in (number, fraction, number_match)] == [WRONG, RIGHT, RIGHT]
    assert [score(item("50%"), "5%") for score in (number, fraction, number_match)] == [WRONG] * 3


def test_units_can_be_made_to_count() -> None:
    """Spellings of one unit are one; nothing is converted; a unit that is not said is no difference."""
    with_units = partial(number_match, form=NumberFormat(units="same"))
    assert with_units(item("5 km"), "5 kilometres") == RIGHT
    assert with_units(item("5 km"), "5") == RIGHT
    assert with_units(item("5 km"), "5 m") == WRONG
    assert with_units(item("$5"), "5 dollars") == RIGHT
    assert with_units(item("$5"), "€5") == WRONG
    assert number_match(item("5 km"), "5 m") == RIGHT
    assert with_units(item("5 km"), "5000 m") == WRONG


@pytest.mark.parametrize("expected", ["none", "", "1.234,56", "1, 2, 3", r"\boxed{x}"])
def test_an_expectation_without_one_number_is_a_broken_item(expected: str) -> None:
    """Failed, and never a zero."""
    assert isinstance(number_match(item(expected), "3"), Failed)


@pytest.mark.parametrize("options", [{"decimal": "."}, {"thousands": "."}, {"decimal": ";"}, {"percent": "both"}])
def test_a_format_that_contradicts_itself_is_refused(options: dict[str, str]) -> None:
    """The message says what is known."""
    with pytest.raises(DataError, match="both the decimal sign|is one of"):
        NumberFormat(**{"thousands": ".", **options})  # type: ignore[arg-type]


numbers = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=4)


@given(numbers, numbers)
def test_different_numbers_never_match_and_equal_ones_always_do(one: object, two: object) -> None:
    """However each is written."""
    first, second = Fraction(str(one)), Fraction(str(two))
    for left in (f"{one}", f"{one:,}", f"#### {one}", f"So it is {one}."):
        assert number_match(item(f"{one}"), left) == RIGHT
        assert number_match(item(f"{two}"), left) == Scored(float(first == second))


@given(st.text(max_size=60))
def test_plain_numbers_are_already_plain(text: str) -> None:
    """Reading a text that was made plain finds the same number."""
    once = plain_numbers(text)
    assert only_quantity(once) == only_quantity(text)


@given(st.fractions(max_denominator=10**6))
def test_every_fraction_comes_back(value: Fraction) -> None:
    """Plain, in LaTeX and in a box."""
    top, bottom = value.numerator, value.denominator
    texts = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", rf"\boxed{{\dfrac{{{top}}}{{{bottom}}}}}"]
    assert [found.value for text in texts if (found := read_quantity(text))] == [value] * 3


def test_only_quantity_takes_nothing_but_a_number() -> None:
    """Decoration aside."""
    assert only_quantity("$5.") is not None
    assert only_quantity("5 or so") is None
    assert only_quantity("5, 6") is None
    assert only_quantity("x") is None


def test_every_real_solution_matches_itself_and_its_number(real_data: Path) -> None:
    """All 1,319 test problems of GSM8K: the solution as it stands, and its number in other words; never another one."""
    rows = [json.loads(line) for line in (real_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1319
    for row in rows:
        wanted = item(row["answer"])
        number = row["answer"].rpartition("####")[2].strip()
        for said in (row["answer"], f"So it is ${number}.", f"\\boxed{{{number}}}", f"**Answer:** {number} apples"):
            assert number_match(wanted, said) == RIGHT, (row, said)
        assert number_match(wanted, f"So it is {number}1.") == WRONG
