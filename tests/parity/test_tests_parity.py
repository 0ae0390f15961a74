"""Tests of `crucible.stats` beside values of R, published tables and plain enumeration; each with its source.

"R" is R 4.2.2 with its packages coin 1.4-2 and exactRankTests 0.8-35 where they are named; the call is in each test's
docstring.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from crucible import stats
from crucible.stats import Plan, TestResult
from crucible.stats.groups.omnibus import omnibus_test
from crucible.stats.significance.checks import Check

# R's `sleep` (Student 1908).
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# R's `PlantGrowth` (Dobson 1983, table 7.1).
PLANTS = {
    "ctrl": [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
    "trt1": [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
    "trt2": [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
}
# R's `warpbreaks` (Tippett 1950; Tukey 1977): breaks of yarn by tension.
WARP = {
    "L": [26, 30, 54, 25, 70, 52, 51, 26, 67, 27, 14, 29, 19, 29, 31, 41, 20, 44],
    "M": [18, 21, 29, 17, 12, 18, 35, 30, 36, 42, 26, 19, 16, 39, 28, 21, 39, 29],
    "H": [36, 21, 24, 18, 10, 43, 28, 15, 26, 20, 21, 24, 17, 13, 15, 15, 16, 28],
}
# R's `InsectSprays` (Beall 1942).
SPRAYS = {
    "A": [10, 7, 20, 14, 14, 12, 10, 23, 17, 20, 14, 13],
    "B": [11, 17, 21, 11, 16, 14, 17, 17, 19, 21, 7, 13],
    "C": [0, 1, 7, 2, 3, 1, 2, 1, 3, 0, 1, 4],
    "D": [3, 5, 12, 6, 4, 3, 5, 5, 5, 5, 2, 4],
    "E": [3, 5, 3, 5, 3, 6, 1, 1, 3, 2, 6, 4],
    "F": [11, 9, 15, 22, 15, 16, 13, 10, 26, 26, 24, 13],
}
# R's `ToothGrowth` (Crampton 1947): length of teeth by dose of vitamin C.
TEETH = {
    "0.5": [4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7, 15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7],
    "1": [
        *(16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6, 14.5, 18.8, 15.5),
        *(19.7, 23.3, 23.6, 26.4, 20, 25.2, 25.8, 21.2, 14.5, 27.3),
    ],
    "2": [
        *(23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5),
        *(25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23),
    ],
}
# R's `airquality`: ozone by month, New York 1973, days without a measurement left out.
OZONE = {
    "5": [41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 18, 14, 34, 6, 30, 11, 1, 11, 4, 32, 23, 45, 115, 37],
    "6": [29, 71, 39, 23, 21, 37, 20, 12, 13],
    "7": [
        *(135, 49, 32, 64, 40, 77, 97, 97, 85, 10, 27, 7, 48),
        *(35, 61, 79, 63, 16, 80, 108, 20, 52, 82, 50, 64, 59),
    ],
    "8": [
        *(39, 9, 16, 78, 35, 66, 122, 89, 110, 44, 28, 65, 22),
        *(59, 23, 31, 44, 21, 9, 45, 168, 73, 76, 118, 84, 85),
    ],
    "9": [
        *(96, 78, 73, 91, 47, 32, 20, 23, 21, 24, 44, 21, 28, 9),
        *(13, 46, 18, 13, 24, 16, 13, 23, 36, 7, 14, 30, 14, 18, 20),
    ],
}


def _pairs(groups: dict[str, list[float]], test: str, correction: str = "holm") -> dict[tuple[str, str], TestResult]:
    found = stats.compare_groups(groups, Plan(tests=(test,), correction=correction)).contrasts
    results = [one.result for one in found if isinstance(one.result, TestResult)]
    assert len(results) == len(found)
    return {(one.treatment, one.baseline): one for one in results}


class TestOneSample:
    """One column against a fixed value."""

    def test_t(self) -> None:
        """R: t.test(sleep$extra[sleep$group == 1], mu = 0.5); R's interval is of the mean, ours of the difference."""
        found = stats.one_sample(SLEEP_1, 0.5)
        assert (found.statistic, found.df, found.p) == pytest.approx(
            (0.441903380237940, 9, 0.668986623614675), rel=1e-12
        )
        low, high = -0.529780413526232 - 0.5, 2.029780413526233 - 0.5
        assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-12)
        assert found.p == pytest.approx(scipy_stats.ttest_1samp(SLEEP_1, 0.5).pvalue, rel=1e-12)

    def test_wilcoxon(self) -> None:
        """R: wilcox.test(c(1.13, 2.31, -.72, .91, 3.14, -.2, .45), mu = 0.1): V = 23 of 28, p = 0.15625, exact."""
        found = stats.one_sample([1.13, 2.31, -0.72, 0.91, 3.14, -0.2, 0.45], 0.1, test="wilcoxon")
        assert (found.statistic, found.p) == (5.0, 0.15625)

    def test_wilcoxon_with_ties(self) -> None:
        """R: exactRankTests::wilcox.exact(c(1, 1, -1, 2, 2, 3, -1, 4, 4, -2, 5, 1)): p = 0.04296875."""
        found = stats.one_sample([1, 1, -1, 2, 2, 3, -1, 4, 4, -2, 5, 1], 0, test="wilcoxon")
        assert found.p == pytest.approx(0.04296875, rel=1e-12)

    def test_binomial(self) -> None:
        """R: binom.test(682, 925, p = 0.75) (Conover 1971, p. 97, Mendel's peas), with its interval."""
        found = stats.one_proportion(682, 925, 0.75)
        assert found.p == pytest.approx(0.382491559574852, rel=1e-12)
        interval = (found.interval.low + 0.75, found.interval.high + 0.75)
        assert interval == pytest.approx((0.707668264079039, 0.765406558241525), rel=1e-12)


