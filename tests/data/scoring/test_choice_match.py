from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item
from crucible.data.scoring import choice_match, read_choice
from crucible.errors import DataError
from crucible.ir import Failed, Scored


@pytest.mark.parametrize(
    "text",
    [
        *(
            "B",
            "b",
            "(B)",
            "[B]",
            "B.",
            "B)",
            "**B**",
            "**B.**",
            "`B`",
            '"B"',
            "B) Paris",
            "B: Paris",
            "B. Paris",
            "(b) x",
        ),
        *("B\nBecause it is.", "B - Paris", "B, because of that", "Option B is correct", "I would choose option B"),
        *("The answer is (B)", "The answer is B.", "Answer: B", "answer: **(b)**", "The correct option is B", "#### B"),
        *(r"\boxed{B}", r"\boxed{\text{B}}", r"\boxed{\textbf{(B)}}", "Answer:\n\nB. Berlin", "the answer is b"),
        *("A is tempting. The answer is B because of that", "The answer is not A. The answer is B."),
        *("It could be (A), but the answer is (B).", "B\n\nQuestion: and now? Answer: C"),
        *(
            "Option B is correct. Options A and C are wrong.",
            "(B) is the only right one; (A) is not.",
            "<answer>B</answer>",
        ),
        *('{"answer": "B"}', "<think>The answer is C? No.</think>B", "B. Paris. A. Rome is no capital of France."),
    ],
)
def test_a_choice_is_found_however_it_is_said(text: str) -> None:
    """In brackets, in bold, in a box, after `answer is`, or by itself."""
    assert read_choice(text) == "B"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "A or B",
            "A and B",
            "(A), (B)",
            "The answer is A or B",
            "Answer: (A), (B)",
            "A cat sat",
            "The answer is a cat",
        ),
        *("I think so", "Because it is", "It cannot be (A).", "(A) is wrong, (B) is wrong, so (C).", "Z", "7", "bad"),
        *(r"\boxed{A, B}", "None of the above", "It can't be (A).", "It can\N{RIGHT SINGLE QUOTATION MARK}t be (A)."),
        *(
            "A. Rome\nB. Paris\nC. Oslo",
            "A) Rome B) Paris",
            "A: no. B: yes.",
            "The answer is A? No, C.",
            "<think>A. So the",
        ),
    ],
)
def test_no_choice_is_made_up(text: str) -> None:
    """Several letters, an article, a denial and a letter beyond the choices choose nothing."""
    assert read_choice(text) is None


def test_the_text_of_a_choice_is_an_answer_where_it_is_known() -> None:
    """And there is no letter beyond the choices."""
    item = Item("i", "q", "B", {"choices": ["Rome", "Paris"]})
    assert choice_match(item, "paris") == Scored(1.0)
    assert choice_match(item, "The answer is Paris.") == Scored(1.0)
    assert choice_match(item, "Rome") == Scored(0.0)
    assert choice_match(item, "C") == Scored(0.0)
    assert choice_match(Item("i", "q", "Paris", {"choices": ["Rome", "Paris"]}), "(B)") == Scored(1.0)


@pytest.mark.parametrize(
    ("expected", "choices"), [("none", ["a", "b"]), ("C", ["a", "b"]), ("A", "ab"), ("A", ["a"]), ("A", ["a", 1])]
)
def test_a_question_whose_answer_is_no_choice_is_a_broken_item(expected: str, choices: object) -> None:
    """Failed, and never a zero."""
    assert isinstance(choice_match(Item("i", "q", expected, {"choices": choices}), "A"), Failed)


def test_a_question_has_two_choices_or_more() -> None:
    """And no more than there are letters."""
    for count in (1, 27):
        with pytest.raises(DataError, match="2 to 26 choices"):
            read_choice("A", count)


@given(st.sampled_from("ABCDEFGHIJ"), st.sampled_from("ABCDEFGHIJ"))
def test_letters_never_collide(one: str, two: str) -> None:
    """In any dress."""
    for text in (one, f"({one})", f"**{one}**", f"The answer is {one}.", f"\\boxed{{{one}}}"):
        assert choice_match(Item("i", "q", two), text) == Scored(float(one == two))


@given(st.text(max_size=100))
def test_no_text_breaks_it(text: str) -> None:
    """A model may answer anything."""
    assert read_choice(text, 4) in (None, "A", "B", "C", "D")
