"""Power, sample sizes, margins and sequential tests beside R, G*Power, PASS, NCSS and statsmodels, with sources."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import integrate
from scipy import stats as scipy_stats
from statsmodels.stats.power import FTestAnovaPower, TTestIndPower, TTestPower
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from crucible import stats
from crucible.stats import planning
from crucible.stats.planning.tails import t_power, tost_power


class TestPredecessor:
    """What the predecessor had wrong: it gave 10, 59, 4 and 8."""

    @pytest.mark.parametrize(("d", "n"), [(0.5, 64), (0.2, 394), (0.8, 26)])
    def test_two_samples(self, d: float, n: int) -> None:
        """Cohen (1988), table 2.4.1 (a2 = .05, power .80): 64 for .50, 393 for .20 and 26 for .80.

        R 4.4 `power.t.test(delta = .2, power = .8)` has n = 393.4057, so 394.
        """
        assert stats.sample_size("independent", effect=d).n == n

    @pytest.mark.parametrize("side", ["greater", "less"])
    def test_one_sided(self, side: str) -> None:
        """R `power.t.test(delta = .5, power = .8, alternative = "one.sided")`: n = 50.1508, so 51 for either side."""
        effect = 0.5 if side == "greater" else -0.5
        assert stats.sample_size("independent", effect=effect, alternative=side).n == 51

    def test_anova(self) -> None:
        """FTestAnovaPower of statsmodels counts all observations: 154.6, so 52 per group."""
        total = FTestAnovaPower().solve_power(math.sqrt(0.06 / 0.94), None, 0.05, 0.8, k_groups=3)
        assert math.ceil(float(total) / 3) == 52
        assert stats.sample_size("anova", groups=3, measure="eta_squared", effect=0.06).n == 52

    @pytest.mark.parametrize(("d", "n", "power"), [(0.0, 10, 0.05), (0.5, 30, 0.478)])
    def test_power_of_a_size(self, d: float, n: int, power: float) -> None:
        """No effect is found in 5 %; d = .5 with 30 per group in 47.8 %, as statsmodels TTestIndPower has it."""
        assert float(TTestIndPower().power(d, n, 0.05)) == pytest.approx(power, abs=5e-4)
        assert stats.power("independent", n=n, effect=d).power == pytest.approx(power, abs=5e-4)


class TestR:
    """Printed examples of R's documentation: stats and pwr."""

    def test_power_t_test(self) -> None:
        """`power.t.test(n = 20, delta = 1)`: power = 0.8689528 (without the other tail, 1.8e-7)."""
        assert stats.power("independent", n=20, effect=1.0).power == pytest.approx(0.8689528, abs=3e-7)

    @pytest.mark.parametrize(("side", "n"), [("two_sided", 22.02110), ("greater", 17.84713)])
    def test_power_t_test_n(self, side: Any, n: float) -> None:
        """`power.t.test(power = .90, delta = 1)`: n = 22.02110; one-sided 17.84713."""
        assert planning.Independent().power_at(n, 1.0, 0.05, side) == pytest.approx(0.9, abs=1e-6)
        assert stats.sample_size("independent", effect=1.0, power=0.9, alternative=side).n == math.ceil(n)

    def test_power_prop_test(self) -> None:
        """`power.prop.test(n = 50, p1 = .50, p2 = .75)`: power = 0.7401659; of `power = .90`: n = 76.7."""
        fields: dict[str, Any] = {"baseline": 0.5, "effect": 0.25, "test": "z", "by": "normal"}
        assert stats.power("proportions", n=50, **fields).power == pytest.approx(0.7401659, abs=2e-6)
        assert stats.sample_size("proportions", power=0.9, **fields).n == 77

    def test_power_prop_test_that_cannot_be(self) -> None:
        """`power.prop.test(n = 30, p1 = .9, p2 = NULL, power = .8)`: no p2 up to 1; n = 74 is the least for 1."""
        with pytest.raises(stats.StatsError, match="n = 74 would be needed"):
            stats.detectable_effect("proportions", n=30, baseline=0.9, test="z", by="normal")

    def test_power_anova_test(self) -> None:
        """`power.anova.test(groups = 4, between.var = 1, within.var = 3)`: n = 5 has 0.3535594, .8 n = 11.92613."""
        f = math.sqrt(3 / 4 / 3)
        assert stats.power("anova", groups=4, n=5, effect=f).power == pytest.approx(0.3535594, abs=5e-8)
        assert planning.Anova(groups=4).power_at(11.92613, f, 0.05, "two_sided") == pytest.approx(0.8, abs=1e-6)
        assert stats.sample_size("anova", groups=4, effect=f).n == 12

    def test_pwr_t2n_test(self) -> None:
        """`pwr.t2n.test(d = .6, n1 = 90, n2 = 60, alternative = "greater")`: power = 0.9737262."""
        found = stats.power("independent", n=(90, 60), effect=0.6, alternative="greater")
        assert found.power == pytest.approx(0.9737262, abs=5e-8)

    def test_pwr_t_test(self) -> None:
        """`pwr.t.test(d = .2, n = 60, sig.level = .10, type = "one.sample")`: power = 0.4555818."""
        assert stats.power("one_sample", n=60, effect=0.2, alpha=0.1).power == pytest.approx(0.4555818, abs=5e-8)

    @pytest.mark.parametrize(
        ("p", "q", "side", "n", "power"),
        [
            (0.40, 0.60, "two_sided", 108, 0.80194182),
            (0.40, 0.60, "greater", 85, 0.805746021),
            (1 / 3, 2 / 3, "two_sided", 39, 0.8008238),
            (0.25, 0.75, "two_sided", 18, 0.833005149),
        ],
    )
    def test_pwrss_fisher(self, p: float, q: float, side: str, n: int, power: float) -> None:
        """R pwrss, tests/testthat/test-proportions.fisher.R: `power.exact.fisher(method = "exact")`."""
        found = stats.power("fisher", n=n, baseline=p, effect=q - p, alternative=side)
        assert found.power == pytest.approx(power, abs=5e-8)
        assert stats.sample_size("fisher", baseline=p, effect=q - p, alternative=side).n == n

    def test_pwrss_fisher_power(self) -> None:
        """R pwrss, the same: `power.exact.fisher(prob1 = .6, prob2 = .4, n2 = 50)`: 0.462100133."""
        assert stats.power("fisher", n=50, baseline=0.4, effect=0.2).power == pytest.approx(0.462100133, abs=5e-10)

    @pytest.mark.parametrize(
        ("n", "minus", "plus", "side", "power"),
        [
            (100, 0.10, 0.20, "two_sided", 0.373077084),
            (100, 0.10, 0.20, "greater", 0.514606143),
            (249, 0.10, 0.20, "two_sided", 0.801446921),
            (50, 0.08, 0.32, "greater", 0.839356985),
        ],
    )
    def test_pwrss_mcnemar(  # one row of the table
        self, n: int, minus: float, plus: float, side: str, power: float
    ) -> None:
        """R pwrss, tests/testthat/test-proportions.mcnemar.R: `power.exact.mcnemar(method = "exact")`."""
        found = stats.power("mcnemar", n=n, baseline_only=minus, effect=plus - minus, alternative=side)
        assert found.power == pytest.approx(power, abs=5e-9)


