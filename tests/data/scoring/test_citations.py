from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import DataError, Item
from crucible.data.scoring import CitationWords, citation_accuracy, citation_match, citation_score, read_citations
from crucible.ir import Failed, Scored, Skipped


@pytest.mark.parametrize(
    ("form", "text", "ids"),
    [
        ("brackets", "It is so [1], and so [2, 3]; see [1].", ("1", "2", "3")),
        ("brackets", "[1][2] [4-6] [doc-3] [^7]", ("1", "2", "4", "5", "6", "doc-3", "7")),
        ("brackets", "[sic] [note] [text3](https://example.com) [] [9-1]", ("9-1",)),
        ("brackets", "no citation", ()),
        ("parentheses", "So it is (doc-3; doc-5), and was (2020), see (doc-3).", ("doc-3", "doc-5")),
        ("json", "[1, 2, 2]", ("1", "2")),
        ("json", '{"answer": "x", "citations": ["a", 3]}', ("a", "3")),
        ("json", '{"answer": "x"}', ()),
        ("json", "not json [1]", ()),
        ("json", "[true, null, 1]", ("1",)),
    ],
)
def test_citations_are_read_in_the_declared_form(form: str, text: str, ids: tuple[str, ...]) -> None:
    """Each id once; a link, a remark and a year are none."""
    assert read_citations(text, form) == ids  # type: ignore[arg-type]


def test_precision_and_recall_are_over_distinct_ids() -> None:
    """Two of three cited are right, two of four expected are cited."""
    found = citation_score(["1", "2", "9", "2"], ["1", "2", "3", "4"], known=["1", "2", "3", "4", "5"])
    assert (found.precision, found.recall, found.f1) == (2 / 3, 0.5, pytest.approx(4 / 7))
    assert (found.cited, found.expected, found.right, found.invented) == (3, 4, 2, ("9",))


@pytest.mark.parametrize(
    ("cited", "expected", "scores"),
    [([], [], (1.0, 1.0, 1.0)), ([], ["1"], (0.0, 0.0, 0.0)), (["1"], [], (0.0, 0.0, 0.0))],
)
def test_nothing_cited_is_right_only_where_nothing_is_expected(
    cited: list[str], expected: list[str], scores: tuple[float, float, float]
) -> None:
    """And 0/0 is never a hidden zero or one elsewhere."""
    found = citation_score(cited, expected)
    assert (found.precision, found.recall, found.f1) == scores
    assert found.invented == ()


ids = st.sets(st.sampled_from("abcdef"))


@given(ids, ids)
def test_f1_is_the_harmonic_mean(cited: set[str], expected: set[str]) -> None:
    """And all three lie between 0 and 1."""
    found = citation_score(cited, expected)
    assert all(0 <= value <= 1 for value in (found.precision, found.recall, found.f1))
    if found.right:
        assert found.f1 == pytest.approx(2 / (1 / found.precision + 1 / found.recall))


def test_an_item_says_which_citations_are_right() -> None:
    """Without that it is skipped; where it is no list, the item is broken."""
    f1 = citation_match()
    assert f1(Item("i", "q", None, {"citations": [1, 2]}), "x [1]") == Scored(pytest.approx(2 / 3))
    assert citation_match("precision")(Item("i", "q", None, {"citations": [1, 2]}), "x [1]") == Scored(1.0)
    assert citation_match("recall")(Item("i", "q", None, {"citations": [1, 2]}), "x [1]") == Scored(0.5)
    assert isinstance(f1(Item("i", "q"), "x [1]"), Skipped)
    assert isinstance(f1(Item("i", "q", None, {"citations": "1"}), "x [1]"), Failed)
    words = CitationWords(form="parentheses", expected="cited_doc_ids")
    assert citation_match("f1", words)(Item("i", "q", None, {"cited_doc_ids": ["d1"]}), "so (d1)") == Scored(1.0)


def test_unknown_words_are_refused_with_the_nearest() -> None:
    """Before any answer."""
    with pytest.raises(DataError, match='unknown form of citations "bracket".*did you mean "brackets"'):
        CitationWords(form="bracket")  # type: ignore[arg-type]
    with pytest.raises(DataError, match='unknown part "f2"'):
        citation_match("f2")  # type: ignore[arg-type]


def test_many_answers_come_with_counts_and_intervals() -> None:
    """Invented sources are counted, by citation and by answer."""
    items = [Item(str(n), "q", None, {"citations": ["1", "2"], "sources": ["1", "2", "3"]}) for n in range(4)]
    found = citation_accuracy(items, ["[1] [2]", "[1] [9]", "[8] [9]", "none"])
    assert (found.cited, found.expected, found.right, found.invented) == (6, 8, 3, 3)
    assert found.f1.mean == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert found.recall.interval is not None
    assert found.with_invented.mean == 0.5
    assert found.with_invented.interval is not None
    assert found.with_invented.interval.method == "Wilson score"


def test_many_answers_need_an_expectation_each() -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(DataError, match='item "b" does not say which citations are right'):
        citation_accuracy([Item("a", "q", None, {"citations": []}), Item("b", "q")], ["", ""])
    with pytest.raises(DataError, match="one answer an item; got 1 items, 0 answers"):
        citation_accuracy([Item("a", "q")], [])