class TestStudent:
    """Student's t-test of independent samples."""

    def test_sleep(self) -> None:
        """R: t.test(s2, s1, var.equal = TRUE)."""
        found = stats.compare(SLEEP_1, SLEEP_2, test="student")
        expected = (1.8608134674868528, 18, 0.0791867142159382, -0.2038740322875986, 3.3638740322875984)
        got = (found.statistic, found.df, found.p, found.interval.low, found.interval.high)
        assert got == pytest.approx(expected, rel=1e-12)


class TestRanks:
    """Exact tests of ranks, ties included."""

    @pytest.mark.parametrize("seed", range(6))
    def test_signed_ranks_by_enumeration(self, seed: int) -> None:
        """All 2^n signs of the tied ranks, named one by one."""
        random = np.random.default_rng(seed)
        x, y = random.integers(0, 6, size=(2, 10)).astype(float)
        differences = (y - x)[y != x]
        ranks = scipy_stats.rankdata(abs(differences))
        sums = [float(ranks @ signs) for signs in itertools.product((0, 1), repeat=len(ranks))]
        observed = float(ranks[differences > 0].sum())
        tail = min(np.mean([s <= observed for s in sums]), np.mean([s >= observed for s in sums]))
        assert stats.compare_paired(x, y, test="wilcoxon").p == pytest.approx(min(1.0, 2 * tail), rel=1e-12)

    @pytest.mark.parametrize("seed", range(6))
    def test_rank_sums_by_enumeration(self, seed: int) -> None:
        """All ways to deal the tied ranks; as far from their mean as the observed one, or farther."""
        random = np.random.default_rng(seed)
        x, y = random.integers(0, 5, size=5).astype(float), random.integers(0, 5, size=7).astype(float)
        ranks = scipy_stats.rankdata([*x, *y])
        sums = [float(ranks[list(chosen)].sum()) for chosen in itertools.combinations(range(12), 7)]
        observed = float(ranks[5:].sum())
        mean = 7 * 13 / 2
        as_far = np.mean([abs(s - mean) >= abs(observed - mean) for s in sums])
        assert stats.compare(x, y, test="mannwhitney").p == pytest.approx(as_far, rel=1e-12)

    def test_rank_sums_of_r(self) -> None:
        """R: exactRankTests::wilcox.exact, and coin::wilcox_test(distribution = "exact"): p = 0.147008547008547."""
        found = stats.compare([1, 2, 2, 3, 3, 3, 4], [2, 3, 4, 4, 5, 5, 5, 1], test="mannwhitney")
        assert (found.statistic, found.p) == pytest.approx((41.0, 0.147008547008547), rel=1e-12)

    def test_without_ties_it_is_scipys(self) -> None:
        """`scipy.stats.wilcoxon` and `mannwhitneyu` with method="exact", at the ends of where it is used."""
        random = np.random.default_rng(4)
        for n in (2, 7, 30, 49, 100):
            x, y = random.normal(size=(2, n))
            assert stats.compare_paired(x, y, test="wilcoxon").p == scipy_stats.wilcoxon(y - x, method="exact").pvalue
        for n, m in ((2, 3), (8, 49), (49, 49)):
            x, y = random.normal(size=n), random.normal(size=m)
            expected = scipy_stats.mannwhitneyu(y, x, method="exact").pvalue
            assert stats.compare(x, y, test="mannwhitney").p == pytest.approx(expected, rel=1e-12)

    def test_large_samples_with_ties(self) -> None:
        """R: wilcox.test(len ~ supp, ToothGrowth, exact = FALSE): W = 575.5, p = 0.0644906721338357."""
        orange = [15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7, *TEETH["1"][10:], *TEETH["2"][10:]]
        vitamin = [*TEETH["0.5"][:10], *TEETH["1"][:10], *TEETH["2"][:10]]
        found = stats.compare(vitamin, orange, test="mannwhitney")
        assert found.statistic == 575.5
        assert "normal approximation with corrections for ties and continuity" in found.method
        assert found.p == pytest.approx(0.0644906721338357, rel=1e-12)


