"""Verdicts say what was compared, whether it is real, how big it is and how sure; and no more than that."""

from __future__ import annotations

import pytest

from crucible.ir import Interval
from crucible.report import titles, wording
from crucible.report.findings import Contrast, Effect, Evaluation, OtherTest, Score, Side
from crucible.report.measurements import read_contrasts
from crucible.report.results import Results
from crucible.report.score_tables import comparison_tables
from crucible.report.verdict import find_score, headline, sentence


def contrast(**changes: object) -> Contrast:
    """Return a contrast in which a difference was found."""
    made = Contrast(
        "tuned vs base", "base", "tuned", metric="exact_match", verdict="difference", test="McNemar's exact test",
        p=0.0001, alpha=0.05, baseline_mean=0.5, treatment_mean=0.7, difference=0.2,
        interval=Interval(0.1, 0.3, 0.95, "Tango score"), n=100, unit="fraction",
    )  # fmt: skip
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_difference() -> None:
    """Means, difference, interval, pairs, test, p and threshold stand in one paragraph."""
    assert headline(contrast()) == "tuned scores higher than base"
    assert sentence(contrast()) == (
        "tuned reaches 70.0% in exact_match, base 50.0%: a difference of +20.0 points (95% interval +10.0 to +30.0), "
        "over the same 100 items. McNemar's exact test: p = 0.0001; below the threshold of 0.05."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"difference": -0.2}, "tuned scores lower than base"), ({"difference": None}, "tuned differs from base"),
     ({"verdict": "no_difference_found"}, "No difference found between tuned and base"),
     ({"verdict": None}, "tuned against base: not tested"), ({"verdict": "not_sure"}, "tuned against base: not sure"),
     ({"treatment": "base"}, "base against itself: a difference where there can be none")],
)  # fmt: skip
def test_headlines(changes: dict[str, object], words: str) -> None:
    """The headline follows the verdict of the test, never the numbers."""
    assert headline(contrast(**changes)) == words


def test_no_difference_is_not_equality() -> None:
    """Where no difference was found, the text says what remains possible."""
    text = sentence(contrast(verdict="no_difference_found", p=0.3, interval=Interval(-0.1, 0.3, 0.95, "x")))
    assert "p = 0.3000; above the threshold of 0.05." in text
    assert text.endswith("This is no proof that they are equal: every difference inside the interval fits the data.")
    assert sentence(contrast(verdict="no_difference_found", interval=None)).endswith(
        "This is no proof that they are equal."
    )


def test_adjusted_p_decides() -> None:
    """With a correction, the corrected p-value is the one that is compared with the threshold."""
    text = sentence(contrast(p=0.04, p_adjusted=0.08, correction="holm", comparisons=2, verdict="no_difference_found"))
    assert "p = 0.0400, p = 0.0800 after Holm correction for 2 comparisons; above the threshold of 0.05." in text
    assert "The verdict is the test's; the interval alone would exclude zero." in text
    assert "p = 0.0500 after correction; equal to the threshold" in sentence(contrast(p=0.04, p_adjusted=0.05))


def test_what_is_not_known_is_not_said() -> None:
    """Missing parts leave gaps in the text, not zeros."""
    bare = contrast(p=None, interval=None, baseline_mean=None, n=None, metric="")
    assert sentence(bare) == "In the score, a difference of +20.0 points."
    assert sentence(contrast(p=0.5, alpha=None, test="")).endswith("Test: p = 0.5000.")
    assert sentence(contrast(difference=None, wording="The test's own words.")) == "The test's own words."
    assert sentence(contrast(difference=None)) == "The run recorded no difference."
    assert sentence(contrast(failures="2 of 9 items were left out")).endswith("2 of 9 items were left out.")


def test_find_score() -> None:
    """A score is found by label and scorer."""
    evaluations = [Evaluation("a", [Score("x", 0.5)])]
    assert find_score(evaluations, "a", "x") is evaluations[0].scores[0]
    assert find_score(evaluations, "a", "y") is None


def test_comparison_tables() -> None:
    """Other tests stand in a table of their own, and items only where the scores do not already count them."""
    made = contrast(
        effect=Effect("cohens_g", 0.25, Interval(0.1, 0.4, 0.95, "Clopper-Pearson exact")),
        counts={"pairs": 100},
        also=[OtherTest("paired t-test", 0.2), OtherTest("bootstrap", refused="all pairs are equal")],
        sides=[Side("base", 10, 9, 1, 0), Side("tuned", 10, 10, 0, 0)],
    )
    results = Results(metric="exact_match", failure_policy="exclude", contrasts=[made])
    first, other, items = comparison_tables(results)
    assert first.columns[6].note == "Cohen's g, 95% 0.1 to 0.4"
    assert first.notes[:2] == ("tuned against base: pairs 100.", "Policy for failed items: exclude.")
    assert [row.cells[0].note for row in other.rows] == ["", "not made: all pairs are equal"]
    assert [row.name for row in items.rows] == ["base (baseline)", "tuned (treatment)"]
    scores = [Score("exact_match", 0.5, None, 10, 9, 1, 0), Score("exact_match", 0.7, None, 10, 10, 0, 0)]
    results.evaluations = [Evaluation("base", scores[:1]), Evaluation("tuned", scores[1:])]
    assert [table.key for table in comparison_tables(results)] == ["comparisons", "other-tests"]
    made.effect, made.sides = None, []
    assert comparison_tables(results)[0].rows[0].cells[5].text == "—"


def test_names_that_say_something() -> None:
    """A name that the user gave is shown beside the verdict; one made of the labels is not repeated."""
    assert wording.is_named(contrast(name="does it help?"))
    assert not wording.is_named(contrast())


def test_titles() -> None:
    """Known words are written as people write them, others as they came."""
    assert titles.test_title("mcnemar") == "McNemar's exact test"
    assert titles.test_title("my_test") == "my test"
    assert titles.correction_title("bh") == "Benjamini-Hochberg"
    assert titles.effect_title("cohens_g") == "Cohen's g"


def test_other_tests_are_read() -> None:
    """What stands beside the deciding test in the metric is read with it."""
    bench = {
        "metric": "m",
        "alpha": 0.1,
        "correction": "none",
        "contrasts": [{"also": [{"name": "bootstrap", "p": 0.5}, {}]}],
    }
    read = read_contrasts(bench, [])[0]
    assert [(other.test, other.p) for other in read.also] == [("paired bootstrap-t test", 0.5), ("unnamed test", None)]
    assert (read.alpha, read.correction) == (0.1, None)
