"""Paired comparisons: the rule that chooses the test, and every awkward column's stated behaviour."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError
from crucible.stats import Verdict


def test_zeros_and_ones_go_to_mcnemar() -> None:
    """The counts are those of the two-by-two table, and the difference is treatment minus baseline."""
    result = stats.compare_paired([0, 0, 0, 1, 1], [1, 1, 0, 1, 0])
    assert result.name == "mcnemar"
    assert result.counts == {"pairs": 5, "baseline_only": 1, "treatment_only": 2, "both": 1, "neither": 1}
    assert result.difference == pytest.approx(0.2)
    assert (result.baseline_mean, result.treatment_mean) == (0.4, 0.6)
    assert "chosen because every score is 0 or 1" in result.method


def test_other_scores_go_to_the_paired_t_test() -> None:
    """One value that is neither 0 nor 1 is enough."""
    result = stats.compare_paired([0, 0.5, 1, 1], [1, 1, 1, 0.9])
    assert result.name == "paired_ttest"
    assert result.df == 3
    assert result.counts == {"pairs": 4, "ties": 1}
    assert "chosen because the scores are not all 0 or 1" in result.method


def test_identical_binary_columns_find_no_difference_and_say_what_could_be_missed() -> None:
    """An A/A comparison: p = 1, an interval of real width, an effect of 0 without a made-up interval."""
    column = [0, 1] * 20
    result = stats.compare_paired(column, column)
    assert result.p == 1.0
    assert result.verdict is Verdict.NO_DIFFERENCE_FOUND
    assert result.interval.high == -result.interval.low > 0.05
    assert (result.effect.name, result.effect.value, result.effect.interval) == ("cohens_h", 0.0, None)


@pytest.mark.parametrize("value", [0, 1])
def test_constant_binary_columns_find_no_difference(value: int) -> None:
    """Both sides right (or wrong) everywhere is an answer, not an error."""
    result = stats.compare_paired([value] * 30, [value] * 30)
    assert result.p == 1.0
    assert result.interval.low < 0.0 < result.interval.high


def test_identical_scores_find_no_difference_with_a_bound() -> None:
    """No t-test can be made; the bound is the share of pairs that could differ times the range of scores."""
    column = [0.1, 0.6, 0.3, 0.9, 0.9] * 4
    result = stats.compare_paired(column, column)
    assert (result.name, result.p, result.difference) == ("sign", 1.0, 0.0)
    assert result.interval.high == pytest.approx(0.8 * (1.0 - 0.025 ** (1 / 20)))
    assert result.interval.low == -result.interval.high
    assert result.effect.name == "dominance"
    assert result.effect.interval is not None
    assert "sign test" in result.wording


def test_scores_that_never_vary_cannot_be_compared() -> None:
    """All scores of both columns are one value that is not 0 or 1."""
    with pytest.raises(DegenerateSample, match=r"all 5 scores of both columns are 0\.5"):
        stats.compare_paired([0.5] * 5, [0.5] * 5)


@pytest.mark.parametrize("shift", [0.25, 0.1, -1e-9])
def test_a_constant_difference_is_degenerate(shift: float) -> None:
    """Every difference the same, up to rounding: a t-test would divide by 0 or by noise."""
    column = [0.3, 0.7, 0.2, 0.9]
    with pytest.raises(DegenerateSample, match="all 4 differences are"):
        stats.compare_paired(column, [x + shift for x in column])


def test_rounding_noise_is_no_evidence() -> None:
    """Equal scores added up in another order differ by rounding; that must not become a tiny p-value."""
    x = [0.1 + 0.2, 0.7 + 0.1, 0.3 + 0.6, 0.5]
    y = [0.3, 0.8, 0.9, 0.5]
    assert x != y
    with pytest.raises(DegenerateSample, match="up to rounding"):
        stats.compare_paired(x, y)


def test_forcing_a_test_works() -> None:
    """A forced t-test on zeros and ones is made, and says that it was forced."""
    x, y = [0, 0, 1, 0, 1, 0], [1, 0, 1, 1, 1, 1]
    for word in ("ttest", "t_test", "paired_ttest", "Paired-T-Test"):
        result = stats.compare_paired(x, y, test=word)
        assert result.name == "paired_ttest"
        assert "named by the caller" in result.method
    assert stats.compare_paired(x, y, test="bootstrap").name == "bootstrap"
    assert stats.compare(dict(enumerate(x)), dict(enumerate(y)), test="mcnemar").name == "mcnemar"


def test_mcnemar_cannot_be_forced_on_other_scores() -> None:
    """Cutting scores at a threshold is the caller's decision."""
    with pytest.raises(StatsError, match="all 0 or 1"):
        stats.compare_paired([0, 0.5], [1, 1], test="mcnemar")


