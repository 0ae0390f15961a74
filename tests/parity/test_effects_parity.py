"""Effects, bootstrap, clusters and posteriors beside R packages, statsmodels and formulas from another side."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import linalg
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from crucible import stats
from crucible.stats import bayes
from crucible.stats.effects import odds
from crucible.stats.effects.effect import Moments, noncentrality_limits, pooled_hedges_g

# R's `mtcars`: weight in 1000 lb, automatic (am = 0) and manual (am = 1).
AUTOMATIC = [
    *(3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73),
    *(3.78, 5.25, 5.424, 5.345, 2.465, 3.52, 3.435, 3.84, 3.845),
]
MANUAL = [2.62, 2.875, 2.32, 2.2, 1.615, 1.835, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78]

# Hollander & Wolfe (1973), tables 3.1 and 4.1, the examples of R's ?wilcox.test.
DEPRESSION = (
    [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30],
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29],
)
PERMEABILITY = (
    [1.15, 0.88, 0.90, 0.74, 1.21],
    [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46],
)


def _three(effect: stats.Effect) -> tuple[float, float, float]:
    """Value and limits of an effect that has an interval."""
    assert effect.interval is not None
    return effect.value, effect.interval.low, effect.interval.high


class TestStandardisedDifferences:
    """Cohen's d, Hedges' g, Glass' delta."""

    @pytest.mark.parametrize(
        ("effect", "expected"),
        [
            (stats.cohens_d, (1.892, 1.030, 2.732)),
            (stats.hedges_g, (1.844, 1.004, 2.664)),
            (stats.glass_delta, (2.200, 1.008664, 3.352597)),
        ],
    )
    def test_effectsize(self, effect: Any, expected: tuple[float, float, float]) -> None:
        """R effectsize, tests/testthat/test-standardized_differences.R: wt ~ am of mtcars, to the digits given there.

        There the second group is subtracted and is the reference: the manual cars.
        """
        assert _three(effect(MANUAL, AUTOMATIC)) == pytest.approx(expected, rel=1e-3)

    @pytest.mark.parametrize("df", [2, 5, 18, 200, 20_000, 2_000_000])
    def test_hedges_correction(self, df: int) -> None:
        """Hedges (1981): J = gamma(df / 2) / (gamma((df - 1) / 2) sqrt(df / 2)), by mpmath with 50 digits."""
        with mpmath.workdps(50):
            half = mpmath.mpf(df) / 2
            expected = float(mpmath.gammaprod([half], [half - mpmath.mpf(1) / 2]) / mpmath.sqrt(half))
        n = df // 2 + 1
        found = pooled_hedges_g(Moments(0.0, 1.0, n), Moments(1.0, 1.0, df + 2 - n), level=0.95)
        assert found.value == pytest.approx(expected, rel=1e-10)

    def test_the_limits_of_glass_delta(self) -> None:
        """At each limit the non-central t of the baseline's degrees of freedom has a tail of 2.5 %, by scipy.stats."""
        value, low, high = _three(stats.glass_delta(MANUAL, AUTOMATIC))
        v, w = np.var(MANUAL, ddof=1), np.var(AUTOMATIC, ddof=1)
        scale = math.sqrt(1 / 13 + w / v / 19)
        tails = [scipy_stats.nct.cdf(value / scale, 12, limit / scale) for limit in (low, high)]
        assert tails == pytest.approx([0.975, 0.025], rel=1e-9)
        assert noncentrality_limits(value / scale, 12.0, 0.95) == pytest.approx((low / scale, high / scale))


class TestDominance:
    """Cliff's delta and the rank-biserial correlation."""

    def test_effsize(self) -> None:
        """R effsize, example of cliff.delta: -0.25, -0.7265846 to 0.3890062."""
        treatment, control = [10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50]
        found = _three(stats.cliffs_delta(control, treatment))
        assert found == pytest.approx((-0.25, -0.7265846, 0.3890062), abs=5e-8)

    def test_depression(self) -> None:
        """Hollander & Wolfe: the signed ranks of the fall are 40 and 5 of 45, so that it is (5 - 40) / 45."""
        assert stats.rank_biserial(*DEPRESSION, paired=True).value == pytest.approx(-35 / 45, rel=1e-14)


