"""Wilcoxon's and Mann and Whitney's tests, and the rank-biserial correlation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError

# R: example(wilcox.test), depression scale factors before and after a tranquilizer (Hollander & Wolfe 1973, p. 29).
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# R: example(wilcox.test), permeability constants of two kinds of membrane (the same book, p. 69).
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]


class TestWilcoxon:
    """Of pairs; the predecessor advertised it and answered "Unknown test"."""

    def test_values(self) -> None:
        """R: V = 40 of 45, so the smaller sum is 5; two-sided p = 0.0390625; the interval is the t-test's."""
        found = stats.compare_paired(BEFORE, AFTER, test="wilcoxon")
        assert (found.name, found.statistic, found.p) == ("wilcoxon", 5.0, 0.0390625)
        t = stats.compare_paired(BEFORE, AFTER, test="paired_ttest")
        assert (found.difference, found.interval) == (t.difference, t.interval)
        assert found.effect == stats.Effect("rank_biserial", (5 - 40) / 45)
        assert "p = 0.0391" in found.wording

    def test_ties_made_of_rounding_are_ties(self) -> None:
        """0.3 - 0.2 and 0.2 - 0.1 are the same difference, whatever the floating point says."""
        base, tuned = [0.1, 0.2, 0.5, 0.3, 0.7, 0.4], [0.2, 0.3, 0.4, 0.5, 0.9, 0.4]
        expected = scipy_stats.wilcoxon([1, 1, -1, 2, 2, 0])
        found = stats.compare_paired(base, tuned, test="wilcoxon")
        assert (found.statistic, found.p) == (expected.statistic, expected.pvalue)
        assert found.counts == {"pairs": 6, "ties": 1}

    def test_large_samples(self) -> None:
        """Beyond 100 pairs that differ the normal approximation, scipy's value, and `method` says so."""
        base = [float((i * 7919) % 101) for i in range(130)]
        tuned = [x + ((i * 31) % 17) - 7 for i, x in enumerate(base)]
        expected = scipy_stats.wilcoxon([y - x for x, y in zip(base, tuned, strict=True)])
        found = stats.compare_paired(base, tuned, test="wilcoxon")
        assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
        assert ("normal approximation" in found.method, found.attainable) == (True, None)

    def test_which_p_value_it_is_stands_in_method(self) -> None:
        """Exact with and without ties; the size that it attains is at most alpha."""
        plain = stats.compare_paired(BEFORE, AFTER, test="wilcoxon")
        tied = stats.compare_paired([1, 2, 3, 4], [2, 3, 3, 6], test="wilcoxon")
        assert "the smaller sum of ranks; exact p-value)" in plain.method
        assert "exact p-value, counting all signs of 3 tied ranks" in tied.method
        assert plain.attainable == pytest.approx(2 * 10 / 512)  # V <= 5 in 10 of 512 sign patterns of 9 ranks
        assert tied.attainable == 0.0

    def test_no_difference_at_all_gives_way(self) -> None:
        """As for every test that needs spread: a result, with the reason; constant differences are refused."""
        found = stats.compare_paired([0.1, 0.5], [0.1, 0.5], test="wilcoxon")
        assert found.name == "sign"
        assert "in place of the Wilcoxon signed-rank test" in found.method
        with pytest.raises(DegenerateSample):
            stats.compare_paired([0.0, 0.5], [0.5, 1.0], test="wilcoxon")
        with pytest.raises(DegenerateSample, match="3 differences are 0 up to rounding: there is nothing to rank"):
            stats.compare_paired([1.0, 1.0, 1.0], [1.0 + 4e-13, 1.0, 1.0 + 2e-13], test="wilcoxon")