class TestGPower:
    """Worked examples of the G*Power 3.1 manual (Faul, Erdfelder, Buchner & Lang, version of June 1, 2023)."""

    def test_one_proportion(self) -> None:
        """Chapter 4: pi0 = .65, g = .15, N = 20, one-sided: power .411449, actual alpha .044376."""
        fields: dict[str, Any] = {"baseline": 0.65, "n": 20, "alternative": "greater"}
        assert stats.power("proportion", effect=0.15, **fields).power == pytest.approx(0.411449, abs=5e-7)
        assert stats.power("proportion", effect=0.0, **fields).power == pytest.approx(0.044376, abs=5e-7)

    def test_mcnemar(self) -> None:
        """Chapter 5 (O'Brien 2002): OR .25, 40 % discordant, N = 50, one-sided: .839343 (cut short), size .032578."""
        fields: dict[str, Any] = {"discordant": 0.4, "n": 50, "alternative": "greater"}
        assert stats.power("mcnemar", effect=0.24, **fields).power == pytest.approx(0.839343, abs=2e-5)
        assert stats.power("mcnemar", effect=0.0, **fields).power == pytest.approx(0.032578, abs=2e-6)

    def test_anova(self) -> None:
        """Chapter 10: f = .25, 10 groups, power .95: N = 390, actual power .952363."""
        found = stats.sample_size("anova", groups=10, effect=0.25, power=0.95)
        assert found.total == 390
        assert found.power == pytest.approx(0.952363, abs=5e-7)

    def test_matched_pairs(self) -> None:
        """Chapter 19: dz = .421637, N = 50: power .832114; dz = .2828427: .500352."""
        assert stats.power("paired", n=50, effect=0.421637).power == pytest.approx(0.832114, abs=1e-6)
        assert stats.power("paired", n=50, effect=0.2828427).power == pytest.approx(0.500352, abs=1e-6)

    def test_one_sample(self) -> None:
        """Chapter 20: d = .625 one-sided, power .95: N = 30 (.955144); d = .1, alpha .01, power .90: 1492 (.900169)."""
        first = stats.sample_size("one_sample", effect=0.625, power=0.95, alternative="greater")
        second = stats.sample_size("one_sample", effect=0.1, power=0.9, alpha=0.01)
        assert (first.n, second.n) == (30, 1492)
        assert (first.power, second.power) == pytest.approx((0.955144, 0.900169), abs=1e-6)

    def test_two_samples(self) -> None:
        """Faul et al. (2007), Behavior Research Methods 39:175-191: d = .5, one-sided, power .95: 88 per group."""
        assert stats.sample_size("independent", effect=0.5, power=0.95, alternative="greater").n == 88


