"""Values of crucible.stats beside those of R packages and published tables; each with its source."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from crucible import stats
from crucible.stats.effects.effect import Moments, cohens_dz, cohens_h, hedges_g, noncentrality_limits
from crucible.stats.significance.tdist import two_sided_p

# R's `sleep` data (Cushny & Peebles 1905; Student 1908): extra hours of sleep, two drugs, the same ten patients.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# R's `mtcars`: weight in 1000 lb, automatic (am = 0) and manual (am = 1).
AUTOMATIC = [
    *(3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73),
    *(3.78, 5.25, 5.424, 5.345, 2.465, 3.52, 3.435, 3.84, 3.845),
]
MANUAL = [2.62, 2.875, 2.32, 2.2, 1.615, 1.835, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78]


class TestWilson:
    """Score interval of one proportion."""

    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_newcombe_1998_table_1(self, successes: int, trials: int, low: float, high: float) -> None:
        """Newcombe (1998), Stat. Med. 17:857-872, table I, method 3."""
        found = stats.wilson(successes, trials)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)

    def test_closed_form(self) -> None:
        """Wilson (1927): roots of (p - x)^2 = z^2 x (1 - x) / n, to 1e-14."""
        z, n, p = scipy_stats.norm.ppf(0.995), 57, 13 / 57
        roots = sorted(np.roots([1 + z * z / n, -(2 * p + z * z / n), p * p]))
        found = stats.wilson(13, 57, level=0.99)
        assert (found.low, found.high) == pytest.approx(tuple(roots), rel=1e-13)


class TestClopperPearson:
    """Exact interval of one proportion."""

    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [(13, 16, 0.5435, 0.9595), (10, 10, 0.6915, 1.0), (0, 10, 0.0, 0.3085)],
    )
    def test_contingencytables(self, successes: int, trials: int, low: float, high: float) -> None:
        """R contingencytables, tests/testthat/test-ch8.R: ClopperPearson_exact_CI_1x2_beta_version."""
        found = stats.clopper_pearson(successes, trials)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)

    @pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 7), (500, 1000), (999, 1000), (3, 3)])
    def test_scipy(self, successes: int, trials: int) -> None:
        """scipy.stats.binomtest(...).proportion_ci(method="exact"), which finds the limits as roots."""
        expected = scipy_stats.binomtest(successes, trials).proportion_ci(0.9, method="exact")
        found = stats.clopper_pearson(successes, trials, level=0.9)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


class TestNewcombeDifference:
    """Difference of two independent proportions."""

    @pytest.mark.parametrize(
        ("treated", "of_treated", "base", "of_base", "low", "high"),
        [
            (56, 70, 48, 80, 0.0524, 0.3339),
            (9, 10, 3, 10, 0.1705, 0.8090),
            (6, 7, 2, 7, 0.0582, 0.8062),
            (5, 56, 0, 29, -0.0381, 0.1926),
            (0, 10, 0, 20, -0.1611, 0.2775),
            (10, 10, 0, 20, 0.6791, 1.0000),
            (10, 10, 0, 10, 0.6075, 1.0000),
        ],
    )
    def test_newcombe_1998_table_2(  # one row of the table
        self, treated: int, of_treated: int, base: int, of_base: int, low: float, high: float
    ) -> None:
        """Newcombe (1998), Stat. Med. 17:873-890, table II, method 10."""
        found = stats.newcombe_difference(base, of_base, treated, of_treated)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)

    def test_perondi(self) -> None:
        """R contingencytables, tests/testthat/test-ch4.R: Newcombe_hybrid_score_CI_2x2 on perondi_2004."""
        found = stats.newcombe_difference(1, 34, 7, 34)
        assert (round(found.low, 4), round(found.high, 4)) == (0.0189, 0.3404)

    def test_statsmodels(self) -> None:
        """statsmodels.stats.proportion.confint_proportions_2indep(method="newcomb")."""
        expected = confint_proportions_2indep(17, 40, 9, 50, method="newcomb", compare="diff", alpha=0.1)
        found = stats.newcombe_difference(9, 50, 17, 40, level=0.9)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


def _tango_score(b: int, c: int, n: int, delta: float) -> float:
    """The score statistic with the nuisance maximised numerically, not by the closed form under test."""

    def minus_log_likelihood(q: float) -> float:
        cells = ((b, q), (c, q + delta), (n - b - c, 1.0 - 2.0 * q - delta))
        return -sum(count * math.log(p) for count, p in cells if count)

    edges = (max(0.0, -delta) + 1e-12, (1.0 - delta) / 2.0 - 1e-12)
    q = optimize.minimize_scalar(minus_log_likelihood, bounds=edges, method="bounded", options={"xatol": 1e-13}).x
    return (c - b - n * delta) / math.sqrt(n * (2.0 * q + delta * (1.0 - delta)))


class TestTango:
    """Difference of two paired proportions."""

    @pytest.mark.parametrize(
        ("first_only", "second_only", "n", "low", "high", "source"),
        [
            (6, 16, 161, -0.1240, -0.0054, "R contingencytables, test-ch8.R, cavo_2012"),
            (1, 7, 21, -0.5172, -0.0260, "R ratesci, articles/paired_contrasts, AS(Tango); Fagerland et al. (2014)"),
        ],
    )
    def test_published(  # one row of the table
        self, first_only: int, second_only: int, n: int, low: float, high: float, source: str
    ) -> None:
        """The interval of first minus second, where first is our treatment."""
        found = stats.tango_difference(second_only, first_only, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high), source

    @pytest.mark.parametrize(("b", "c", "n"), [(1, 7, 21), (6, 16, 161), (0, 3, 12), (40, 20, 160), (5, 5, 11)])
    def test_limits_solve_the_score_equation(self, b: int, c: int, n: int) -> None:
        """Tango (1998), eq. 25: the score statistic at each limit is z, with an independently found nuisance."""
        found = stats.tango_difference(b, c, n)
        z = float(scipy_stats.norm.ppf(0.975))
        assert _tango_score(b, c, n, found.low) == pytest.approx(z, rel=1e-6)
        assert _tango_score(b, c, n, found.high) == pytest.approx(-z, rel=1e-6)

    @pytest.mark.parametrize("n", [1, 8, 30, 200])
    def test_no_pair_differs(self, n: int) -> None:
        """Tango (1998), eq. 29: +-z^2 / (n + z^2)."""
        z2 = float(scipy_stats.chi2.ppf(0.95, 1))
        found = stats.tango_difference(0, 0, n)
        assert (found.low, found.high) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), rel=1e-12)


class TestMcNemar:
    """Exact test of paired proportions, and its effect."""

    def test_cavo(self) -> None:
        """R contingencytables, test-ch8.R: McNemar_exact_cond_test_paired_2x2(cavo_2012), P = 0.052479."""
        assert round(stats.mcnemar(6, 16, 161).p, 6) == 0.052479

    def test_exact_fractions(self) -> None:
        """Twice the binomial tail, in exact arithmetic."""
        for b, c in ((0, 5), (1, 9), (6, 16), (33, 50), (86, 150)):
            tail = sum(Fraction(math.comb(b + c, k), 2 ** (b + c)) for k in range(b + 1))
            assert stats.mcnemar(b, c, 1000).p == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-12)

    def test_statsmodels(self) -> None:
        """statsmodels.stats.contingency_tables.mcnemar(exact=True)."""
        expected = statsmodels_mcnemar([[59, 6], [16, 80]], exact=True).pvalue
        assert stats.mcnemar(6, 16, 161).p == pytest.approx(expected, rel=1e-12)

    def test_cohens_g_interval_is_the_exact_odds_ratio(self) -> None:
        """R contingencytables, test-ch8.R, ezra_2010 (25 and 2 discordant): exact OR 12.5, 3.1169 to 108.8892."""
        effect = stats.mcnemar(2, 25, 27).effect
        assert effect.interval is not None
        odds = [(0.5 + g) / (0.5 - g) for g in (effect.value, effect.interval.low, effect.interval.high)]
        assert odds == pytest.approx([12.5, 3.1169, 108.8892], rel=2e-5)

    def test_cohens_g_value(self) -> None:
        """R effectsize, tests/testthat/test-cohens_g.R: 0.136 on R's `Performance`, 0.273 on AndersonRainBarrel."""
        assert stats.mcnemar(86, 150, 1600).effect.value == pytest.approx(0.136, abs=5e-4)
        assert stats.mcnemar(5, 17, 46).effect.value == pytest.approx(0.273, abs=5e-4)


