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
    result = stats.compare([1.0, 2.0, 3.0], [2.0, 4.0, 9.0, 5.0])
    assert result.name == "welch"
    assert result.df is not None
    assert 2.0 < result.df < 5.0
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