class TestEquivalencePower:
    """Exact power of two one-sided t-tests."""

    @pytest.mark.parametrize(("n", "power"), [(3, 0.0386), (8, 0.28871), (15, 0.69339), (30, 0.94326), (50, 0.99458)])
    def test_pass_two_samples(self, n: int, power: float) -> None:
        """PASS chapter 460, example 1 (R TOSTER, tests/testthat/test-power_t_TOST.R): delta -4, sd 18, bounds ±19.2."""
        found = stats.power("equivalence", n=n, margin=19.2, effect=-4.0, sd=18.0, pairing="independent")
        assert round(found.power, 4 if n == 3 else 5) == power

    def test_pass_two_samples_n(self) -> None:
        """PASS chapter 460, examples 2 to 4 (R TOSTER): n = 19, 2600, 3305 and 89 per group, rounded."""
        two: dict[str, Any] = {"pairing": "independent"}
        assert stats.sample_size("equivalence", margin=19.2, effect=-4.0, sd=18.0, **two).n == 19
        for margin, sd, effect, alpha, power, rounded in (
            (10.0, 100.0, 0.0, 0.025, 0.9, 2600),
            (10.0, 100.0, 2.0, 0.025, 0.9, 3305),
            (5.0, 8.0, -2.0, 0.05, 0.8, 89),
        ):
            design = planning.Equivalence(margin=margin, sd=sd, **two)
            below, above = (design.power_at(rounded + off, effect, alpha, "two_sided") for off in (-0.5, 0.5))
            assert below < power < above

    @pytest.mark.parametrize(("n", "power"), [(5, 0.10599), (30, 0.93855), (50, 0.99410)])
    def test_pass_pairs(self, n: int, power: float) -> None:
        """PASS chapter 519, example 5 (R TOSTER): delta -4, sd of differences 25.4558, bounds ±19.2."""
        found = stats.power("equivalence", n=n, margin=19.2, effect=-4.0, sd=25.4558)
        assert round(found.power, 5) == power

    @pytest.mark.parametrize(("delta", "n"), [(0.0, 16), (-5.0, 20), (-10.0, 40), (-15.0, 152)])
    def test_pass_pairs_n(self, delta: float, n: int) -> None:
        """PASS chapter 519, example 7 (R TOSTER): sd of differences 28.284, bounds ±20, power .7."""
        assert stats.sample_size("equivalence", margin=20.0, effect=delta, sd=28.284, power=0.7).n == n

    @pytest.mark.parametrize(("low", "high", "df"), [(2.5, 3.5, 7), (3.0, 3.0, 200), (1.2, 4.0, 1), (30.0, 4.0, 3)])
    def test_integral(self, low: float, high: float, df: int) -> None:
        """A two-dimensional check: mpmath's quadrature over the variance, with its own density, to 1e-10."""
        critical = float(scipy_stats.t.isf(0.05, df))
        widest = (low + high) / (2 * critical)

        def inside(v: float) -> float:
            u = mpmath.sqrt(v / df)
            chance = mpmath.ncdf(high - critical * u) - mpmath.ncdf(critical * u - low)
            return chance * v ** (mpmath.mpf(df) / 2 - 1) * mpmath.exp(-v / 2)

        top = df * widest**2
        cuts = [0, *[cut for cut in (0.1 * df, df, 2 * df, 4 * df + 40) if cut < top], min(top, 8 * df + 200)]
        expected = mpmath.quad(inside, cuts) / (2 ** (mpmath.mpf(df) / 2) * mpmath.gamma(mpmath.mpf(df) / 2))
        assert tost_power(low, high, df, 0.05) == pytest.approx(float(expected), rel=1e-9, abs=1e-11)


