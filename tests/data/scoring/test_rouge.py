from __future__ import annotations

import pytest

from crucible.data import DataError, Item
from crucible.data.scoring import rouge, rouge1, rouge2, rouge_l
from crucible.ir import Failed, Scored, Skipped

pytest.importorskip("rouge_score")


def item(expected: str | None, *further: str) -> Item:
    """Return an item that accepts these."""
    return Item("i", "q", expected, {"references": list(further)})


@pytest.mark.parametrize(
    ("scorer", "answer", "f1"),
    [
        (rouge1, "testing", 1 / 2),
        (rouge1, "testing one", 4 / 5),
        (rouge2, "testing one", 2 / 3),
        (rouge_l, "testing one", 4 / 5),
        (rouge_l, "testing two", 4 / 5),
        (rouge1, "", 0.0),
        (rouge2, "", 0.0),
        (rouge_l, "", 0.0),
    ],
)
def test_rouge_is_the_published_one(scorer: object, answer: str, f1: float) -> None:
    """Values of google-research/rouge/rouge_scorer_test.py against "testing one two"."""
    found = scorer(item("testing one two"), answer)  # type: ignore[operator]
    assert found.value == pytest.approx(f1, abs=1e-7)


def test_the_best_of_several_references_counts() -> None:
    """By F1."""
    assert rouge1(item("nothing alike", "testing one two"), "testing one two") == Scored(1.0)


def test_stems_can_be_compared() -> None:
    """Porter's, of English words."""
    assert rouge("rouge1", stem=True)(item("he was testing"), "he was tested") == Scored(1.0)
    assert rouge1(item("he was testing"), "he was tested") == Scored(pytest.approx(2 / 3))


def test_rouge_score_does_not_read_other_letters_and_says_so() -> None:
    """A reference without a Latin letter is a broken item under its rules, and never a zero."""
    assert isinstance(rouge1(item("日本語"), "日本語"), Failed)
    any_letters = rouge("rouge1", words="any")
    assert any_letters(item("日本語"), "日本語") == Scored(1.0)
    assert any_letters(item("日本語"), "日本") == Scored(pytest.approx(0.8))
    assert any_letters(item("日"), "旦") == Scored(0.0)
    assert any_letters(item("é"), "è") == Scored(0.0)
    assert any_letters(item("caf\u00e9"), "CAFE\u0301!") == Scored(1.0)
    assert any_letters(item("हिन्दी भाषा"), "हिन्दी") == Scored(pytest.approx(2 / 3))


def test_unknown_kinds_are_refused() -> None:
    """Before any answer."""
    with pytest.raises(DataError, match='unknown ROUGE "rouge9"'):
        rouge("rouge9")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="stems are of English words"):
        rouge("rouge1", stem=True, words="any")


def test_without_an_expected_answer_there_is_no_score() -> None:
    """Nothing to compare with."""
    assert isinstance(rouge1(Item("i", "q"), "x"), Skipped)