class TestSign:
    """The sign test."""

    def test_sleep(self) -> None:
        """R: binom.test(9, 9): of ten pairs one agrees and nine rise, p = 2^-8."""
        found = stats.compare_paired(SLEEP_1, SLEEP_2, test="sign")
        assert (found.counts["rising"], found.counts["falling"], found.counts["ties"]) == (9, 0, 1)
        assert found.p == 2**-8


class TestMcNemarMidP:
    """The mid-p-value."""

    def test_bentur(self) -> None:
        """Fagerland, Lydersen & Laake (2013), table 1 (1 and 7 of 21): 2 * 9 / 256 - 8 / 256, printed as .039."""
        assert stats.mcnemar(7, 1, 21, mid_p=True).p == pytest.approx(10 / 256, rel=1e-14)

    def test_cavo(self) -> None:
        """R: 2 * pbinom(6, 22, .5) - dbinom(6, 22, .5), the formula of contingencytables for cavo_2012."""
        assert stats.mcnemar(6, 16, 161, mid_p=True).p == pytest.approx(0.0346896648406983, rel=1e-12)

    def test_as_many_of_each(self) -> None:
        """The same source: 1 - dbinom(b, 2 b, .5) / 2 where both counts are b."""
        assert stats.mcnemar(3, 3, 20, mid_p=True).p == pytest.approx(1 - math.comb(6, 3) / 2**7, rel=1e-14)


class TestProportions:
    """The z-test of two proportions."""

    def test_r(self) -> None:
        """R: prop.test(c(15, 25), c(100, 120), correct = FALSE): X-squared = z^2."""
        found = stats.two_proportions(15, 100, 25, 120)
        assert (found.statistic**2, found.p) == pytest.approx((1.247685185185185, 0.263995055315928), rel=1e-12)
        assert found.statistic > 0

    def test_statsmodels(self) -> None:
        """`proportions_ztest` of the same counts, treatment first."""
        z, p = proportions_ztest([25, 15], [120, 100])
        found = stats.two_proportions(15, 100, 25, 120)
        assert (found.statistic, found.p) == pytest.approx((z, p), rel=1e-12)


