"""Entailment through a judge of one's own: given, asked, refused where there is none, and never made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from crucible.data import Item, judges, load, resolve_scorers
from crucible.data.scorers import scorer_problem
from crucible.data.scoring import at_least, citation_check, entailment, passes_all
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped


def overlap(pairs: Sequence[tuple[str, str]]) -> list[float]:
    """A judge for these tests: the share of the hypothesis's words that the premise has."""
    shares = []
    for premise, hypothesis in pairs:
        words = hypothesis.lower().split()
        shares.append(sum(word in premise.lower().split() for word in words) / len(words))
    return shares


def letters(texts: Sequence[str]) -> list[list[float]]:
    """An embedder for these tests: counts of letters."""
    return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


@pytest.fixture(autouse=True)
def no_judges() -> Iterator[None]:
    """Judges are of the process; each test begins and ends without."""
    judges.use_entailer(None)
    judges.use_embedder(None)
    yield
    judges.use_entailer(None)
    judges.use_embedder(None)


ITEM = Item("1", "q", "zinc shortens colds", {"evidence": ["zinc shortens colds", "by a day"]})


def test_the_evidence_is_the_premise_and_the_answer_the_hypothesis() -> None:
    """All of it as one text; without evidence each accepted answer is one, and the best counts."""
    asked: list[tuple[str, str]] = []

    def judge(pairs: Sequence[tuple[str, str]]) -> list[float]:
        asked.extend(pairs)
        return overlap(pairs)

    scorer = entailment(judge)
    assert scorer(ITEM, "zinc shortens days") == Scored(2 / 3)
    assert asked == [("zinc shortens colds\nby a day", "zinc shortens days")]
    two = Item("2", "q", "no", {"references": ["zinc helps"]})
    assert scorer(two, "zinc helps") == Scored(1.0)
    assert asked[1:] == [("no", "zinc helps"), ("zinc helps", "zinc helps")]


@pytest.mark.parametrize(
    ("item", "answer", "outcome"),
    [
        (ITEM, "  ", Scored(0.0)),
        (Item("1", "q"), "x", Skipped("the item gives no evidence and no expected answer")),
        (
            Item("1", "q", metadata={"evidence": [" "]}),
            "x",
            Skipped("the item gives no evidence and no expected answer"),
        ),
        (
            Item("1", "q", metadata={"evidence": 3}),
            "x",
            Failed('item "1": "evidence" is a text or a list of texts, got 3'),
        ),
    ],
)
def test_what_there_is_to_judge(item: Item, answer: str, outcome: Outcome) -> None:
    """An empty answer entails nothing; an item without evidence says nothing of the answer."""
    assert entailment(overlap)(item, answer) == outcome


@pytest.mark.parametrize("returned", [[1.5], [float("nan")], [], [0.5, 0.5]])
def test_a_judge_that_answers_nonsense_is_a_failure(returned: list[float]) -> None:
    """And no score."""
    assert isinstance(entailment(lambda pairs: returned)(ITEM, "x"), Failed)


def test_passing_is_reaching_the_limits() -> None:
    """At 0.75 and 0.70 for the overall pass; what a part skips is skipped."""
    passing = at_least(entailment(overlap), 0.75, name="entailment_pass")
    assert (passing(ITEM, "zinc shortens colds day"), passing(ITEM, "zinc x y z")) == (Scored(1.0), Scored(0.0))

    def high(item: Item, output: str) -> Outcome:
        return Scored(0.9)

    def low(item: Item, output: str) -> Outcome:
        return Scored(0.2)

    assert passes_all([(high, 0.75), (low, 0.7)])(ITEM, "x") == Scored(0.0)
    assert passes_all([(high, 0.9)])(ITEM, "x") == Scored(1.0)
    skipped = passes_all([(low, 0.7), (lambda item, output: Skipped("why"), 0.5)])
    assert skipped(ITEM, "x") == Skipped("why")
    with pytest.raises(DataError, match="without a scorer everything would pass"):
        passes_all([])


