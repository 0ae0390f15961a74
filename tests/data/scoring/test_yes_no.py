from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item
from crucible.data.scoring import boolean_match, read_boolean
from crucible.ir import Failed, Scored


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        # spec/reliability.md 3.1-5: the predecessor said True, True, True, True, None, None, None.
        ("not true", False),
        ("untrue", False),
        ("No, yes would be wrong", False),
        ("False. It is not true that it rains.", False),
        ("That is incorrect", False),
        ("That's correct", True),
        ("nope", False),
        *[
            (text, True)
            for text in ("yes", "Yes.", "**Yes**", "True", "yep", "Right.", "Correct, it does", "not false")
        ],
        *[
            (text, True)
            for text in (r"\boxed{\text{Yes}}", "The answer is yes.", "I thought no, but the answer is: True")
        ],
        *[(text, True) for text in ("The claim is true. It is true.", "No doubt it is true")],
        *[(text, False) for text in ("no", "No it isn't", "FALSE", "wrong", "The statement is false.", "Not really")],
        *[(text, False) for text in ("That isn\N{RIGHT SINGLE QUOTATION MARK}t correct.", "This is not quite right")],
        *[(text, None) for text in ("", "maybe", "I don't know", "unsure", "yes and no", "yes/no", "True or false?")],
        *[(text, None) for text in ("It depends", "not necessarily", "I am not sure, but yes", "No mammals lay eggs")],
        *[(text, None) for text in ("It is true that the claim is false", "It is not true that this is wrong", "42")],
        *[
            (text, None)
            for text in ("If it is true, then it rains.", "It is hard to say whether it is true.", "Yes, but no")
        ],
        *[(text, None) for text in ("It is unlikely to be true", "Some say it is true", "I wish it was true")],
        *[(text, True) for text in ("Yes, if it rains.", "<think>It is false.</think>True")],
        *[(text, None) for text in ("Right now I cannot", r"\boxed{x}", "knowledge", "yesterday", "nothing")],
    ],
)
def test_what_an_answer_says(text: str, verdict: bool | None) -> None:
    """A denial is read as one; who says neither or both has said nothing."""
    assert read_boolean(text) is verdict


def test_saying_nothing_is_wrong_and_not_a_vote() -> None:
    """Two answers that cannot be read do not agree with each other, nor with any expectation."""
    for expected in ("yes", "no"):
        assert boolean_match(Item("i", "q", expected), "maybe") == Scored(0.0)
    assert boolean_match(Item("i", "q", "true"), "Yes") == Scored(1.0)


def test_an_expectation_that_is_neither_is_a_broken_item() -> None:
    """Failed, and never a zero."""
    assert isinstance(boolean_match(Item("i", "q", "maybe"), "yes"), Failed)


@given(st.text(max_size=100))
def test_no_text_breaks_it(text: str) -> None:
    """A model may answer anything."""
    assert read_boolean(text) in (None, True, False)