class TestStatsmodels:
    """statsmodels.stats.power, to 1e-9."""

    @pytest.mark.parametrize("side", [("two_sided", "two-sided"), ("greater", "larger"), ("less", "smaller")])
    @pytest.mark.parametrize("d", [0.3, -0.4, 1.5])
    def test_t(self, side: tuple[str, str], d: float) -> None:
        """TTestPower and TTestIndPower, every side."""
        ours, theirs = side
        one = TTestPower().power(d, 23, 0.05, alternative=theirs)
        two = TTestIndPower().power(d, 23, 0.05, ratio=2.0, alternative=theirs)
        assert stats.power("paired", n=23, effect=d, alternative=ours).power == pytest.approx(one, rel=1e-9, abs=1e-14)
        found = stats.power("independent", n=23, ratio=2.0, effect=d, alternative=ours).power
        assert found == pytest.approx(two, rel=1e-9, abs=1e-14)

    def test_detectable_effect(self) -> None:
        """TTestIndPower().solve_power(effect_size = None)."""
        expected = TTestIndPower().solve_power(None, 80, 0.01, 0.9)
        found = stats.detectable_effect("independent", n=80, alpha=0.01, power=0.9).effect
        assert found == pytest.approx(float(expected), rel=1e-6)  # as far as its solver goes
        assert TTestIndPower().power(found, 80, 0.01) == pytest.approx(0.9, rel=1e-10)

    def test_anova(self) -> None:
        """FTestAnovaPower counts all observations."""
        expected = FTestAnovaPower().power(0.2, 100, 0.05, k_groups=5)
        assert stats.power("anova", groups=5, n=20, effect=0.2).power == pytest.approx(float(expected), rel=1e-9)


class TestDistributions:
    """The distribution functions that power stands on, against integrals that use none of them."""

    @pytest.mark.parametrize(("shift", "df"), [(2.8, 5), (-1.3, 9), (0.0, 3), (2.8, 1000), (6.0, 126)])
    def test_non_central_t(self, shift: float, df: int) -> None:
        """E[Phi(shift - c u)] over the chi density of u, by mpmath, to 1e-10."""
        critical = float(scipy_stats.t.isf(0.025, df))
        half = mpmath.mpf(df) / 2
        spread = 1 / mpmath.sqrt(2 * df)
        cuts = [max(0, 1 - 12 * spread), max(0, 1 - 4 * spread), 1, 1 + 4 * spread, 1 + 12 * spread + 2]

        def tail(nc: float) -> float:
            def density(u: float) -> float:
                scale = 2 * half**half / mpmath.gamma(half)
                return mpmath.ncdf(nc - critical * u) * scale * u ** (df - 1) * mpmath.exp(-half * u * u)

            return float(mpmath.quad(density, cuts))

        expected = tail(shift) + tail(-shift)
        assert t_power(shift, df, 0.05, "two_sided") == pytest.approx(expected, rel=1e-10)

    def test_welch_against_simulation(self) -> None:
        """The approximation for Welch's test is within .01 of 20,000 drawn data sets (seed 4)."""
        random = np.random.default_rng(4)
        x, y = random.normal(0.0, 1.0, (20_000, 12)), random.normal(1.6, 3.0, (20_000, 30))
        found = float((scipy_stats.ttest_ind(y, x, axis=1, equal_var=False).pvalue < 0.05).mean())
        planned = stats.power("welch", n=(12, 30), baseline_sd=1.0, treatment_sd=3.0, effect=1.6).power
        assert planned == pytest.approx(found, abs=0.01)