class TestPermutation:
    """Permutation tests: R, and every arrangement named one by one."""

    def test_paired_sleep(self) -> None:
        """R: coin::symmetry_test(extra ~ group | ID, sleep, distribution = "exact"): p = 0.00390625."""
        assert stats.permutation_paired(SLEEP_1, SLEEP_2).p == 0.00390625

    def test_independent_sleep(self) -> None:
        """R: coin::oneway_test(extra ~ group, sleep, distribution = "exact"); here its 184,756 are drawn from."""
        found = stats.permutation_independent(SLEEP_1, SLEEP_2, resamples=40_000)
        assert "40000 arrangements drawn with seed 0" in found.method
        assert found.p == pytest.approx(0.081447963800905, abs=4 * math.sqrt(0.08 * 0.92 / 40_000))

    def test_independent_exact(self) -> None:
        """R: coin::oneway_test(distribution = "exact") on 4 and 6 scores: p = 4 / 210."""
        found = stats.permutation_independent([12.1, 9.8, 11.4, 10.2], [13.0, 12.9, 14.1, 11.7, 15.2, 13.3])
        assert found.p == pytest.approx(0.019047619047619, rel=1e-12)

    def test_stratified(self) -> None:
        """R: coin::oneway_test(y ~ g | s, distribution = exact()) on two strata of 4 and 4: p = 0.828571428571429."""
        a, b = [4, 3, 9, 7, 2, 5, 10, 13], [5, 6, 8, 12, 3, 6, 9, 8]
        labels = [1, 1, 1, 1, 2, 2, 2, 2]
        found = stats.permutation_independent(a, b, strata=(labels, labels))
        assert found.counts["arrangements"] == 4900
        assert found.p == pytest.approx(0.828571428571429, rel=1e-12)

    @pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3)])
    def test_independent_by_enumeration(self, shape: tuple[int, int]) -> None:
        """The share of all deals with a difference of means as large, and the ends of the interval, by a search."""
        random = np.random.default_rng(sum(shape))
        x, y = random.normal(size=shape[0]).round(1), random.normal(loc=0.8, size=shape[1]).round(1)
        found = stats.permutation_independent(x, y)
        assert found.p == pytest.approx(_dealt(x, y), rel=1e-12)
        _check_ends(found, lambda shift: _dealt(x, y - shift))

    def test_paired_by_enumeration(self) -> None:
        """The same of all signs."""
        random = np.random.default_rng(8)
        x, y = random.normal(size=9).round(2), random.normal(loc=0.5, size=9).round(2)
        found = stats.permutation_paired(x, y)
        assert found.p == pytest.approx(_signed(y - x), rel=1e-12)
        _check_ends(found, lambda shift: _signed(y - x - shift))

    def test_scipy(self) -> None:
        """`scipy.stats.permutation_test`, exact; with as many on both sides its two tails are one."""
        x, y = np.array([4.1, 5.0, 3.2, 6.6, 2.9]), np.array([5.5, 6.1, 7.0, 4.4, 6.9])

        def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
            return b.mean(axis=axis) - a.mean(axis=axis)

        for kind, found in (
            ("independent", stats.permutation_independent(x, y)),
            ("samples", stats.permutation_paired(x, y)),
        ):
            expected = scipy_stats.permutation_test((x, y), difference, permutation_type=kind, vectorized=True)
            assert found.p == pytest.approx(expected.pvalue, rel=1e-12)


def _dealt(x: np.ndarray, y: np.ndarray) -> float:
    together, n = np.concatenate((x, y)), len(x) + len(y)
    sizes = []
    for chosen in itertools.combinations(range(n), len(y)):
        rest = [i for i in range(n) if i not in chosen]
        sizes.append(abs(together[list(chosen)].mean() - together[rest].mean()))
    return float(np.mean(np.array(sizes) >= abs(y.mean() - x.mean()) - 1e-12))


def _signed(differences: np.ndarray) -> float:
    sums = np.array([abs(differences @ signs) for signs in itertools.product((-1, 1), repeat=len(differences))])
    return float(np.mean(sums >= abs(differences.sum()) - 1e-12))


def _check_ends(found: TestResult, p_of: Callable[[float], float]) -> None:
    """Just inside its ends the interval holds shifts that are not found, just outside shifts that are."""
    assert found.interval.method == "inverted permutation test"
    for end, outwards in ((found.interval.low, -1e-7), (found.interval.high, 1e-7)):
        assert p_of(end - outwards) >= 0.05
        assert p_of(end + outwards) < 0.05


class TestCochran:
    """Cochran's Q."""

    TABLE = (
        (1, 1, 0),
        (1, 1, 1),
        (0, 1, 0),
        (1, 1, 0),
        (0, 0, 0),
        (1, 1, 0),
        (1, 0, 0),
        (1, 1, 0),
        (1, 1, 1),
        (0, 1, 0),
    )

    def test_r(self) -> None:
        """R: friedman.test of the same table, which is Cochran's Q on zeros and ones."""
        columns = {str(i): np.array(self.TABLE, dtype=float)[:, i] for i in range(3)}
        found = omnibus_test(columns, paired=True)
        assert (found.name, found.df) == ("cochran_q", 2)
        assert (found.statistic, found.p) == pytest.approx((8.8571428571428577, 0.0119315225357561), rel=1e-12)
        assert found.statistic == pytest.approx(omnibus_test(columns, "friedman", paired=True).statistic, rel=1e-12)

    def test_statsmodels(self) -> None:
        """`cochrans_q` of 40 items and 5 columns."""
        table = np.random.default_rng(2).random((40, 5)) < np.array([0.3, 0.4, 0.5, 0.5, 0.6])
        expected = cochrans_q(table.astype(int))
        found = omnibus_test({str(i): table[:, i].astype(float) for i in range(5)}, "cochran_q", paired=True)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)


