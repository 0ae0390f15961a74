from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import DataError, Item
from crucible.data.scoring import FakeCharacterNgramEmbedder, cosine, score_bounds, semantic_similarity
from crucible.ir import Failed, Scored, Skipped

ITEM = Item("i", "q", "the cat sat", {"references": ["a cat was sitting"]})


def test_likeness_is_the_cosine_to_the_best_reference() -> None:
    """The fake knows spelling only, which is enough to see the arithmetic."""
    scorer = semantic_similarity(FakeCharacterNgramEmbedder())
    assert scorer(ITEM, "the cat sat") == Scored(pytest.approx(1.0))
    assert scorer(ITEM, "A cat was sitting") == Scored(pytest.approx(1.0))
    near, far = scorer(ITEM, "the cat sits"), scorer(ITEM, "quarks decay")
    assert isinstance(near, Scored)
    assert isinstance(far, Scored)
    assert 1 > near.value > far.value >= 0
    assert score_bounds(scorer) == (-1.0, 1.0)
    assert scorer.__name__ == "semantic_similarity"


def test_an_empty_answer_is_like_nothing() -> None:
    """It is the answer that is wrong, so it is a score; without an expected answer there is none."""
    scorer = semantic_similarity(FakeCharacterNgramEmbedder())
    assert scorer(ITEM, "  ") == Scored(0.0)
    assert isinstance(scorer(Item("i", "q"), "x"), Skipped)


@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        ([[1.0, 0.0]], "returned 1 vectors for 3 texts"),
        ([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], "all zeros"),
        ([[float("nan"), 0.0], [1.0, 0.0], [1.0, 1.0]], "not finite"),
        ([[1.0], [1.0, 0.0], [1.0, 1.0]], "one length, got 1 and 2"),
    ],
)
def test_an_embedder_that_breaks_is_a_failure(vectors: Sequence[Sequence[float]], error: str) -> None:
    """And never a zero."""
    found = semantic_similarity(lambda _: vectors)(ITEM, "x")
    assert isinstance(found, Failed)
    assert error in found.error


def test_known_cosines() -> None:
    """Parallel, at right angles, opposite, and of sizes whose squares are no doubles."""
    assert cosine([3.0, 4.0], [6.0, 8.0]) == pytest.approx(1.0)
    assert cosine([1.0, 0.0], [0.0, 1.0]) == 0.0
    assert cosine([1.0, 2.0], [-1.0, -2.0]) == pytest.approx(-1.0)
    assert cosine([1e200, 1e200], [1e-200, 0.0]) == pytest.approx(2**-0.5)
    with pytest.raises(DataError, match="no direction"):
        cosine([0.0], [1.0])


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.text(min_size=1, max_size=20).filter(str.strip))
def test_a_cosine_goes_both_ways_and_stays_in_range(one: str, two: str) -> None:
    """Whatever the texts."""
    left, right = FakeCharacterNgramEmbedder(n=2, dimensions=64)([one, two])
    assert -1 <= cosine(left, right) <= 1
    assert cosine(left, right) == cosine(right, left)
    assert cosine(left, left) == pytest.approx(1.0)
