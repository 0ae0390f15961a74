from __future__ import annotations

import pytest

from crucible.data import DataError, Item
from crucible.data.scoring import bleu, chrf, corpus_bleu, corpus_chrf
from crucible.ir import Scored, Skipped

pytest.importorskip("sacrebleu")

# sacrebleu's own example (its README, and test/test_bleu.py).
ANSWERS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def test_corpus_bleu_is_the_published_one() -> None:
    """48.53 in sacrebleu's README; to eight digits in its test_bleu.py."""
    found = corpus_bleu(ANSWERS, REFERENCES, resamples=0)
    assert found.score == pytest.approx(48.530827, abs=1e-6)
    assert corpus_bleu(ANSWERS, REFERENCES, tokenize="none", resamples=0).score == pytest.approx(49.1919566, abs=1e-6)
    assert corpus_bleu(ANSWERS, REFERENCES, tokenize="intl", resamples=0).score == pytest.approx(43.91623493, abs=1e-6)
    assert corpus_bleu(["", "", ""], REFERENCES, resamples=0).score == 0.0
    assert found.n == 3
    assert found.signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_corpus_chrf_is_the_published_one() -> None:
    """59.73 (chrF2) and 59.15 (chrF2++) in sacrebleu's README."""
    assert corpus_chrf(ANSWERS, REFERENCES, resamples=0).score == pytest.approx(59.73, abs=5e-3)
    plus = corpus_chrf(ANSWERS, REFERENCES, word_order=2, resamples=0)
    assert (plus.name, plus.score) == ("chrF2++", pytest.approx(59.15, abs=5e-3))


def test_sentence_bleu_is_the_published_one() -> None:
    """8.493 in sacrebleu's test_sentence_bleu.py (its issue 98)."""
    item = Item("i", "q", "producţia de zahăr brut se exprimă în zahăr alb;")
    answer = "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;"
    found = bleu(item, answer)
    assert isinstance(found, Scored)
    assert found.value == pytest.approx(8.493, abs=1e-3)
    assert bleu(Item("i", "q", "okay thanks"), "this is a cat") == Scored(0.0)


def test_a_short_answer_that_is_right_is_100() -> None:
    """The predecessor gave three matching words 0 (spec/reliability.md 3.5-4)."""
    assert bleu(Item("i", "q", "a b c"), "a b c") == Scored(100.0)
    assert chrf(Item("i", "q", "a b c"), "a b c") == Scored(100.0)
    assert chrf(Item("i", "q", "日本語"), "日本語") == Scored(100.0)


def test_the_mean_of_sentence_bleu_is_not_corpus_bleu() -> None:
    """Which is why there are both."""
    outputs, references = ["a b c d", "x y"], ["a b c d", "p q"]
    scores = [bleu(Item("i", "q", one), answer) for answer, one in zip(outputs, references, strict=True)]
    assert scores == [Scored(100.0), Scored(0.0)]
    assert corpus_bleu(outputs, references, resamples=0).score > 75


def test_a_corpus_score_comes_with_an_interval_and_the_same_one_again() -> None:
    """By sacrebleu's bootstrap, which the signature then names."""
    found = corpus_bleu(ANSWERS, REFERENCES, resamples=100)
    assert found.interval is not None
    assert 0 <= found.interval.low < found.interval.high <= 100
    assert "bs:100" in found.signature
    assert corpus_bleu(ANSWERS, REFERENCES, resamples=100) == found
    assert corpus_bleu(ANSWERS[:1], REFERENCES[:1]).interval is None


def test_items_may_have_different_numbers_of_references() -> None:
    """And one without any is refused by its place."""
    assert corpus_bleu(["a b c d", "e"], [["a b c d", "x"], "e"], resamples=0).signature.startswith("nrefs:var")
    with pytest.raises(DataError, match="answer 1 has no reference"):
        corpus_bleu(["a", "b"], ["a", []])
    for outputs, references in (([], []), (["a"], [])):
        with pytest.raises(DataError, match="one reference an answer"):
            corpus_bleu(outputs, references)


def test_without_an_expected_answer_there_is_no_score() -> None:
    """Nothing to compare with."""
    assert isinstance(bleu(Item("i", "q"), "x"), Skipped)
    assert isinstance(chrf(Item("i", "q"), "x"), Skipped)