class TestGroups:
    """Tests of all groups at once."""

    def test_ozone(self) -> None:
        """R: oneway.test and kruskal.test(Ozone ~ Month, airquality)."""
        groups = {label: np.array(values, dtype=float) for label, values in OZONE.items()}
        welch, kruskal = omnibus_test(groups), omnibus_test(groups, "kruskal")
        expected = (8.02667618374810, 42.6682010533880, 6.43908420252727e-05)
        assert (welch.statistic, welch.df_within, welch.p) == pytest.approx(expected, rel=1e-11)
        assert (kruskal.statistic, kruskal.p) == pytest.approx((29.2665763061169, 6.90071411854678e-06), rel=1e-12)

    def test_sprays(self) -> None:
        """R: oneway.test and kruskal.test(count ~ spray, InsectSprays)."""
        groups = {label: np.array(values, dtype=float) for label, values in SPRAYS.items()}
        welch, kruskal = omnibus_test(groups), omnibus_test(groups, "kruskal")
        expected = (36.0654438935773, 30.0425605087674, 7.99937945567335e-12)
        assert (welch.statistic, welch.df_within, welch.p) == pytest.approx(expected, rel=1e-11)
        assert (kruskal.statistic, kruskal.p) == pytest.approx((54.6913446223714, 1.51084443941851e-10), rel=1e-11)


