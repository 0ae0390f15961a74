"""What answers argue, as numbers between 0 and 1: read from lines or JSON, by hand."""

from __future__ import annotations

import json

import pytest

from crucible.data import Item
from crucible.data.argument import (
    Claim,
    Relation,
    balance,
    chirality,
    citation_validity,
    claim_consistency,
    read_argument,
    valid_citations,
)
from crucible.data.scoring import score_bounds
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped

ANSWER = """\
Some words before.
CLAIM[c1]: Zinc shortens colds (citing doc-1, doc-2 and doc-9)
CLAIM[c2]: Trials were small [doc-3]; see [sic].
  CLAIM[c3]: Effects vary
RELATION: c2 supports c1
RELATION: c1 Supports c2
RELATION: c3 refutes c1
RELATION: c3 supports c8
"""


def test_claims_and_relations_are_read_from_lines() -> None:
    """With their sources; a relation of a claim that is not there is kept apart."""
    found = read_argument(ANSWER)
    assert [claim.id for claim in found.claims] == ["c1", "c2", "c3"]
    assert [claim.citations for claim in found.claims] == [("doc-1", "doc-2", "doc-9"), ("doc-3",), ()]
    assert found.citations == ("doc-1", "doc-2", "doc-9", "doc-3")
    assert found.edges() == [("c2", "c1"), ("c1", "c2")]
    assert found.edges("refutes") == [("c3", "c1")]
    assert found.dangling == (Relation("c3", "supports", "c8"),)


def test_claims_and_relations_are_read_from_json() -> None:
    """What is of another form in it is left out."""
    record = {
        "claims": [{"id": 1, "text": "a", "citations": ["d1", "d1"]}, {"id": "2"}, {"text": "no id"}, "odd", {"id": 1}],
        "relations": [{"source": 1, "kind": "Supports", "target": "2"}, {"source": 1}, 3],
    }
    found = read_argument(json.dumps(record))
    assert found.claims == (Claim("1", "a", ("d1",)), Claim("2", ""))
    assert found.relations == (Relation("1", "supports", "2"),)


@pytest.mark.parametrize("text", ["", "no claims here", "[1, 2]", '{"claims": 3}', "CLAIM[]: x", '{"a": 1}'])
def test_what_argues_nothing_has_no_claims(text: str) -> None:
    """And is no error: an answer may be anything."""
    assert read_argument(text).claims == ()


def score(outcome: Outcome) -> float:
    """Return the score."""
    assert isinstance(outcome, Scored)
    return outcome.value


def test_consistency_is_the_share_outside_of_circles() -> None:
    """Two of three claims support each other; contradicting each other is no circle; nothing said scores 0."""
    item = Item("1", "q")
    assert score(claim_consistency(item, ANSWER)) == pytest.approx(1 / 3)
    assert score(claim_consistency(item, ANSWER.replace("c1 Supports c2", "c1 refutes c2"))) == 1.0
    assert score(claim_consistency(item, "I do not know.")) == 0.0


@pytest.mark.parametrize(
    ("cited", "score_", "coverage"),
    [
        (["t1", "t2", "a1", "a2"], 1.0, 1.0),
        (["t1", "a1"], 1.0, 0.5),
        (["t1", "t2"], 0.0, 0.5),
        (["t1", "t2", "a1"], 1 - 0.5 / 1.5, 0.75),
        ([], 0.0, 0.0),
        (["elsewhere"], 0.0, 0.0),
    ],
)
def test_balance_by_hand(cited: list[str], score_: float, coverage: float) -> None:
    """Even use of both sides is balance, full use is coverage, and chirality needs both."""
    found = balance(cited, ["t1", "t2"], ["a1", "a2"])
    assert found.balance_score == pytest.approx(score_)
    assert found.evidence_coverage == coverage
    assert found.chirality == pytest.approx(score_ * coverage)


def test_chirality_reads_the_sides_from_the_item() -> None:
    """Sides of other sizes count by shares; without them the item is skipped, an empty side is broken."""
    item = Item("1", "q", metadata={"thesis": ["doc-1"], "antithesis": ["doc-3", "doc-4"]})
    assert score(chirality(item, ANSWER)) == pytest.approx((1 - 0.5 / 1.5) * 2 / 3)
    assert score(chirality(item, "Both [doc-1], [doc-3] and [doc-4].")) == 1.0
    assert isinstance(chirality(Item("1", "q"), ANSWER), Skipped)
    broken = chirality(Item("1", "q", metadata={"thesis": [], "antithesis": ["d"]}), ANSWER)
    assert broken == Failed("the thesis has no evidence, so nothing can be balanced; give the ids of its sources")
    assert isinstance(chirality(Item("1", "q", metadata={"thesis": "doc-1", "antithesis": ["d"]}), ANSWER), Failed)
    with pytest.raises(DataError, match="the antithesis has no evidence"):
        balance([], ["t"], [])


def test_validity_by_hand() -> None:
    """Rate, precision and recall against the pool; of nothing cited there is no rate."""
    found = citation_validity(["d1", "d9", "d1"], ["d1", "d2", "d3", "d4"])
    assert (found.invalid_rate, found.precision, found.recall, found.invalid) == (0.5, 0.5, 0.25, ("d9",))
    nothing = citation_validity([], ["d1"])
    assert (nothing.invalid_rate, nothing.precision, nothing.recall) == (None, 0.0, 0.0)


def test_valid_citations_against_the_items_sources() -> None:
    """Three of four sources were there; without a list the item is skipped; citing nothing is no way to 1.0."""
    item = Item("1", "q", metadata={"sources": ["doc-1", "doc-2", "doc-3"]})
    assert score(valid_citations(item, ANSWER)) == 0.75
    assert score(valid_citations(item, "It is so.")) == 0.0
    assert isinstance(valid_citations(Item("1", "q"), ANSWER), Skipped)
    assert isinstance(valid_citations(Item("1", "q", metadata={"sources": "doc-1"}), ANSWER), Failed)


def test_scorers_say_their_range() -> None:
    """So that intervals stay within it."""
    assert {score_bounds(each) for each in (claim_consistency, chirality, valid_citations)} == {(0.0, 1.0)}


@pytest.mark.parametrize(
    ("said", "cited"),
    [
        ("x (citing doc-1, doc-2, and doc-3)", ("doc-1", "doc-2", "doc-3")),
        ("x (citing doc-1; doc-2 And doc-3)", ("doc-1", "doc-2", "doc-3")),
        ("x, citing doc-3, which says so", ("doc-3",)),
        ("x, citing the literature", ()),
        ("x, citing ...", ()),
        ("x (citing doc-and-3).", ("doc-and-3",)),
        ("x (citing doc-1 and doc-2.)", ("doc-1", "doc-2")),
    ],
)
def test_only_what_holds_a_digit_is_a_source(said: str, cited: tuple[str, ...]) -> None:
    """However the list is joined; words around it would be called made up."""
    assert read_argument(f"CLAIM[c1]: {said}").claims[0].citations == cited


def test_a_full_stop_behind_a_relation_is_no_part_of_a_claim() -> None:
    """Or a circle would be out of sight behind two of them."""
    found = read_argument("CLAIM[c1.a]: x\nCLAIM[c2]: y\nRELATION: c1.a supports c2.\nRELATION: c2 supports c1.a.")
    assert found.edges() == [("c1.a", "c2"), ("c2", "c1.a")]
    assert found.dangling == ()
