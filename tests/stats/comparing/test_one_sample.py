"""One column against a fixed value: the rule, the sentence, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples

SCORES = [0.61, 0.72, 0.55, 0.70, 0.66, 0.81, 0.59, 0.64]


def test_other_scores_go_to_the_t_test() -> None:
    """The fixed value is the baseline, and the sentence names it."""
    found = stats.one_sample(SCORES, 0.5)
    assert (found.name, found.df, found.n) == ("one_sample_ttest", 7, 8)
    assert found.difference == pytest.approx(0.16)
    assert found.baseline_mean == 0.5
    assert found.effect.name == "cohens_d"
    assert "chosen because the scores are not all 0 or 1" in found.method
    assert found.wording == (
        "A difference was found: mean score is 0.660 (n = 8), a difference of +0.160 (95 % interval +0.091 to +0.229; "
        "one-sample t-test, p = 0.0009) from the fixed value 0.5."
    )
    assert stats.TestResult.from_dict(found.to_dict()) == found


def test_zeros_and_ones_go_to_the_binomial_test() -> None:
    """Where the fixed share lies between; counts that happen to be 0 or 1 do not."""
    right = [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1]
    found = stats.one_sample(right, 0.5)
    assert (found.name, found.statistic, found.p) == ("binomial", 10.0, pytest.approx(2 * 79 / 4096))
    assert found.attainable == pytest.approx(2 * 79 / 4096)  # at most 2, or at least 10, of 12
    assert "chosen because every score is 0 or 1" in found.method
    assert stats.one_sample(right, 0.5, is_share=False).name == "one_sample_ttest"
    assert stats.one_sample(right, 1.5).name == "one_sample_ttest"
    assert stats.one_sample([True] * 9, 0.5).p == pytest.approx(2 / 512)


def test_a_mapping_by_item_is_a_column() -> None:
    """Ids are of no matter with one column."""
    assert stats.one_sample(dict(enumerate(SCORES)), 0.5) == stats.one_sample(SCORES, 0.5)


@pytest.mark.parametrize(("word", "name"), [("ttest", "one_sample_ttest"), ("wilcoxon", "one_sample_wilcoxon")])
def test_forcing(word: str, name: str) -> None:
    """By the short words too, and it is said."""
    found = stats.one_sample(SCORES, 0.6, test=word)
    assert found.name == name
    assert "named by the caller" in found.method


def test_wilcoxon_keeps_the_interval_of_the_mean() -> None:
    """The p-value is the rank test's; ties with the fixed value are counted and left out."""
    found, t = stats.one_sample(SCORES, 0.64, test="wilcoxon"), stats.one_sample(SCORES, 0.64)
    assert (found.interval, found.difference) == (t.interval, t.difference)
    assert found.counts == {"scores": 8, "ties": 1}
    assert "not the rank test's" in found.assumptions[2]
    assert found.effect.name == "rank_biserial"


def test_checks_on_request() -> None:
    """Of the scores."""
    assert [check.name for check in stats.one_sample(SCORES, 0.5, checks=True).checks] == [
        "shapiro_wilk",
        "anderson_darling",
    ]


@pytest.mark.parametrize(
    ("scores", "mu", "arguments", "error", "message"),
    [
        ([], 0.5, {}, TooFewSamples, "at least 2 scores, got 0"),
        ([1.5], 0.5, {}, TooFewSamples, "at least 2 scores, got 1"),
        ([1.0, float("nan")], 0.5, {}, StatsError, r"scores\[1\] is nan"),
        ([1.0, float("inf")], 0.5, {}, StatsError, r"scores\[1\] is inf"),
        ([1.0, 2.0], float("nan"), {}, StatsError, "the fixed value must be a finite number"),
        ([1.0, 2.0], float("inf"), {}, StatsError, "the fixed value must be a finite number"),
        ([3.0, 3.0, 3.0], 0.5, {}, DegenerateSample, "all 3 scores are 3 up to rounding"),
        ([3.0, 3.0, 3.0], 3.0, {"test": "wilcoxon"}, DegenerateSample, "all 3 scores are 3"),
        ([0.0, 0.5], 0.5, {"test": "binomial"}, StatsError, "all 0 or 1"),
        ([0.0, 1.0], 1.0, {"test": "binomial"}, StatsError, "must lie between 0 and 1"),
        ([1.0, 2.0], 0.5, {"test": "welch"}, StatsError, "not available for one column; available: auto"),
        ([1.0, 2.0], 0.5, {"test": "wilcoxn"}, StatsError, 'did you mean "wilcoxon"'),
        ([1.0, 2.0], 0.5, {"alpha": 5}, StatsError, "alpha must lie between 0 and 1"),
    ],
)
def test_refusals(  # one row of the table
    scores: list[float], mu: float, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Each with what came and what was expected."""
    with pytest.raises(error, match=message):
        stats.one_sample(scores, mu, **arguments)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_scales(scale: float) -> None:
    """The same test whatever the unit."""
    found = stats.one_sample([x * scale for x in SCORES], 0.5 * scale)
    assert found.p == pytest.approx(stats.one_sample(SCORES, 0.5).p, rel=1e-9)


def test_a_share_against_0_says_why_it_is_no_binomial_test() -> None:
    """The scores are not called mere numbers where the caller said that they are shares."""
    found = stats.one_sample([0, 1, 1, 1], 0.0)
    assert found.name == "one_sample_ttest"
    assert "no share can be tested against 0, only one between 0 and 1" in found.method