class TestTost:
    """Tests of equivalence on data."""

    A = (452, 874, 554, 447, 356, 754, 558, 574, 664, 682, 547, 435, 245)
    B = (546, 547, 774, 465, 459, 665, 467, 365, 589, 534, 456, 651, 654, 665, 546, 537)

    @pytest.mark.parametrize(
        ("test", "df", "low", "high", "p_low", "p_high"),
        [
            ("student", 27.0, -112.99323, 96.76246, 0.02821, 0.01436),
            ("welch", 19.169, -120.27336, 104.04259, 0.03628, 0.02002),
        ],
    )
    def test_ncss(  # one row of the table
        self, test: str, df: float, low: float, high: float, p_low: float, p_high: float
    ) -> None:
        """NCSS chapter 198, example 1 (R TOSTER, tests/testthat/test-NCSS1.R): corn yields, bounds ±110, alpha .025."""
        found = stats.tost(self.B, self.A, margin=110.0, test=test, alpha=0.025)
        assert found.difference == pytest.approx(-8.1153846, abs=5e-8)
        assert round(found.df or 0.0, 3) == df
        assert (round(found.interval.low, 5), round(found.interval.high, 5)) == (low, high)
        assert (round(found.p_low or 0.0, 5), round(found.p_high or 0.0, 5)) == (p_low, p_high)

    def test_statsmodels(self) -> None:
        """ttost_ind (both variances) and ttost_paired, to 1e-9; at a shift that dwarfs the spread, too."""
        random = np.random.default_rng(2)
        for shift in (0.0, 1e6):
            x = random.normal(size=30) + shift
            y = x + random.normal(0.1, 0.4, size=30)
            z = random.normal(0.2, 2.0, size=50) + shift
            paired = stats.tost(x, y, margin=0.3, paired=True)
            p, low, high = ttost_paired(y, x, -0.3, 0.3)
            assert (paired.p, paired.p_low, paired.p_high) == pytest.approx((p, low[1], high[1]), rel=1e-8)
            for test, usevar in (("welch", "unequal"), ("student", "pooled")):
                found = stats.tost(x, z, margin=0.9, test=test)
                p, low, high = ttost_ind(z, x, -0.9, 0.9, usevar=usevar)
                assert (found.p, found.p_low, found.p_high) == pytest.approx((p, low[1], high[1]), rel=1e-8)