class TestHodgesLehmann:
    """Shift of pairs and of samples."""

    def test_depression(self) -> None:
        """Hollander & Wolfe (1973), sections 3.2 and 3.3: -0.46, and -0.786 to -0.010 (96.1 %)."""
        assert _three(stats.hodges_lehmann(*DEPRESSION, paired=True)) == pytest.approx((-0.46, -0.786, -0.010))

    def test_permeability(self) -> None:
        """Hollander & Wolfe (1973), sections 4.2 and 4.3; R: wilcox.test(x, y, conf.int = TRUE): 0.305, -0.15, 0.76."""
        assert _three(stats.hodges_lehmann(*PERMEABILITY)) == pytest.approx((0.305, -0.15, 0.76))

    @pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
    @pytest.mark.parametrize("n", [6, 9, 20])
    def test_the_level_is_reached_and_no_more(self, n: int, level: float) -> None:
        """The ranks of the limits by the distribution of the signed ranks, counted sign by sign for small n.

        Of powers of two every sum of two is different, so that a limit tells its rank.
        """
        d = 2.0 ** np.arange(n)
        counts = np.zeros(n * (n + 1) // 2 + 1)
        counts[0] = 1.0
        for rank in range(1, n + 1):
            counts[rank:] += counts[:-rank].copy()
        below = np.cumsum(counts) / 2.0**n
        cut = int(np.searchsorted(below, (1.0 - level) / 2.0, side="right"))
        found = stats.hodges_lehmann(np.zeros(n), d, paired=True, level=level)
        if cut == 0:
            assert found.interval is None
            return
        i, j = np.triu_indices(n)
        walsh = np.sort((d[i] + d[j]) / 2.0)
        assert _three(found)[1:] == (walsh[cut - 1], walsh[-cut])


class TestShares:
    """Eta, omega and epsilon squared."""

    def test_the_interval_inverts_the_noncentral_f(self) -> None:
        """Steiger (2004): at the limits of the share the non-central F of scipy.stats has tails of 2.5 %."""
        groups = [np.array(MANUAL), np.array(AUTOMATIC), np.array([3.0, 3.1, 2.4, 2.9, 3.6])]
        f = scipy_stats.f_oneway(*groups).statistic
        for effect in (stats.eta_squared, stats.omega_squared, stats.epsilon_squared):
            value, low, high = _three(effect(groups))
            tails = [scipy_stats.ncf.cdf(f, 2, 34, 37 * limit / (1 - limit)) for limit in (low, high)]
            assert tails == pytest.approx([0.975, 0.025], rel=1e-9)
            assert low < value < high

    def test_estimates_from_f(self) -> None:
        """Kelley (1935) and Hays (1963) as functions of F: df (F - 1) over df F + df2, and over df F + df2 + 1."""
        groups = [MANUAL, AUTOMATIC, [3.0, 3.1, 2.4, 2.9, 3.6]]
        f = float(scipy_stats.f_oneway(*groups).statistic)
        assert stats.eta_squared(groups).value == pytest.approx(2 * f / (2 * f + 34), rel=1e-12)
        assert stats.epsilon_squared(groups).value == pytest.approx(2 * (f - 1) / (2 * f + 34), rel=1e-12)
        assert stats.omega_squared(groups).value == pytest.approx(2 * (f - 1) / (2 * f + 34 + 1), rel=1e-12)


class TestRatios:
    """Odds ratio and risk ratio."""

    def test_contingencytables(self) -> None:
        """R contingencytables, tests/testthat/test-ch4.R: lampasona_2013 (9 of 13 and 4 of 14), perondi_2004."""
        assert _three(stats.odds_ratio(4, 14, 9, 13)) == pytest.approx((5.6250, 1.0934, 28.9419), abs=5e-5)
        assert _three(stats.risk_ratio(1, 34, 7, 34)) == pytest.approx((7.0, 1.2209, 42.5757), abs=5e-5)
        smoothed = odds._smoothed((4, 10, 9, 4), 0.95).interval
        assert smoothed is not None
        assert (smoothed.low, smoothed.high) == pytest.approx((1.0206, 23.7777), abs=5e-5)

    def test_exact(self) -> None:
        """R: fisher.test(Convictions): 0.04693661, 0.003325764 to 0.363182271; R's root finder leaves 2 digits of them.

        At our limits Fisher's non-central hypergeometric distribution of scipy.stats has tails of 2.5 %.
        """
        value, low, high = _three(stats.odds_ratio(10, 13, 2, 17, exact=True))
        assert (value, low, high) == pytest.approx((0.04693661, 0.003325764, 0.363182271), rel=5e-3)
        hypergeometric = scipy_stats.nchypergeom_fisher
        tails = hypergeometric.sf(1, 30, 12, 17, low), hypergeometric.cdf(2, 30, 12, 17, high)
        assert tails == pytest.approx((0.025, 0.025), rel=1e-7)
        assert hypergeometric.mean(30, 12, 17, value) == pytest.approx(2.0, rel=1e-7)

    @pytest.mark.parametrize("counts", [(3, 20, 9, 25), (30, 60, 20, 60), (1, 40, 2, 35), (45, 60, 40, 70)])
    def test_statsmodels(self, counts: tuple[int, int, int, int]) -> None:
        """Statsmodels, confint_proportions_2indep(method="score"): with and without the factor of N / (N - 1)."""
        x, n, y, m = counts
        with np.errstate(all="ignore"):  # its search for brackets passes 0 / 0
            expected = confint_proportions_2indep(y, m, x, n, compare="odds-ratio", method="score", correction=True)
        assert _three(stats.odds_ratio(*counts))[1:] == pytest.approx(expected, rel=1e-7)
        expected = confint_proportions_2indep(y, m, x, n, compare="ratio", method="score", correction=False)
        assert _three(stats.risk_ratio(*counts))[1:] == pytest.approx(expected, rel=1e-7)

    def test_limits_solve_the_score_equation(self) -> None:
        """Koopman (1984): at a limit the constrained likelihood, maximised numerically, has a score of z squared."""
        x, n, y, m = 5, 30, 12, 28

        def score(ratio: float) -> float:
            grid = np.linspace(1e-9, min(1.0, 1.0 / ratio) - 1e-9, 200_001)
            q = grid * ratio
            p = grid[np.argmax(x * np.log(grid) + (n - x) * np.log1p(-grid) + y * np.log(q) + (m - y) * np.log1p(-q))]
            q = p * ratio
            return float((x - n * p) ** 2 / (n * p * (1 - p)) + (y - m * q) ** 2 / (m * q * (1 - q)))

        for limit in _three(stats.risk_ratio(x, n, y, m))[1:]:
            assert score(limit) == pytest.approx(float(scipy_stats.chi2.ppf(0.95, 1)), rel=1e-4)

    def test_matched(self) -> None:
        """R contingencytables, test-ch8.R, ezra_2010 (25 and 2 pairs): 12.5, 3.1169 to 108.8892."""
        assert _three(stats.matched_odds_ratio(2, 25)) == pytest.approx((12.5, 3.1169, 108.8892), rel=2e-5)


class TestJeffreys:
    """Jeffreys' interval of a share."""

    @pytest.mark.parametrize(("k", "n"), [(1, 10), (5, 50), (499, 500), (300, 1000)])
    def test_statsmodels(self, k: int, n: int) -> None:
        """Statsmodels, proportion_confint(method="jeffreys"), where there are successes and failures."""
        found = stats.jeffreys(k, n)
        assert (found.low, found.high) == pytest.approx(proportion_confint(k, n, method="jeffreys"), rel=1e-9)

    def test_ends(self) -> None:
        """Brown, Cai & DasGupta (2001), section 4.1.2: 0 without a success, 1 without a failure."""
        none, every = stats.jeffreys(0, 20), stats.jeffreys(20, 20)
        assert (none.low, every.high) == (0.0, 1.0)
        assert none.high == pytest.approx(float(scipy_stats.beta.ppf(0.975, 0.5, 20.5)), rel=1e-12)


def _clustered(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 25, 180), random.integers(0, 7, 180)
    return random.normal(size=180) + random.normal(size=25)[first] + random.normal(size=7)[second], first, second


class TestClusters:
    """Standard errors of clusters."""

    @pytest.mark.parametrize("seed", range(4))
    def test_one_way(self, seed: int) -> None:
        """Statsmodels, OLS on a constant, cov_type="cluster": standard error, p-value and interval to 1e-9."""
        values, first, _ = _clustered(seed)
        fit = sm.OLS(values, np.ones(180)).fit(cov_type="cluster", cov_kwds={"groups": first}, use_t=True)
        found = stats.clustered_mean(values, first, correction="cr1")
        assert found.standard_error == pytest.approx(float(fit.bse[0]), rel=1e-9)
        assert found.p == pytest.approx(float(fit.pvalues[0]), rel=1e-9)
        assert (found.interval.low, found.interval.high) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)

    @pytest.mark.parametrize("seed", range(4))
    def test_two_way(self, seed: int) -> None:
        """Statsmodels, OLS on a constant, cov_type="cluster" with two groupings, to 1e-9."""
        values, first, second = _clustered(seed)
        groups = np.column_stack([first, second])
        fit = sm.OLS(values, np.ones(180)).fit(cov_type="cluster", cov_kwds={"groups": groups})
        found = stats.clustered_mean(values, first, crossed=second)
        assert "in its place" not in found.method
        assert found.standard_error == pytest.approx(float(fit.bse[0]), rel=1e-9)

    def test_bias_reduction_with_matrices(self) -> None:
        """Bell & McCaffrey (2002) by their matrices: residuals of a cluster times (I - H_gg)^(-1/2), and their df."""
        values, first, _ = _clustered(9)
        n = len(values)
        annihilator = np.eye(n) - np.full((n, n), 1.0 / n)
        residuals = annihilator @ values
        columns, variance = [], 0.0
        for cluster in np.unique(first):
            rows = np.flatnonzero(first == cluster)
            root = np.linalg.inv(linalg.sqrtm(annihilator[np.ix_(rows, rows)]).real)
            variance += float(np.ones(len(rows)) @ root @ residuals[rows]) ** 2 / n**2
            columns.append(annihilator[:, rows] @ root @ np.ones(len(rows)) / n)
        eigenvalues = np.linalg.eigvalsh(np.column_stack(columns).T @ np.column_stack(columns))
        found = stats.clustered_mean(values, first)
        assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-9)
        assert found.df == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-9)

    def test_miller_2024(self) -> None:
        """Miller (2024), arXiv:2411.00640: the double sum over pairs within clusters, times G / (G - 1)."""
        values, first, _ = _clustered(3)
        residuals = values - values.mean()
        together = first[:, None] == first
        expected = float((np.outer(residuals, residuals) * together).sum()) / 180**2
        groups = len(np.unique(first))
        found = stats.clustered_mean(values, first, correction="cr1")
        assert found.standard_error == pytest.approx(math.sqrt(expected * groups / (groups - 1)), rel=1e-9)