class TestPosthoc:
    """Which groups differ."""

    @pytest.mark.parametrize(
        ("groups", "expected"),
        [
            (
                PLANTS,
                {
                    ("trt1", "ctrl"): (-0.371, -1.062216051410459, 0.320216051410458, 0.3908711442021247),
                    ("trt2", "ctrl"): (0.494, -0.197216051410459, 1.185216051410458, 0.1979959912997082),
                    ("trt2", "trt1"): (0.865, 0.173783948589542, 1.556216051410459, 0.0120064239794527),
                },
            ),
            (
                WARP,
                {
                    ("M", "L"): (-10.0, -19.5598244439829, -0.440175556017131, 0.03845976806483820),
                    ("H", "L"): (-14.72222222222221, -24.2820466662051, -5.162397778239352, 0.00143150330797792),
                    ("H", "M"): (-4.72222222222222, -14.2820466662051, 4.837602221760640, 0.46308309708618189),
                },
            ),
            (
                SPRAYS,
                {
                    ("C", "A"): (-12.416666666666693, -17.11607518062259, -7.71725815271079, 1.07505504498562e-09),
                    ("D", "C"): (2.833333333333369, -1.86607518062254, 7.53274184728924, 4.92070744579934e-01),
                    ("F", "E"): (13.166666666666670, 8.46725815271077, 17.86607518062257, 1.48821288625811e-10),
                },
            ),
        ],
    )
    def test_tukey(self, groups: dict[str, list[float]], expected: dict[tuple[str, str], tuple[float, ...]]) -> None:
        """R: TukeyHSD(aov(weight ~ group, PlantGrowth)) and so on.

        R's qtukey is good to about 1e-6 and its ptukey to 1e-9, in absolute size, so that is what is compared.
        """
        found = _pairs(groups, "tukey")
        for pair, (difference, low, high, p) in expected.items():
            one = found[pair]
            assert (one.difference, one.interval.low, one.interval.high) == pytest.approx(
                (difference, low, high), abs=2e-5
            )
            assert one.p_adjusted == pytest.approx(p, rel=1e-8, abs=1e-9)
        exact = scipy_stats.tukey_hsd(*groups.values())
        labels = list(groups)
        for (treated, base), one in found.items():
            assert one.p_adjusted == pytest.approx(
                exact.pvalue[labels.index(treated), labels.index(base)], rel=1e-9, abs=1e-14
            )

    @pytest.mark.parametrize(
        ("groups", "expected"),
        [
            (
                PLANTS,
                {
                    ("trt1", "ctrl"): (-0.371, -1.1720875015018, 0.4300875015018, 0.4745549221940),
                    ("trt2", "ctrl"): (0.494, -0.1005544333332, 1.0885544333332, 0.1128891768542),
                    ("trt2", "trt1"): (0.865, 0.1135129933172, 1.6164870066828, 0.0237034547392),
                },
            ),
            (
                TEETH,
                {
                    ("1", "0.5"): (9.13, 5.691986375879, 12.56801362412, 3.762531362028e-07),
                    ("2", "1"): (6.365, 3.194231942310, 9.535768057690, 5.568634663133e-05),
                },
            ),
        ],
    )
    def test_games_howell(
        self, groups: dict[str, list[float]], expected: dict[tuple[str, str], tuple[float, ...]]
    ) -> None:
        """Games & Howell (1976): Welch's errors and degrees of freedom with R's ptukey and qtukey, computed in R."""
        found = _pairs(groups, "games_howell")
        for pair, (difference, low, high, p) in expected.items():
            one = found[pair]
            assert (one.difference, one.interval.low, one.interval.high) == pytest.approx(
                (difference, low, high), abs=2e-5
            )
            assert one.p_adjusted == pytest.approx(p, rel=1e-8, abs=1e-9)

    def test_dunn(self) -> None:
        """Dunn (1964), equation 3 with the correction for ties, in R with rank() and p.adjust(), on airquality."""
        expected = {
            ("6", "5"): (0.92515861626873, 3.54883406426e-01, 1.0),
            ("7", "5"): (4.41947064061156, 9.89429615000e-06, 0.000098942961500),
            ("7", "6"): (2.24420803239467, 2.48190194704e-02, 0.148914116822533),
            ("8", "5"): (4.13281342220511, 3.58349614331e-05, 0.000322514652898),
            ("8", "6"): (2.03863548728771, 4.14864207250e-02, 0.207432103625249),
            ("8", "7"): (-0.28665721840644, 7.74374798113e-01, 1.0),
            ("9", "5"): (1.32120228252017, 1.86433925463e-01, 0.745735701851181),
            ("9", "6"): (-0.00253855526952, 9.97974528119e-01, 1.0),
            ("9", "7"): (-3.21719912427736, 1.29448721645e-03, 0.010355897731607),
            ("9", "8"): (-2.92282777777952, 3.46868316115e-03, 0.024280782128046),
        }
        found = _pairs(OZONE, "dunn")
        assert {pair: (one.statistic, one.p, one.p_adjusted) for pair, one in found.items()} == {
            pair: pytest.approx(values, rel=1e-10) for pair, values in expected.items()
        }
        bonferroni = _pairs(OZONE, "dunn", "bonferroni")
        assert bonferroni["9", "8"].p_adjusted == pytest.approx(0.034686831611494, rel=1e-10)

    @pytest.mark.parametrize(
        ("level", "table"),
        [
            (0.95, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
            (0.90, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
        ],
    )
    def test_nemenyi_critical_values(self, level: float, table: Sequence[float]) -> None:
        """Demsar (2006), JMLR 7:1-30, table 5(a): q for 2 to 10 classifiers."""
        random = np.random.default_rng(0)
        for k, q in zip(range(3, 11), table[1:], strict=True):
            columns = {str(i): random.normal(size=6).tolist() for i in range(k)}
            (one, *_) = stats.compare_groups(columns, Plan(tests=("nemenyi",), level=level)).contrasts
            assert isinstance(one.result, TestResult)
            interval = one.result.effect.interval
            assert interval is not None
            half = (interval.high - interval.low) / 2 / math.sqrt(k * (k + 1) / (6 * 6))
            assert half == pytest.approx(q, abs=1.01e-3)

    def test_nemenyi_critical_difference(self) -> None:
        """Demsar (2006), section 3.2.2: four classifiers on 14 data sets, CD = 1.25 at .05 and 1.12 at .10."""
        table = np.random.default_rng(1).normal(size=(14, 4))
        for level, critical in ((0.95, 1.25), (0.90, 1.12)):
            columns = {str(i): table[:, i].tolist() for i in range(4)}
            found = _pairs_at(columns, level)
            for one in found:
                assert one.effect.interval is not None
                assert round((one.effect.interval.high - one.effect.interval.low) / 2, 2) == critical

    def test_nemenyi_p_values(self) -> None:
        """R: ptukey(q, 4, Inf, lower.tail = FALSE) at q = |z| sqrt(2) for 2, 3, 4, 5, between which ours lie."""
        known = [(2, 0.49036940998064849), (3, 0.14627148104765708), (4, 0.02418331532543050), (5, 0.00230050293819839)]
        for q, p in known:
            assert scipy_stats.studentized_range.sf(q, 4, math.inf) == pytest.approx(p, rel=1e-9)
        table = np.random.default_rng(1).normal(size=(14, 4)) + np.arange(4)
        for one in _pairs_at({str(i): table[:, i].tolist() for i in range(4)}, 0.95):
            assert one.p_adjusted is not None
            q = abs(one.statistic) * math.sqrt(2)
            above = [p for at, p in known if at <= q]
            below = [p for at, p in known if at >= q]
            assert one.p_adjusted <= min(above, default=1.0)
            assert one.p_adjusted >= max(below, default=0.0)


def _pairs_at(columns: dict[str, list[float]], level: float) -> list[TestResult]:
    found = stats.compare_groups(columns, Plan(tests=("nemenyi",), level=level)).contrasts
    return [one.result for one in found if isinstance(one.result, TestResult)]


# Benjamini & Hochberg (1995), section 4.1: p-values of 15 endpoints; R: p.adjust of them.
ENDPOINTS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000),
]
ADJUSTED = {
    "bonferroni": [0.0015, 0.0060, 0.0285, 0.1425, 0.3015, 0.4170, 0.4470, 0.5160, 0.6885, *[1.0] * 6],
    "holm": [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2780, 0.2780, 0.2780, 0.3213, *[1.0] * 6],
    "hochberg": [0.0015, 0.0056, 0.0247, 0.1140, 0.2211, 0.2682, 0.2682, 0.2752, 0.3213, *[1.0] * 6],
    "bh": [
        *(0.0015, 0.0030, 0.0095, 0.035625, 0.0603, 0.0638571428571429, 0.0638571428571429, 0.0645, 0.0765, 0.4860),
        *(0.5811818181818181, 0.7148749999999999, 0.7532307692307693, 0.8132142857142857, 1.0),
    ],
    "by": [
        *(0.00497734348984349, 0.00995468697968698, 0.03152317543567543, 0.11821190788378289, 0.20008920829170829),
        *(0.21189262285333715, 0.21189262285333715, 0.21402577006327006, 0.25384451798201801, *[1.0] * 6),
    ],
}