class TestPairedT:
    """Paired t-test, its interval and effect."""

    def test_sleep(self) -> None:
        """R: t.test(extra ~ group, data = sleep, paired = TRUE), with the groups exchanged."""
        found = stats.compare_paired(SLEEP_1, SLEEP_2)
        assert found.name == "paired_ttest"
        assert found.statistic == pytest.approx(4.0621, abs=5e-5)
        assert found.df == 9
        assert found.p == pytest.approx(0.002833, abs=5e-7)
        assert found.difference == pytest.approx(1.58, rel=1e-14)
        assert (found.interval.low, found.interval.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)

    def test_scipy(self) -> None:
        """scipy.stats.ttest_rel, with its interval."""
        expected = scipy_stats.ttest_rel(SLEEP_2, SLEEP_1)
        found = stats.compare_paired(SLEEP_1, SLEEP_2, level=0.9)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
        interval = expected.confidence_interval(0.9)
        assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high), rel=1e-12)

    def test_dz(self) -> None:
        """R effectsize documentation: cohens_d(Pair(...) ~ 1, data = sleep2) is -1.28, [-2.12, -0.41]."""
        effect = stats.compare_paired(SLEEP_2, SLEEP_1).effect
        assert effect.interval is not None
        assert [round(x, 2) for x in (effect.value, effect.interval.low, effect.interval.high)] == [-1.28, -2.12, -0.41]