@pytest.mark.parametrize(
    "name", ["entailment", "entailment_pass", "overall_pass", "semantic_similarity", "similarity_pass"]
)
def test_without_a_judge_a_name_is_an_error_that_says_what_to_do(name: str) -> None:
    """By validate, and when the scorer is resolved; none that comes with Crucible steps in."""
    dataset = load([ITEM])
    assert "judge of" in (scorer_problem(name) or "")
    with pytest.raises(
        DataError, match=r"needs a judge of (entailment|similarity) of your own.*call crucible.data.judges"
    ):
        resolve_scorers([name], dataset)


def test_with_judges_the_names_are_scorers() -> None:
    """Set by the program that runs the document."""
    judges.use_entailer(overlap)
    judges.use_embedder(letters)
    found = resolve_scorers(["entailment", "overall_pass", "similarity_pass"], load([ITEM]))
    assert [scorer(ITEM, "zinc shortens colds") for scorer in found.values()] == [Scored(1.0)] * 3
    assert found["overall_pass"](ITEM, "zinc qqqq xxxx") == Scored(0.0)
    assert scorer_problem("overall_pass") is None


def installed(*values: str) -> Any:
    """Return what stands for the entry points of installed packages."""
    points = [EntryPoint("entailment", value, "crucible.judges") for value in values]
    return lambda *, group, name: [each for each in points if (each.group, each.name) == (group, name)]


def broken(point: EntryPoint) -> Any:
    """Load as a package does whose import raises what it likes."""
    raise OSError(f"no such library: {point.value}")


def test_a_judge_may_come_from_an_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is taken; of two somebody must say which; one that cannot be loaded is named."""
    monkeypatch.setattr(judges, "entry_points", installed("operator:length_hint"))
    assert scorer_problem("entailment") is None
    assert judges.entailer().__name__ == "length_hint"  # type: ignore[attr-defined]
    monkeypatch.setattr(judges, "entry_points", installed("nowhere_at_all:judge"))
    with pytest.raises(DataError, match="the judge of entailment of nowhere_at_all:judge cannot be loaded"):
        judges.entailer()
    monkeypatch.setattr(judges, "entry_points", installed("antigravity_of_a_stranger:judge"))
    monkeypatch.setattr(EntryPoint, "load", broken)
    with pytest.raises(DataError, match="cannot be loaded: OSError: no such library"):
        judges.entailer()
    monkeypatch.undo()
    monkeypatch.setattr(judges, "entry_points", installed("math:pi"))
    with pytest.raises(DataError, match="math:pi, is no function but float"):
        judges.entailer()
    monkeypatch.setattr(judges, "entry_points", installed("a:b", "c:d"))
    with pytest.raises(DataError, match="2 installed packages offer a judge of entailment; call"):
        judges.entailer()
    with pytest.raises(DataError, match="a judge of entailment is a function, got int"):
        judges.use_entailer(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metadata", "answer", "score"),
    [
        ({"citations": ["d1", "d2"]}, "So [d1].", 1.0),
        ({"citations": ["d1"]}, "So [d1], [d9].", 0.0),
        ({"citations": ["d1"]}, "So.", 0.0),
        ({"citations": []}, "So.", 1.0),
        ({"citations": []}, "So [d1].", 0.0),
        ({"sources": ["d1", "d2"]}, "So [d1, d2].", 1.0),
        ({"sources": ["d1"], "citations": ["d2"]}, "So [d1].", 0.0),
    ],
)
def test_accuracy_of_citations_is_of_whole_answers(metadata: dict[str, Any], answer: str, score: float) -> None:
    """One wrong source is enough; citing nothing is right only where nothing is to be cited."""
    assert citation_check()(Item("1", "q", metadata=metadata), answer) == Scored(score)


def test_accuracy_of_citations_needs_to_know_what_is_right() -> None:
    """Else the item is skipped; a list that is none has failed."""
    assert isinstance(citation_check()(Item("1", "q"), "[d1]"), Skipped)
    assert isinstance(citation_check()(Item("1", "q", metadata={"sources": "d1"}), "[d1]"), Failed)