class TestMannWhitney:
    """Of independent samples."""

    def test_values(self) -> None:
        """R: wilcox.test(at term, early): W = 35, two-sided p = 0.2544; U here is the treatment's, 50 - 35."""
        found = stats.compare(AT_TERM, EARLY, test="mann_whitney")
        assert (found.name, found.statistic, round(found.p, 4)) == ("mannwhitney", 15.0, 0.2544)
        assert found.effect == stats.Effect("rank_biserial", 2 * 15 / 50 - 1)
        assert found.interval == stats.compare(AT_TERM, EARLY).interval
        assert "the interval is that of the means" in found.assumptions[-1]

    @given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.lists(st.integers(0, 5), min_size=2, max_size=12))
    def test_the_effect_is_wins_minus_losses(self, x: list[int], y: list[int]) -> None:
        """Counted pair by pair; columns that do not vary are refused."""
        try:
            found = stats.compare(x, y, test="mannwhitneyu")
        except DegenerateSample:
            assert len(set(x)) == len(set(y)) == 1
            return
        wins = sum((b > a) - (b < a) for a in x for b in y)
        assert found.effect.value == pytest.approx(wins / (len(x) * len(y)), abs=1e-12)
        assert 0.0 < found.p <= 1.0
        assert "exact p-value" in found.method
        assert found.attainable is not None
        assert found.attainable <= 0.05


class TestStudent:
    """By name only: `ttest` stays Welch's on independent scores."""

    def test_values(self) -> None:
        """scipy.stats.ttest_ind with equal variances, and its interval."""
        found = stats.compare(EARLY, AT_TERM, test="student")
        expected = scipy_stats.ttest_ind(AT_TERM, EARLY)
        interval = expected.confidence_interval()
        got = (found.statistic, found.df, found.p, found.interval.low, found.interval.high)
        assert got == pytest.approx((expected.statistic, 13, expected.pvalue, *interval), rel=1e-12)
        assert found.effect.name == "hedges_g"
        assert found.effect.interval is not None
        assert (found.effect.interval.low < 0 < found.effect.interval.high) == (found.p > 0.05)

    def test_the_effect_is_on_the_pooled_variance(self) -> None:
        """Hedges' (1981) J(df) times Cohen's d, exactly d = t sqrt(1/n + 1/m)."""
        found = stats.compare(EARLY, AT_TERM, test="student")
        d = found.statistic * (1 / 10 + 1 / 5) ** 0.5
        plan = stats.Plan(tests=("student",), effect="cohens_d")
        (contrast,) = stats.compare_groups({"early": EARLY, "at term": AT_TERM}, plan).contrasts
        assert isinstance(contrast.result, stats.TestResult)
        assert contrast.result.effect.name == "cohens_d"
        assert contrast.result.effect.value == pytest.approx(d, rel=1e-12)
        assert found.effect.value == pytest.approx(d * (1 - 3 / (4 * 13 - 1)), rel=1e-3)

    def test_aliases(self) -> None:
        """Both spellings lead here, and neither is the word `ttest`."""
        assert stats.compare(EARLY, AT_TERM, test="ttest_ind").name == "student"
        assert stats.compare(EARLY, AT_TERM, test="student t-test").name == "student"
        assert stats.compare(EARLY, AT_TERM, test="ttest").name == "welch"
        with pytest.raises(DegenerateSample):
            stats.compare([1, 1], [2, 2], test="student")


class TestBootstrapOfIndependentSamples:
    """Each column resampled on its own."""

    def test_agrees_with_welch_on_roughly_normal_scores(self) -> None:
        """Same difference, nearly the same p and interval; the same seed gives the same numbers."""
        x = [((i * 37) % 101) / 101 for i in range(60)]
        y = [((i * 53) % 97) / 97 + 0.1 for i in range(50)]
        welch, found = stats.compare(x, y), stats.bootstrap_independent(x, y, resamples=4000, seed=3)
        assert found.difference == welch.difference
        assert found.statistic == pytest.approx(welch.statistic)
        assert found.p == pytest.approx(welch.p, abs=0.02)
        assert (found.interval.low, found.interval.high) == pytest.approx(
            (welch.interval.low, welch.interval.high), abs=0.02
        )
        assert found == stats.bootstrap_independent(x, y, resamples=4000, seed=3)
        assert stats.compare(x, y, test="bootstrap").counts == {"baseline": 60, "treatment": 50, "resamples": 10_000}

    def test_refusals(self) -> None:
        """No spread, too little of it, too few resamples."""
        with pytest.raises(DegenerateSample, match="neither column varies"):
            stats.bootstrap_independent([1, 1], [2, 2])
        with pytest.raises(DegenerateSample, match="the 2 and 2 scores have no spread: too few scores differ"):
            stats.bootstrap_independent([1, 2], [2, 3])
        with pytest.raises(StatsError, match="at least 100 resamples, got 99"):
            stats.bootstrap_independent([1, 2], [2, 3], resamples=99)