class TestWelch:
    """Welch's t-test, its interval and effect."""

    def test_sleep(self) -> None:
        """R: t.test(extra ~ group, data = sleep): t = -1.8608, df = 17.776, p = 0.07939, -3.3654832 to 0.2054832."""
        found = stats.compare(SLEEP_1, SLEEP_2)
        assert found.name == "welch"
        assert found.statistic == pytest.approx(1.8608, abs=5e-5)
        assert found.df == pytest.approx(17.776, abs=5e-4)
        assert found.p == pytest.approx(0.07939, abs=5e-6)
        assert (found.interval.low, found.interval.high) == pytest.approx((-0.2054832, 3.3654832), abs=5e-8)

    def test_scipy(self) -> None:
        """scipy.stats.ttest_ind(equal_var=False), with df and interval."""
        expected = scipy_stats.ttest_ind(MANUAL, AUTOMATIC, equal_var=False)
        found = stats.compare(AUTOMATIC, MANUAL)
        interval = expected.confidence_interval(0.95)
        got = (found.statistic, found.df, found.p, found.interval.low, found.interval.high)
        assert got == pytest.approx((expected.statistic, expected.df, expected.pvalue, *interval), rel=1e-11)

    def test_effect_on_the_average_variance(self) -> None:
        """R effectsize, test-cohens_d.R: cohens_d(wt ~ am, pooled_sd = FALSE) is 1.934, 1.075151 to 2.772516."""
        effect = stats.compare(MANUAL, AUTOMATIC).effect
        v, w, a, b = np.var(MANUAL, ddof=1), np.var(AUTOMATIC, ddof=1), len(MANUAL) - 1, len(AUTOMATIC) - 1
        df = a * b * (v + w) ** 2 / (b * v**2 + a * w**2)  # Delacre et al. (2021)
        correction = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
        assert effect.interval is not None
        uncorrected = [x / correction for x in (effect.value, effect.interval.low, effect.interval.high)]
        assert uncorrected == pytest.approx([1.934, 1.075151, 2.772516], abs=1e-3)

    def test_hedges_correction(self) -> None:
        """With equal variances and sizes it is Hedges' (1981) exact J(2n - 2): J(18) = 0.9576, table of J."""
        one = Moments(0.0, 1.0, 10)
        found = hedges_g(one, Moments(1.0, 1.0, 10), df=18.0, level=0.95)
        assert found.value == pytest.approx(0.9576, abs=5e-5)


class TestFisher:
    """Exact test of independent proportions, and its effect."""

    @pytest.mark.parametrize(
        ("base", "of_base", "treated", "of_treated", "p", "digits", "source"),
        [
            (1, 4, 3, 4, 0.4857, 4, "R: fisher.test(TeaTasting), Fisher's tea drinker (Agresti 1990, p. 61)"),
            (10, 13, 2, 17, 0.0005367, 7, "R: fisher.test(Convictions) (Fisher 1962), two-sided"),
            (0, 16, 15, 72, 0.06287, 5, "R contingencytables, test-ch4.R: Fisher_exact_test_2x2(ritland_2007)"),
        ],
    )
    def test_published(  # one row of the table
        self, base: int, of_base: int, treated: int, of_treated: int, p: float, digits: int, source: str
    ) -> None:
        """Two-sided p-values of the exact test."""
        x = [1] * base + [0] * (of_base - base)
        y = [1] * treated + [0] * (of_treated - treated)
        assert round(stats.compare(x, y).p, digits) == p, source

    def test_cohens_h(self) -> None:
        """Cohen (1988), table 6.2.2: phi(.65) = 1.875, phi(.45) = 1.471, h = .404."""
        assert cohens_h(0.45, 0.65).value == pytest.approx(0.404, abs=1e-3)
        assert cohens_h(0.0, 1.0).value == pytest.approx(math.pi, rel=1e-15)


