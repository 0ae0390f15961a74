from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data.final_answer import answered_part, boxed, declared_answers


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{18}.", "18"),
        (r"\boxed{\frac{1}{2}} then \boxed{a_{b_{c}}}", "a_{b_{c}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{x}", "x"),
        (r"\boxed {x}", "x"),
        (r"\boxed{a \boxed{b}}", r"a \boxed{b}"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\boxed{}", ""),
        (r"\boxed{1", None),
        ("18", None),
    ],
)
def test_the_last_closed_box_is_read_with_its_braces(text: str, content: str | None) -> None:
    """Nesting is followed, escaped braces do not count, a box that is cut off is none."""
    assert boxed(text) == content


def test_the_most_explicit_declaration_comes_first() -> None:
    """`####`, then the box, then the last phrase."""
    text = "The answer is 1. Answer: 2\n#### 3\nso \\boxed{4}"
    assert list(declared_answers(text)) == [
        ("hashes", "3"),
        ("boxed", "4"),
        ("phrase", "2"),
        ("phrase", "1. Answer: 2"),
    ]


def test_an_answer_may_stand_on_the_next_line() -> None:
    """Where nothing follows on its own."""
    assert list(declared_answers("**Answer:**\n\n42 apples\nor so")) == [("phrase", "42 apples")]


@pytest.mark.parametrize("text", ["the answer is not 5", "the answer isn't 5", "#### 2. Then add", "answers vary", ""])
def test_a_denial_and_a_heading_declare_nothing(text: str) -> None:
    """Neither says what the answer is."""
    assert list(declared_answers(text)) == []


def test_what_the_model_asks_itself_is_cut_off() -> None:
    """A question at the very start is the text itself."""
    assert answered_part("42\n\nQuestion: what is 6?\nAnswer: 6") == "42\n\n"
    assert answered_part("Question: what is 6?\nAnswer: 6") == "Question: what is 6?\nAnswer: 6"


@given(st.text(alphabet="\\{}boxedf 1", max_size=60))
def test_a_box_holds_balanced_braces(text: str) -> None:
    """Whatever the text."""
    found = boxed(text)
    if found is not None:
        plain = found.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
        assert plain.count("{") == plain.count("}")


@pytest.mark.parametrize(
    "text", ["\\boxed{" * 15_000, "answer is " * 10_000, "answer" + " " * 100_000, "Q:\n" * 30_000]
)
def test_long_babble_is_read_in_linear_time(text: str) -> None:
    """A hundred thousand characters take well under two seconds."""
    start = time.monotonic()
    list(declared_answers(answered_part(text)))
    assert time.monotonic() - start < 2
