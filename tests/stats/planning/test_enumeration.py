"""Exact power is the sum over every outcome of what the tests of this package decide, counted out by brute force."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.stats.planning.enumeration import binomial_window
from crucible.stats.planning.tango import tango_score

TOLERANCE = {"rel": 1e-11, "abs": 1e-13}


@pytest.mark.parametrize(("n", "m", "p", "q"), [(7, 8, 0.2, 0.75), (10, 10, 0.5, 0.5), (12, 5, 0.9, 0.3)])
def test_fisher(n: int, m: int, p: float, q: float) -> None:
    """Over all tables of two small samples: the chance of those where scipy's Fisher test has p < .05."""
    sides = {"two_sided": 0.0, "greater": 0.0, "less": 0.0}
    for x, y in product(range(n + 1), range(m + 1)):
        chance = float(scipy_stats.binom.pmf(x, n, p) * scipy_stats.binom.pmf(y, m, q))
        for side in sides:
            found = scipy_stats.fisher_exact([[y, m - y], [x, n - x]], alternative=side.replace("_", "-")).pvalue
            sides[side] += chance * (found < 0.05)
    for side, expected in sides.items():
        answer = stats.power("fisher", n=(n, m), baseline=p, effect=q - p, alternative=side)
        assert answer.power == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize("alternative", ["two_sided", "greater", "less"])
def test_z(alternative: str) -> None:
    """Over all tables: the chance of those where the pooled z statistic is beyond its normal quantile."""
    n, m, p, q = 9, 12, 0.4, 0.8
    tail = 0.025 if alternative == "two_sided" else 0.05
    critical = scipy_stats.norm.isf(tail)
    expected = 0.0
    for x, y in product(range(n + 1), range(m + 1)):
        pooled = (x + y) / (n + m)
        error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        z = (y / m - x / n) / error if error else 0.0
        found = {"two_sided": abs(z), "greater": z, "less": -z}[alternative] > critical
        expected += float(scipy_stats.binom.pmf(x, n, p) * scipy_stats.binom.pmf(y, m, q)) * found
    answer = stats.power("proportions", n=(n, m), baseline=p, effect=q - p, test="z", alternative=alternative)
    assert answer.power == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize(("n", "p", "q"), [(20, 0.65, 0.8), (13, 0.1, 0.4), (40, 0.5, 0.5), (5, 0.5, 0.9)])
@pytest.mark.parametrize("alternative", ["two_sided", "greater", "less"])
def test_one_proportion(n: int, p: float, q: float, alternative: str) -> None:
    """Over all counts: the chance of those where scipy's binomial test has p < .05."""
    side = alternative.replace("_", "-")
    expected = sum(
        float(scipy_stats.binom.pmf(k, n, q)) * (scipy_stats.binomtest(k, n, p, alternative=side).pvalue < 0.05)
        for k in range(n + 1)
    )
    answer = stats.power("proportion", n=n, baseline=p, effect=q - p, alternative=alternative)
    assert answer.power == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize(("n", "minus", "plus"), [(12, 0.1, 0.3), (15, 0.0, 0.6), (9, 0.5, 0.5), (18, 0.25, 0.25)])
def test_mcnemar(n: int, minus: float, plus: float) -> None:
    """Over all counts of both kinds of pairs: the chance of those where `stats.mcnemar` finds a difference."""
    expected = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            chance = scipy_stats.multinomial.pmf([b, c, n - b - c], n, [minus, plus, max(0.0, 1 - minus - plus)])
            expected += float(chance) * (stats.mcnemar(b, c, n).p < 0.05)
    by_baseline = stats.power("mcnemar", n=n, baseline_only=minus, effect=plus - minus)
    by_discordant = stats.power("mcnemar", n=n, discordant=minus + plus, effect=plus - minus)
    assert by_baseline.power == pytest.approx(expected, **TOLERANCE)
    assert by_discordant.power == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize("alpha", [0.05, 0.0625, 0.125, 1e-4])
def test_mcnemar_at_an_alpha_that_is_reached_exactly(alpha: float) -> None:
    """A p-value that equals alpha is no finding, as in the verdict: 5 pairs of one kind have p = .0625."""
    n = 5
    expected = sum(
        float(scipy_stats.binom.pmf(c, n, 0.9)) * (stats.mcnemar(n - c, c, n).p < alpha) for c in range(n + 1)
    )
    answer = stats.power("mcnemar", n=n, discordant=1.0, effect=0.8, alpha=alpha)
    assert answer.power == pytest.approx(expected, **TOLERANCE)


@pytest.mark.parametrize("effect", [0.0, 0.05, -0.1])
def test_margins_of_paired_shares(effect: float) -> None:
    """Over all counts: the chance of those whose Tango interval at level 1 - 2 alpha lies inside the margin."""
    n, discordant, margin = 24, 0.3, 0.25
    minus, plus = (discordant - effect) / 2, (discordant + effect) / 2
    inside = above = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            chance = float(scipy_stats.multinomial.pmf([b, c, n - b - c], n, [minus, plus, 1 - discordant]))
            interval = stats.tango_difference(b, c, n, level=0.9)
            above += chance * (interval.low > -margin)
            inside += chance * (-margin < interval.low and interval.high < margin)
    fields = {"n": n, "margin": margin, "effect": effect, "discordant": discordant}
    assert stats.power("equivalence", **fields).power == pytest.approx(inside, **TOLERANCE)
    assert stats.power("non_inferiority", **fields).power == pytest.approx(above, **TOLERANCE)
    down = {**fields, "effect": -effect, "higher_is_better": False}
    assert stats.power("non_inferiority", **down).power == pytest.approx(above, **TOLERANCE)


def test_tango_score_meets_the_interval() -> None:
    """At either limit of Tango's interval the score is the normal quantile; it may be infinite."""
    limits = stats.tango_difference(3, 9, 40, level=0.9)
    z = scipy_stats.norm.isf(0.05)
    assert float(tango_score(3, 9, 40, limits.low)) == pytest.approx(z, rel=1e-9)
    assert float(tango_score(3, 9, 40, limits.high)) == pytest.approx(-z, rel=1e-9)
    assert float(tango_score(0, 0, 40, 0.0)) == 0.0
    assert math.isinf(float(tango_score(0, 0, 40, -1.0)))


@pytest.mark.parametrize(("trials", "share"), [(10, 0.0), (10, 1.0), (1, 0.5), (10**7, 0.3)])
def test_a_window_holds_all_probability(trials: int, share: float) -> None:
    """The counts that are left out weigh less than rounding, and at large n they are nearly all counts."""
    counts, chances = binomial_window(trials, share)
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-10)
    assert len(counts) < 50_000
    assert np.all(np.diff(counts) == 1)


def test_the_size_that_is_found_stays_reached() -> None:
    """Power of exact tests moves in steps: from the answer on, 50 sizes further, it never falls below the target."""
    answer = stats.sample_size("proportion", baseline=0.65, effect=0.15, alternative="greater")
    powers = [
        stats.power("proportion", baseline=0.65, effect=0.15, alternative="greater", n=n).power
        for n in range(answer.n - 1, answer.n + 51)
    ]
    assert powers[0] < 0.8
    assert min(powers[1:]) >= 0.8
    assert min(np.diff(powers)) < 0.0  # it does move in steps
