from __future__ import annotations

from crucible.data import load, overlap
from crucible.data.overlap import without


def test_the_same_question_is_found_however_it_is_written() -> None:
    """Case, white space and the encoding of accents do not hide it; the answer does not matter."""
    train = load([("What is  CAFE\u0301?", "a"), ("other", "b")])
    test = load([("what is caf\u00e9?\n", "z"), ("new", "y")])
    assert overlap(train, test) == ("item-1",)
    assert [item.input for item in without(train, test)] == ["other"]
    assert without(train, test).provenance.notes == ("1 left out: their input is one of the test set",)


def test_different_questions_do_not_overlap() -> None:
    """A dropped sign is a difference."""
    assert overlap(load([("-5?", "a")]), load([("5?", "a")])) == ()