class TestCorrections:
    """Several comparisons."""

    @pytest.mark.parametrize("method", list(ADJUSTED))
    def test_endpoints(self, method: str) -> None:
        """R's p.adjust, and statsmodels."""
        found = stats.correct(ENDPOINTS, method)
        assert found == pytest.approx(ADJUSTED[method], rel=1e-12)
        names = {"hochberg": "simes-hochberg", "bh": "fdr_bh", "by": "fdr_by"}
        expected = multipletests(ENDPOINTS, method=names.get(method, method))[1]
        assert found == pytest.approx(expected.tolist(), rel=1e-12)


class TestChecks:
    """Checks of assumptions."""

    def test_plants(self) -> None:
        """R: shapiro.test(PlantGrowth$weight), and Anderson-Darling's A by its formula in R (as nortest::ad.test)."""
        weights = [value for group in PLANTS.values() for value in group]
        shapiro, anderson = stats.assumption_checks({"weight": weights})
        assert (shapiro.statistic, shapiro.p) == pytest.approx((0.982683016098587, 0.891507368227399), rel=1e-6)
        assert anderson.statistic == pytest.approx(0.150660485662105, rel=1e-9)

    @pytest.mark.parametrize(
        ("groups", "f", "p"),
        [(PLANTS, 1.119185694870390, 0.341226624125474), (SPRAYS, 3.82135631322592406, 0.00422279113899214)],
    )
    def test_levene(self, groups: dict[str, list[float]], f: float, p: float) -> None:
        """R: anova(lm(abs(y - ave(y, g, FUN = median)) ~ g)), which is Brown and Forsythe's test."""
        levene = next(check for check in stats.assumption_checks(groups) if check.name == "levene")
        assert isinstance(levene, Check)
        assert (levene.statistic, levene.p) == pytest.approx((f, p), rel=1e-11)