class TestDistributions:
    """The distribution functions beneath."""

    @pytest.mark.parametrize(
        ("t", "df"),
        [(1e-4, 198), (0.001, 1), (0.001, 10), (0.1, 10_000), (3.5, 17.776), (40, 9), (30, 198), (1e6, 3), (5, 1e6)],
    )
    def test_t_against_50_digits(self, t: float, df: float) -> None:
        """Mpmath's incomplete beta function; the predecessor gave .039 for t = .001, df = 30."""
        with mpmath.workdps(50):
            x = mpmath.mpf(df) / (df + mpmath.mpf(t) ** 2)
            expected = float(mpmath.betainc(mpmath.mpf(df) / 2, 0.5, 0, x, regularized=True))
        assert two_sided_p(t, df) == pytest.approx(expected, rel=1e-12)
        assert two_sided_p(-t, df) == two_sided_p(t, df)

    @pytest.mark.parametrize(("t", "df"), [(0.0, 9.0), (4.0621, 9.0), (-1.86, 17.776), (2.5, 30.0), (20.0, 200.0)])
    def test_noncentrality_against_quadrature(self, t: float, df: float) -> None:
        """At each limit the non-central t's tail is 2.5 %, by integrating the normal over chi with mpmath."""

        def cdf(nc: float) -> float:
            half = mpmath.mpf(df) / 2

            def density(x: mpmath.mpf) -> mpmath.mpf:
                chi2 = mpmath.exp(-x / 2) * x ** (half - 1) / (mpmath.gamma(half) * mpmath.mpf(2) ** half)
                return mpmath.ncdf(t * mpmath.sqrt(x / df) - nc) * chi2

            return float(mpmath.quad(density, [0, df / 4, df / 2, df, 2 * df, 4 * df, 20 * df + 200]))

        limits = noncentrality_limits(t, df, 0.95)
        assert limits is not None
        assert [cdf(nc) for nc in limits] == pytest.approx([0.975, 0.025], rel=1e-10)

    def test_dz_interval_agrees_with_the_test(self) -> None:
        """The limit of dz is 0 where p is 1 - level: p and interval are one inference."""
        found = stats.compare_paired(SLEEP_1, SLEEP_2)
        n = 10
        moments = Moments(1.58, 1.58**2 * n / found.statistic**2, n)
        interval = cohens_dz(moments, level=1.0 - found.p).interval
        assert interval is not None
        assert interval.low == pytest.approx(0.0, abs=1e-9)


# R: p.adjust(c(.01, .02, .03, .04, .05), method)
P_ADJUST = {
    "bonferroni": [0.05, 0.10, 0.15, 0.20, 0.25],
    "holm": [0.05, 0.08, 0.09, 0.09, 0.09],
    "hochberg": [0.05, 0.05, 0.05, 0.05, 0.05],
    "bh": [0.05, 0.05, 0.05, 0.05, 0.05],
    "by": [0.05 * 137 / 60] * 5,
}


class TestCorrections:
    """Several comparisons."""

    @pytest.mark.parametrize("method", list(P_ADJUST))
    def test_p_adjust(self, method: str) -> None:
        """R's p.adjust on five evenly spaced values."""
        assert stats.correct([0.01, 0.02, 0.03, 0.04, 0.05], method) == pytest.approx(P_ADJUST[method], rel=1e-12)

    def test_benjamini_hochberg_1995(self) -> None:
        """Benjamini & Hochberg (1995), JRSS B 57:289-300, section 4: Bonferroni finds 3 of 15, BH finds 4."""
        p = [
            *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
            *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000),
        ]
        assert sum(q <= 0.05 for q in stats.correct(p, "bonferroni")) == 3
        assert sum(q <= 0.05 for q in stats.correct(p, "bh")) == 4
