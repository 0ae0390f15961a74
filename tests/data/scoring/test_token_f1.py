from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Item
from crucible.data.scoring import squad_f1, squad_words, token_f1
from crucible.ir import Scored


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        # allennlp-models, tests/rc/metrics (its SquadEmAndF1 wraps the official script): 3 of 4 words each way.
        ("this is the best span", "this is a good span", 0.75),
        # torchmetrics' SQuAD on the same script: precision 2/4, recall 2/2.
        ("2 時間 21 分", "2 時間", 2 / 3),
        ("1976", "1976", 1.0),
        # spec/reliability.md 3.5-4: a multiset of words, not a set.
        ("no no no no yes", "no yes", 4 / 7),
        # the official script of SQuAD 2.0: two texts without words agree, one without words agrees with nothing
        ("", "", 1.0),
        ("the", "", 1.0),
        ("", "yes", 0.0),
        ("The Norman's", "norman s", 0.0),
        ("The Norman's!", "normans", 1.0),
        ("U.S.A.", "usa", 1.0),
    ],
)
def test_words_are_compared_as_squads_official_script_does(answer: str, reference: str, f1: float) -> None:
    """Values of the script itself, or of a library that wraps it and publishes them."""
    assert squad_f1(answer, reference) == pytest.approx(f1, rel=1e-12)


def test_the_best_of_several_references_counts() -> None:
    """As with SQuAD's several gold answers."""
    item = Item("i", "q", "something irrelevant", {"references": ["this is a good span"]})
    assert token_f1(item, "this is the best span") == Scored(0.75)


def test_a_broken_list_of_references_is_no_score() -> None:
    """A scorer that raises is a failed item in an evaluation; none is a zero."""
    with pytest.raises(ValueError, match='item "i": "references" is a list of texts'):
        token_f1(Item("i", "q", "a", {"references": "b"}), "a")


@given(st.lists(st.sampled_from(["no", "yes", "the", "a", "maybe."])), st.lists(st.sampled_from(["no", "yes", "an"])))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(one: list[str], two: list[str]) -> None:
    """By the definition, over a multiset."""
    answer, reference = " ".join(one), " ".join(two)
    given_words, left = squad_words(answer), squad_words(reference)
    wanted = len(left)
    shared = 0
    for word in given_words:
        if word in left:
            left.remove(word)
            shared += 1
    if not (given_words and wanted):
        expected = float(len(given_words) == wanted)
    elif not shared:
        expected = 0.0
    else:
        precision, recall = shared / len(given_words), shared / wanted
        expected = 2 * precision * recall / (precision + recall)
    assert squad_f1(answer, reference) == pytest.approx(expected)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Words of words are the same words, unless taking a sign away makes an article."""
    once = squad_words(text)
    assert [word for word in once if word not in ("a", "an", "the")] == once
    assert squad_words(" ".join(once)) == once or "İ" in text
