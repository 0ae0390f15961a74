from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item
from crucible.data.scoring import math_match, normal_latex, read_math
from crucible.ir import Failed, Scored

# The cases of `modeling/math_equivalence_test.py` of https://github.com/hendrycks/math (Hendrycks et al., 2021).
HENDRYCKS = [
    (r"\tfrac{1}{2} + \frac1{72}", r"\\frac{1}{2} + 2/3", False),
    ("10, 4, -2", "4, 10, -2", False),
    ("10, 4, 2", "4, 12, 2", False),
    (r"\tfrac{1}{2} +\! \frac1{72}", r"\\dfrac{1}{2} +\frac{1}{72}", True),
    (r"10\text{ units}", "10 ", True),
    (r"10\text{ units}", "100 ", False),
    ("10", r"\$10", True),
    (r"\left(x-2\right)\left(x+2\right)", "(x-2)(x+2)", True),
    ("0.1, 4, 2", "4, .1, 2", False),
    ("0.1", ".1", True),
    (r"10\%", "10", True),
    (r"10\sqrt{3} + \sqrt4", r"10\sqrt3 + \sqrt{4}", True),
    (r"\frac34i", r"\frac{3}{4}i", True),
    (r"\tfrac83", r"\frac{8}{3}", True),
    ("5x - 7y + 11z + 4 = 0", "x + y - z + 2 = 0", False),
    ("1/2", r"\frac{1}{2}", True),
]


@pytest.mark.parametrize(("one", "two", "equal"), HENDRYCKS)
def test_answers_are_equal_as_the_makers_of_math_say(one: str, two: str, equal: bool) -> None:
    """Their own test cases, in both directions."""
    assert math_match(Item("i", "q", one), two) == Scored(float(equal))
    assert math_match(Item("i", "q", two), one) == Scored(float(equal))


@pytest.mark.parametrize(
    ("expected", "output", "verdict"),
    [
        (r"\frac{1}{2}", r"Thus the answer is \boxed{0.5}.", 1.0),
        (r"\frac{1}{2}", r"\boxed{\frac{2}{4}}", 1.0),
        ("1,000", r"\boxed{1000}", 1.0),
        (r"\text{Monday}", r"$\boxed{\text{Monday}}$", 1.0),
        ("5", r"\boxed{x = 5}", 1.0),
        ("x+1", "1+x", 0.0),
        ("3.14", "314", 0.0),
        ("-5", "5", 0.0),
        (r"(1,2)", r"\boxed{(2,1)}", 0.0),
        (r"90^\circ", "90", 1.0),
        ("5", r"\boxed{}", 0.0),
        *[
            ("5", rf"\boxed{{{box}}}", 0.0)
            for box in ("x<5", ">=5", "<=5", "!=5", r"5 \text{ or } 6", r"5\text{ or 6}")
        ],
        (r"-\frac{1}{2}", r"\boxed{-0.5}", 1.0),
        (r"-\frac12", r"\boxed{\frac{-1}{2}}", 1.0),
        (r"-\frac12", r"\boxed{\frac{1}{2}}", 0.0),
        (r"\frac{1}{23}", r"\boxed{\frac123}", 0.0),
        ("11", r"\boxed{1 1}", 0.0),
        ("1200", r"\boxed{1\,200}", 1.0),
        (r"\text{(B)}", r"\boxed{B}", 1.0),
        (r"10\mbox{ inches}^2", r"\boxed{10}", 1.0),
        (r"1.5\times10^3", r"\boxed{1500}", 1.0),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "\\boxed{\\begin{pmatrix} 1 \\\\\n 2 \\end{pmatrix}}", 1.0),
        (r"\begin{pmatrix}12\end{pmatrix}", r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", 0.0),
        ("6", r"<think>\boxed{5}</think> So it is \boxed{6}.", 1.0),
        (r"So \boxed{7}", "The final answer is $7$.", 1.0),
    ],
)
def test_the_box_is_compared_as_number_or_in_one_spelling(expected: str, output: str, verdict: float) -> None:
    """Nothing is computed but the value of a number."""
    assert math_match(Item("i", "q", expected), output) == Scored(verdict)


def test_an_empty_expectation_is_a_broken_item() -> None:
    """Failed, and never a zero."""
    assert isinstance(math_match(Item("i", "q", r"\boxed{}"), "1"), Failed)


@given(st.text(alphabet=r"\{}frac12dt.,=x $%()^textsqr", max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Whatever stands there."""
    assert normal_latex(normal_latex(text)) == normal_latex(text)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_different_whole_numbers_stay_different(one: int, two: int) -> None:
    """Signs, too."""
    assert (read_math(f"${one}$") == read_math(str(two))) == (one == two)
    assert read_math(f"-{one + 1}") != read_math(str(one + 1))