class TestPosteriors:
    """Bayesian shares and differences."""

    def test_which_share_is_larger_in_fractions(self) -> None:
        """By the finite sum of Miller (2015), evanmiller.org/bayesian-ab-testing, in exact arithmetic."""
        a, b, c, d = 4, 8, 9, 5  # beta parameters of 3 of 10 and 8 of 12 under the uniform prior

        def beta(x: int, y: int) -> Fraction:
            return Fraction(math.factorial(x - 1) * math.factorial(y - 1), math.factorial(x + y - 1))

        expected = sum(beta(a + i, b + d) / ((d + i) * beta(1 + i, d) * beta(a, b)) for i in range(c))
        assert bayes.beta_binomial_difference(3, 10, 8, 12).p_above_zero == pytest.approx(float(expected), rel=1e-9)

    def test_the_difference_of_shares_by_quadrature(self) -> None:
        """Its distribution function at both limits and both ends of a region, by mpmath's quadrature."""
        found = bayes.beta_binomial_difference(12, 40, 25, 50, rope=0.05)

        def below(difference: float) -> float:
            def inner(x: mpmath.mpf) -> mpmath.mpf:
                at = min(mpmath.mpf(1), max(mpmath.mpf(0), x + difference))
                density = x**12 * (1 - x) ** 28 / mpmath.beta(13, 29)
                return density * mpmath.betainc(26, 26, 0, at, regularized=True)

            return float(mpmath.quad(inner, [0, 0.2, 0.3, 0.4, 0.6, 1]))

        assert [below(found.interval.low), below(found.interval.high)] == pytest.approx([0.025, 0.975], rel=1e-9)
        assert found.rope is not None
        assert (found.rope.p_below, 1 - found.rope.p_above) == pytest.approx((below(-0.05), below(0.05)), rel=1e-9)

    def test_baycomp(self) -> None:
        """Package baycomp 1.0.3: two_on_single(x, y, rope=0.01, runs=1), ten folds: .0012807, .0766674, .9220518."""
        x = [0.71, 0.74, 0.69, 0.77, 0.70, 0.73, 0.75, 0.72, 0.68, 0.76]
        y = [0.74, 0.73, 0.72, 0.80, 0.74, 0.74, 0.77, 0.75, 0.72, 0.76]
        rope = bayes.paired(x, y, rope=0.01, correlation=0.1).rope
        assert rope is not None
        expected = (0.0012807301560565827, 0.07666744507888523, 0.9220518247650582)
        assert (rope.p_below, rope.p_inside, rope.p_above) == pytest.approx(expected, rel=1e-9)