def test_a_test_for_other_samples_is_refused_by_name() -> None:
    """Known but not for paired scores: the message lists what is."""
    with pytest.raises(
        StatsError, match=r'"mann_whitney" is not available for paired scores; available: auto, mcnemar'
    ):
        stats.compare_paired([1, 2], [2, 4], test="mann_whitney")


def test_an_unknown_test_has_a_hint() -> None:
    """Did you mean."""
    with pytest.raises(StatsError, match='unknown test "mcnemer"; did you mean "mcnemar"'):
        stats.compare_paired([1, 2], [2, 4], test="mcnemer")


@pytest.mark.parametrize(("alpha", "level"), [(0.0, 0.95), (1.0, 0.95), (5, 0.95), (0.05, 95)])
def test_rates_outside_0_to_1_are_refused(alpha: float, level: float) -> None:
    """`alpha=5` and `level=95` are percentages, not probabilities."""
    with pytest.raises(StatsError, match="must lie between 0 and 1"):
        stats.compare_paired([0, 1], [1, 1], alpha=alpha, level=level)


def test_mcnemar_from_counts_alone() -> None:
    """Published tables give counts; the sentence does without means."""
    result = stats.mcnemar(6, 16, 161, alpha=0.1, level=0.95)
    assert result.verdict is Verdict.DIFFERENCE
    assert result.baseline_mean is None
    assert result.wording.startswith("A difference was found: treatment minus baseline is +0.062 (95 % interval +0.005")
    assert result.wording.endswith("over 161 pairs.")


def test_mcnemar_refuses_counts_that_do_not_fit() -> None:
    """More differing pairs than pairs."""
    with pytest.raises(StatsError):
        stats.mcnemar(6, 16, 20)


def test_a_huge_t_keeps_its_result_without_an_effect_interval() -> None:
    """Where the non-central t gives out, the rest of the result stands."""
    x = [float(i) for i in range(3)]
    result = stats.compare_paired(x, [v + 1 + 1e-7 * (-1) ** i for i, v in enumerate(x)])
    assert result.p < 1e-6
    assert result.effect.interval is None


@pytest.mark.parametrize("test", ["ttest", "bootstrap"])
def test_forced_on_equal_columns_the_rule_answers(test: str) -> None:
    """The same result as without forcing, and the method says why it is another test."""
    for column, name in (([0, 1, 1], "mcnemar"), ([0.2, 0.5, 0.9], "sign")):
        forced, free = stats.compare_paired(column, column, test=test), stats.compare_paired(column, column)
        assert (forced.name, forced.p, forced.interval) == (name, 1.0, free.interval)
        assert f"in place of the {'paired' if test == 'ttest' else 'paired bootstrap'}" in forced.method


@pytest.mark.parametrize("test", ["permutation", "sign", "wilcoxon", "mcnemar_midp", "ttest", "bootstrap", "mcnemar"])
def test_every_test_can_be_forced(test: str) -> None:
    """On zeros and ones, where all of them apply; the difference is the same."""
    x, y = [0, 0, 1, 0, 1, 0, 1, 0, 0, 1], [1, 0, 1, 1, 1, 1, 0, 1, 0, 1]
    found = stats.compare_paired(x, y, test=test)
    assert found.name == {"ttest": "paired_ttest"}.get(test, test)
    assert found.difference == pytest.approx(0.3)
    assert 0.0 < found.p <= 1.0


def test_the_sign_test_counts_signs() -> None:
    """Not sizes: 7 of 8 pairs that differ rise, p = 2 * 9 / 256; ties are counted and left out."""
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    y = [1.1, 2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 0.0, 9.0]
    found = stats.compare_paired(x, y, test="sign")
    assert (found.statistic, found.p, found.difference < 0) == (7.0, pytest.approx(18 / 256), True)
    assert found.counts == {"pairs": 9, "ties": 1, "rising": 7, "falling": 1}
    assert found.effect.value == pytest.approx(6 / 9)
    assert found.attainable == pytest.approx(2 / 256)  # none or all of 8 rise
    with pytest.raises(DegenerateSample, match="up to rounding"):
        stats.compare_paired([0.1 + 0.2, 0.5], [0.3, 0.5], test="sign")


def test_mid_p_is_between_half_the_exact_p_and_the_exact_p() -> None:
    """It says that it is no strict bound, and has no attainable size; the exact test has one."""
    exact, mid = stats.mcnemar(3, 11, 50), stats.mcnemar(3, 11, 50, mid_p=True)
    assert exact.p / 2 < mid.p < exact.p
    assert mid.name == "mcnemar_midp"
    assert mid.attainable is None
    assert "nearly and not strictly" in mid.assumptions[-1]
    assert exact.attainable == pytest.approx(2 * (1 + 14 + 91) / 2**14)  # at most 2 of 14
    assert stats.mcnemar(0, 0, 9, mid_p=True).p == 1.0
    assert stats.mcnemar(0, 0, 9).attainable == 0.0