def _small_less_big(name: str) -> list[np.ndarray]:
    """Return one of the nine SmLs data sets by their construction (Simon & Lesage 1989).

    Nine treatments; the first score of each is 1.4, 1.3 or 1.5, those after it are a tenth less and a tenth more in
    turn, plus 0, 1e6 or 1e12. All nine were found equal to NIST's files, score by score.
    """
    number = int(name[-1]) - 1
    replicates, whole = (21, 201, 2001)[number % 3], (1, 10**6, 10**12)[number // 3]
    tenths = [4, 3, 5, 3, 5, 3, 5, 3, 5]
    turns = (replicates - 1) // 2
    return [np.array([float(f"{whole}.{digit}") for digit in [t, *[t - 1, t + 1] * turns]]) for t in tenths]


SILICON = [
    *(196.3052, 196.1240, 196.1890, 196.2569, 196.3403, 196.3042, 196.3825, 196.1669, 196.3257, 196.0422),
    *(196.1303, 196.2005, 196.2889, 196.0343, 196.1811, 196.2795, 196.1748, 196.1494, 196.1485, 195.9885),
    *(196.2119, 196.1051, 196.1850, 196.0052, 196.2090),
]
SILVER = [
    *(107.8681568, 107.8681465, 107.8681572, 107.8681785, 107.8681446, 107.8681903, 107.8681526, 107.8681494),
    *(107.8681616, 107.8681587, 107.8681519, 107.8681486, 107.8681419, 107.8681569, 107.8681508, 107.8681672),
    *(107.8681385, 107.8681518, 107.8681662, 107.8681424, 107.8681360, 107.8681333, 107.8681610, 107.8681477),
    *(107.8681079, 107.8681344, 107.8681513, 107.8681197, 107.8681604, 107.8681385, 107.8681642, 107.8681365),
    *(107.8681151, 107.8681082, 107.8681517, 107.8681448, 107.8681198, 107.8681482, 107.8681334, 107.8681609),
    *(107.8681101, 107.8681512, 107.8681469, 107.8681360, 107.8681254, 107.8681261, 107.8681450, 107.8681368),
]


def _nist(name: str) -> list[np.ndarray]:
    if name == "SiRstv":
        return np.split(np.array(SILICON), 5)
    return np.split(np.array(SILVER), 2) if name == "AtmWtAg" else _small_less_big(name)


# Certified F, what R's anova(lm(y ~ factor(g))) gives, and F of the doubles that the data become, in exact fractions.
CERTIFIED = {
    "SiRstv": (1.18046237440255, 1.1804623744026099, 1.1804623744024467),
    "AtmWtAg": (15.9467335677930, 15.946733564339464, 15.946733566676926),
    "SmLs01": (21.0, 21.000000000000011, 21.0),
    "SmLs02": (201.0, 200.99999999999872, 201.00000000000003),
    "SmLs03": (2001.0, 2001.0000000000907, 2001.0000000000002),
    "SmLs04": (21.0, 21.000000000776133, 21.0000000007761),
    "SmLs05": (201.0, 201.00000001241685, 201.00000001241764),
    "SmLs06": (2001.0, 2001.0000001285616, 2001.0000001288329),
    "SmLs07": (21.0, 21.000510702936396, 21.00081188781877),
    "SmLs08": (201.0, 200.60120778530217, 201.01300409594845),
    "SmLs09": (2001.0, 687.06013841679112, 2001.1349262209505),
}


def _digits(found: float, certified: float) -> float:
    """Return McCullough's (1998) LRE: about how many leading digits agree, at most 15."""
    return 15.0 if found == certified else min(15.0, -math.log10(abs(found - certified) / certified))


class TestNist:
    """NIST StRD, one-way analysis of variance: https://www.itl.nist.gov/div898/strd/anova/anova.html."""

    @pytest.mark.parametrize("name", list(CERTIFIED))
    def test_certified_f(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        """At least R's digits; where R has more, by luck, the F of the doubles themselves has no more than ours.

        The doubles nearest to 1e12 + 0.1 are 6e-5 away from it, so that beyond four digits of SmLs07 to 09 nothing is
        left to reach; the tolerance that R and we reach is printed.
        """
        certified, of_r, of_doubles = CERTIFIED[name]
        columns = {str(i): column for i, column in enumerate(_nist(name))}
        found = omnibus_test(columns, "anova").statistic
        ours, rs, limit = (_digits(value, certified) for value in (found, of_r, of_doubles))
        with capsys.disabled():
            sys.stdout.write(f"\n{name}: digits of F {ours:.1f}, R {rs:.1f}, of the doubles {limit:.1f}")
        assert found == pytest.approx(of_doubles, rel=2e-15)
        assert ours >= min(rs, limit) - 0.1

    def test_welch_keeps_them_too(self) -> None:
        """The same scores with 1e11 added, which is exact for sixteenths, have the same Welch statistic."""
        columns = [np.round(column * 16) / 16 for column in _nist("SmLs01")]
        small, large = (
            omnibus_test({str(i): column + added for i, column in enumerate(columns)}, "welch_anova").statistic
            for added in (0.0, 1e11)
        )
        assert large == pytest.approx(small, rel=1e-12)

    def test_the_construction_is_the_published_data(self) -> None:
        """Score by score, beside the copies of NIST's files that come with some builds of scipy."""
        spec = importlib.util.find_spec("scipy.stats")
        folder = Path(str(spec.origin)).parent / "tests" / "data" / "nist_anova" if spec else Path("absent")
        if not folder.is_dir():
            pytest.skip("this build of scipy comes without NIST's files")
        for name in CERTIFIED:
            lines = (folder / f"{name}.dat").read_text().splitlines()[60:]
            rows = [line.split() for line in lines if line.strip()]
            expected = [(int(label), float(value)) for label, value in rows]
            assert [(i, v) for i, c in enumerate(_nist(name), start=1) for v in c.tolist()] == expected, name
