"""Independent comparisons: the rule that chooses the test, and every awkward column's stated behaviour."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError
from crucible.stats import Verdict


def test_zeros_and_ones_go_to_fisher() -> None:
    """Counts of both sides are in the result, the difference is treatment minus baseline."""
    result = stats.compare([0, 0, 1, 0], [1, 1, 1, 0, 1])
    assert result.name == "fisher"
    assert result.counts == {"baseline": 4, "treatment": 5, "baseline_successes": 1, "treatment_successes": 4}
    assert result.difference == pytest.approx(0.55)
    assert result.n == 9
    assert result.effect.value > 0
    assert "chosen because every score is 0 or 1" in result.method
    assert "for treatment (n = 5)" in result.wording


def test_other_scores_go_to_welch() -> None:
    """Sizes may differ, variances too."""
    result = stats.compare([1.0, 2.0, 3.0, 2.5, 1.5], [2.0, 4.0, 9.0, 5.0, 3.0, 8.0])
    assert result.name == "welch"
    assert result.df is not None
    assert 4.0 < result.df < 9.0
    assert result.effect.name == "hedges_g"


@pytest.mark.parametrize("value", [0, 1])
def test_constant_binary_columns_find_no_difference(value: int) -> None:
    """All right on both sides is an answer."""
    result = stats.compare([value] * 8, [value] * 9)
    assert result.p == 1.0
    assert result.verdict is Verdict.NO_DIFFERENCE_FOUND
    assert result.interval.low < 0.0 < result.interval.high


@pytest.mark.parametrize(("x", "y"), [([0.5] * 3, [0.5] * 3), ([0.5] * 3, [0.7] * 4)])
def test_two_constant_columns_are_degenerate(x: list[float], y: list[float]) -> None:
    """No spread on either side: no t-test, whether the constants agree or not."""
    with pytest.raises(DegenerateSample, match="neither column varies"):
        stats.compare(x, y)


@pytest.mark.parametrize("constant", ["baseline", "treatment"])
def test_one_constant_column_is_tested_with_a_warning_in_the_assumptions(constant: str) -> None:
    """Welch's test exists there; that its variance may be too small is said."""
    flat, varied = [0.5] * 4, [0.1, 0.9, 0.4, 0.2]
    result = stats.compare(flat, varied) if constant == "baseline" else stats.compare(varied, flat)
    assert result.df == pytest.approx(3.0)
    assert any(f"the {constant} does not vary at all" in text for text in result.assumptions)


def test_the_same_column_twice_finds_no_difference() -> None:
    """T = 0, p = 1."""
    column = [0.1, 0.5, 0.7]
    result = stats.compare(column, column)
    assert (result.statistic, result.p) == (0.0, 1.0)


@pytest.mark.parametrize("word", ["ttest", "welch", "welch_t_test", "t_test"])
def test_forcing_welch_on_zeros_and_ones(word: str) -> None:
    """`ttest` is Welch's here."""
    result = stats.compare([0, 0, 1, 0], [1, 1, 1, 0], test=word)
    assert result.name == "welch"
    assert "named by the caller" in result.method


def test_fisher_cannot_be_forced_on_other_scores() -> None:
    """Cutting scores is the caller's decision."""
    with pytest.raises(StatsError, match="all 0 or 1"):
        stats.compare([0, 0.5], [1, 1], test="fisher")


def test_a_paired_test_is_refused_with_the_way_out() -> None:
    """McNemar needs pairs: the message names compare_paired."""
    with pytest.raises(StatsError, match=r"use compare_paired\(\)"):
        stats.compare([0, 1], [1, 1], test="mcnemar")


def test_few_scores_against_more_are_compared_with_care() -> None:
    """By the rule with the degrees of freedom of the smaller column; not of equal sizes, nor where Welch is forced."""
    few, many = [1.0, 2.0, 4.0], [2.0, 4.0, 9.0, 5.0]
    careful, forced = stats.compare(few, many), stats.compare(few, many, test="welch")
    assert (careful.name, careful.df) == ("welch", 2.0)
    assert "the degrees of freedom of the smaller column" in careful.method
    assert careful.statistic == forced.statistic
    assert forced.df is not None
    assert forced.df > 2.0
    assert careful.p > forced.p
    assert "Welch-Satterthwaite" in stats.compare(few, many[:3]).method


def test_checks_are_shown_on_request_and_choose_nothing() -> None:
    """The same numbers with and without; none for right and wrong."""
    x, y = [1.0, 2.0, 4.0, 3.0, 2.0, 5.0, 3.5, 2.5], [2.0, 4.0, 9.0, 5.0, 30.0, 2.0, 7.0, 1.0]
    plain, shown = stats.compare(x, y), stats.compare(x, y, checks=True)
    assert plain.checks == ()
    assert [check.name for check in shown.checks] == ["shapiro_wilk", "anderson_darling"] * 2 + ["levene"]
    assert (plain.p, plain.name, plain.wording) == (shown.p, shown.name, shown.wording)
    pairs = stats.compare_paired(x, y, checks=True)
    assert [check.name for check in pairs.checks] == ["shapiro_wilk", "anderson_darling"]
    assert "Shapiro-Wilk on differences (8 scores): W = " in pairs.checks[0].wording
    assert stats.compare([0, 1, 1], [1, 1, 0], checks=True).checks == ()
    assert stats.TestResult.from_dict(shown.to_dict()) == shown


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("permutation", "permutation_independent"),
        ("proportions_ztest", "two_proportion_z"),
        ("fisher_exact", "fisher"),
        ("student", "student"),
        ("ttest", "welch"),
        ("mann-whitney u", "mannwhitney"),
        ("bootstrap", "bootstrap_independent"),
    ],
)
def test_every_test_can_be_forced(word: str, name: str) -> None:
    """By any of its names."""
    x, y = [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0], [1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1]
    found = stats.compare(x, y, test=word)
    assert found.name == name
    assert found.difference == pytest.approx(0.25)


def test_proportions_need_zeros_and_ones() -> None:
    """The z-test of anything else is refused."""
    with pytest.raises(StatsError, match="needs scores that are all 0 or 1"):
        stats.compare([0, 0.5], [1, 1], test="two_proportion_z")


def test_fishers_attainable_size() -> None:
    """R: with margins 4, 4 and 4, 4 only the two extreme tables have p < .05, each with probability 1 / 70."""
    found = stats.compare([1, 1, 1, 0], [0, 0, 0, 1])
    assert found.attainable == pytest.approx(2 / 70, rel=1e-12)
    assert found.p == pytest.approx(34 / 70, rel=1e-12)


def test_numbers_that_overflow_are_refused() -> None:
    """Scores of sizes that lie far apart in size have no bootstrap interval; it is not told as an infinite one."""
    with pytest.raises(StatsError, match="no finite numbers for scores of this size: rescale the scores"):
        stats.compare([0, 0, 0, 0, 1e149], [1e-140, 0, 0, 0, 1], test="bootstrap")