class TestSequential:
    """Confidence sequences against integrals and sums that use none of their closed forms."""

    def test_the_mixture_t_is_an_integral(self) -> None:
        """Its e-value is the ratio of the non-central t density, averaged over a normal effect, to the central one."""
        random = np.random.default_rng(0)
        sequence = stats.MeanSequence(tuned_for=40)
        x: list[float] = []
        for value in random.normal(0.4, 1.0, size=25):
            x.append(float(value))
            sequence.add(x[-1])
        rho = math.sqrt((2 * math.log(20) + math.log(1 + 2 * math.log(20))) / 40)
        best = 0.0
        for n in range(2, 26):
            part = np.array(x[:n])
            t = float(part.mean() / part.std(ddof=1) * math.sqrt(n))

            def weighed(effect: float, t: float = t, n: int = n) -> float:
                density = (
                    scipy_stats.nct.pdf(t, n - 1, effect * math.sqrt(n))
                    if t >= 0
                    else scipy_stats.nct.pdf(-t, n - 1, -effect * math.sqrt(n))
                )
                return float(density * scipy_stats.norm.pdf(effect, scale=rho))

            ratio = integrate.quad(weighed, -8 * rho, 8 * rho, epsabs=1e-12)[0] / scipy_stats.t.pdf(t, n - 1)
            best = max(best, ratio)
        assert sequence.p == pytest.approx(1.0 / best, rel=1e-6)

    def test_the_asymptotic_sequence_lies_inside(self) -> None:
        """Waudby-Smith et al. (2024), asymptotic sequence, with the variance of divisor n: never wider than ours."""
        random = np.random.default_rng(1)
        x = random.exponential(size=400)
        rho2 = (2 * math.log(20) + math.log(1 + 2 * math.log(20))) / 100
        for n in range(2, 401, 7):
            sequence = stats.MeanSequence(tuned_for=100)
            for value in x[:n]:
                sequence._low, sequence._high = -math.inf, math.inf  # this n alone, not what all have in common
                sequence.add(float(value))
            mean, sd = float(x[:n].mean()), float(x[:n].std())
            grown = n * rho2 + 1
            width = sd * math.sqrt(2 * grown / (n * n * rho2) * math.log(math.sqrt(grown) / 0.05))
            assert sequence.interval.low <= mean - width + 1e-12
            assert sequence.interval.high >= mean + width - 1e-12
        assert sequence.interval.high == pytest.approx(mean + width, rel=0.01)

    def test_paired_wins_is_an_integral(self) -> None:
        """Its e-value is the binomial likelihood averaged over a beta density, over that of a fair coin."""
        sequence = stats.PairedWins(concentration=2.5)
        sequence.update([0] * 14 + [1] * 3, [1] * 14 + [0] * 3)
        evidence = 0.0
        for won, lost in [*((k, 0) for k in range(1, 15)), *((14, k) for k in range(1, 4))]:
            mixed = integrate.quad(
                lambda q, w=won, v=lost: q**w * (1 - q) ** v * scipy_stats.beta.pdf(q, 2.5, 2.5), 0, 1, epsabs=1e-18
            )[0]
            evidence = max(evidence, mixed * 2.0 ** (won + lost))
        assert sequence.p == pytest.approx(1.0 / evidence, rel=1e-9)

    def test_betting_is_a_product_of_bets(self) -> None:
        """Waudby-Smith & Ramdas (2024), hedged capital, written out for each mean by itself."""
        random = np.random.default_rng(5)
        x = random.beta(4, 2, size=120)
        sequence = stats.BoundedSequence(null=0.5).update(x)
        mean_so_far = (0.5 + np.cumsum(x)) / (np.arange(1, 121) + 1)
        variance = (0.25 + np.cumsum((x - mean_so_far) ** 2)) / (np.arange(1, 121) + 1)
        before = np.concatenate([[0.25], variance[:-1]])
        t = np.arange(1, 121)
        stake = np.sqrt(2 * np.log(2 / 0.05) / (before * t * np.log(1 + t)))

        def most_capital(m: float) -> float:
            rise = np.cumprod(1 + np.minimum(stake, 0.5 / m) * (x - m))
            fall = np.cumprod(1 - np.minimum(stake, 0.5 / (1 - m)) * (x - m))
            return float(np.maximum(rise / 2, fall / 2).max())

        assert sequence.p == pytest.approx(1 / most_capital(0.5), rel=1e-9)
        left = [m for m in np.arange(1, 1000) / 1000 if most_capital(float(m)) < 20]
        assert (sequence.interval.low, sequence.interval.high) == pytest.approx((left[0] - 0.001, left[-1] + 0.001))

    def test_wald_1945(self) -> None:
        """Wald (1945), section 5.2: acceptance and rejection numbers lie on two parallel lines, written out here."""
        p0, p1, alpha, beta = 0.1, 0.3, 0.02, 0.03
        slope_base = math.log(p1 / p0) - math.log((1 - p1) / (1 - p0))
        slope = math.log((1 - p0) / (1 - p1)) / slope_base
        accept, reject = math.log(beta / (1 - alpha)) / slope_base, math.log((1 - beta) / alpha) / slope_base
        for n in (10, 20, 40):
            at = math.ceil(reject + slope * n)
            test = stats.Sprt(null=p0, alternative=p1, alpha=alpha, beta=beta, bounds="wald")
            test.successes, test.failures = at, n - at
            assert test.decision is stats.SprtDecision.ALTERNATIVE
            test.successes, test.failures = at - 1, n - at + 1
            assert test.decision is stats.SprtDecision.GO_ON
            if accept + slope * n >= 0:
                at = math.floor(accept + slope * n)
                test.successes, test.failures = at, n - at
                assert test.decision is stats.SprtDecision.NULL
