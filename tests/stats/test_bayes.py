"""Posteriors: exact where a formula exists, the same as simulation where none does, and never worded as equality."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import special
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats import bayes


def test_a_share() -> None:
    """8 of 10 under the uniform prior is beta(9, 3)."""
    found = bayes.beta_binomial(8, 10)
    assert found.mean == pytest.approx(0.75)
    expected = scipy_stats.beta.interval(0.95, 9, 3)
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, rel=1e-12)
    assert (
        found.wording
        == "The share is 0.482 to 0.940 with a probability of 95 % (mean 0.750, beta(1, 1) prior, n = 10)."
    )


def test_no_trials_give_the_prior_back() -> None:
    """The posterior of nothing seen is what was believed before."""
    found = bayes.beta_binomial(0, 0, prior=(2.0, 5.0))
    assert (found.interval.low, found.interval.high) == pytest.approx(scipy_stats.beta.interval(0.95, 2, 5))


@pytest.mark.parametrize(("k", "n"), [(8, 10), (1, 30), (500, 1000)])
def test_the_shortest_interval_is_the_shortest(k: int, n: int) -> None:
    """It holds the probability, its ends are of one density, and moving it makes it longer."""
    found = bayes.beta_binomial(k, n, kind="hdi").interval
    a, b = k + 1, n - k + 1
    beta = scipy_stats.beta(a, b)
    assert beta.cdf(found.high) - beta.cdf(found.low) == pytest.approx(0.95, rel=1e-10)
    assert beta.pdf(found.low) == pytest.approx(beta.pdf(found.high), rel=1e-6)
    shifted = beta.ppf(beta.cdf(found.low) + 0.001), beta.ppf(beta.cdf(found.high) + 0.001)
    assert found.high - found.low < shifted[1] - shifted[0]


def test_the_shortest_interval_ends_where_the_density_is_highest() -> None:
    """All right, all wrong, and a density that is highest at both ends, which has no one shortest interval."""
    right, wrong = (bayes.beta_binomial(k, 10, kind="hdi").interval for k in (10, 0))
    assert (right.high, wrong.low) == (1.0, 0.0)
    assert right.low == pytest.approx(0.05 ** (1 / 11))
    flat = bayes.beta_binomial(0, 0, kind="hdi").interval
    assert (flat.low, flat.high) == pytest.approx((0.025, 0.975))
    with pytest.raises(StatsError, match="no one interval is shortest"):
        bayes.beta_binomial(0, 0, prior=(0.5, 0.5), kind="hdi")


def _beats(a: int, b: int, c: int, d: int) -> float:
    """P(beta(c, d) > beta(a, b)) for whole c, as a finite sum (Miller 2015, evanmiller.org/bayesian-ab-testing)."""
    terms = (special.betaln(a + i, b + d) - math.log(d + i) - special.betaln(1 + i, d) for i in range(c))
    return sum(math.exp(term - special.betaln(a, b)) for term in terms)


@pytest.mark.parametrize(
    "counts",
    [
        (3, 10, 7, 10),
        (0, 10, 0, 10),
        (0, 5, 5, 5),
        (480, 1000, 520, 1000),
        (5, 10, 500, 1000),
        (9_990, 10_000, 9_995, 10_000),
    ],
)
def test_the_better_of_two_shares_by_the_closed_form(counts: tuple[int, int, int, int]) -> None:
    """By quadrature and by the finite sum, to 1e-9."""
    a, n, c, m = counts
    found = bayes.beta_binomial_difference(*counts)
    assert found.p_above_zero == pytest.approx(_beats(1 + a, 1 + n - a, 1 + c, 1 + m - c), rel=1e-9)
    assert found.mean == pytest.approx((c + 1) / (m + 2) - (a + 1) / (n + 2))


def test_two_shares_beside_a_simulation() -> None:
    """Limits and the three probabilities about a region are those of 400,000 draws, within their error."""
    random = np.random.default_rng(0)
    drawn = random.beta(66, 36, 400_000) - random.beta(31, 21, 400_000)
    found = bayes.beta_binomial_difference(30, 50, 65, 100, rope=0.05)
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=2e-3)
    assert found.rope is not None
    shares = [(drawn < -0.05).mean(), (abs(drawn) < 0.05).mean(), (drawn > 0.05).mean()]
    assert (found.rope.p_below, found.rope.p_inside, found.rope.p_above) == pytest.approx(shares, abs=4e-3)


def test_exchanging_the_sides_mirrors_the_posterior() -> None:
    """Treatment minus baseline."""
    one = bayes.beta_binomial_difference(3, 20, 9, 25, rope=(-0.1, 0.2))
    other = bayes.beta_binomial_difference(9, 25, 3, 20, rope=(-0.2, 0.1))
    assert one.p_above_zero is not None
    assert other.p_above_zero == pytest.approx(1.0 - one.p_above_zero, abs=1e-10)
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low), abs=1e-9)
    assert one.rope is not None
    assert other.rope is not None
    assert (one.rope.p_below, one.rope.p_above) == pytest.approx((other.rope.p_above, other.rope.p_below), abs=1e-10)


@pytest.mark.parametrize("counts", [(3, 10, 40), (0, 0, 20), (0, 9, 9), (100, 130, 1000)])
def test_paired_shares_beside_a_simulation(counts: tuple[int, int, int]) -> None:
    """The Dirichlet posterior of the table, drawn 400,000 times; the direction is exact by one beta variable."""
    b, c, n = counts
    drawn = np.random.default_rng(1).dirichlet([1 + b, 1 + c, 2 + n - b - c], 400_000)
    difference = drawn[:, 1] - drawn[:, 0]
    found = bayes.paired_shares(b, c, n, rope=0.02)
    assert found.mean == pytest.approx(difference.mean(), abs=2e-3)
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(difference, [0.025, 0.975]), abs=4e-3)
    assert found.p_above_zero == pytest.approx(1.0 - scipy_stats.beta.cdf(0.5, 1 + c, 1 + b), abs=1e-14)
    assert found.rope is not None
    assert found.rope.p_above == pytest.approx((difference > 0.02).mean(), abs=4e-3)


def test_paired_means_are_the_t_test_read_the_other_way() -> None:
    """Under the flat prior the interval is the paired t-test's, and P(worse) half its p-value."""
    random = np.random.default_rng(2)
    x = random.normal(size=25)
    y = x + 0.4 + random.normal(size=25)
    found, test = bayes.paired(x, y), stats.compare_paired(x, y)
    assert (found.interval.low, found.interval.high) == pytest.approx((test.interval.low, test.interval.high))
    assert found.p_above_zero == pytest.approx(1.0 - test.p / 2.0)


def test_correlated_folds_make_it_less_sure() -> None:
    """Ten folds with correlation 1/10: the scale of Nadeau and Bengio, 1/10 + 1/9."""
    x, y = np.zeros(10), np.random.default_rng(3).normal(size=10)
    plain, folds = bayes.paired(x, y), bayes.paired(x, y, correlation=0.1)
    widths = [one.interval.high - one.interval.low for one in (plain, folds)]
    assert widths[1] / widths[0] == pytest.approx(math.sqrt(1.0 + 10.0 / 9.0))
    assert "correlation 0.1" in folds.wording


@pytest.mark.parametrize(
    "found",
    [
        bayes.paired([1.0, 2.0, 3.0], [1.0, 2.1, 2.9], rope=1.0),
        bayes.paired_shares(1, 1, 1000, rope=0.05),
        bayes.beta_binomial_difference(500, 1000, 500, 1000, rope=0.2),
    ],
)
def test_nothing_is_ever_called_equal(found: bayes.Posterior) -> None:
    """Even where nearly all of the posterior is in the region, the wording gives probabilities and claims no more."""
    assert found.rope is not None
    assert found.rope.p_inside > 0.8
    assert found.rope.p_below + found.rope.p_inside + found.rope.p_above == pytest.approx(1.0)
    words = found.wording.lower()
    assert not any(
        claim in words for claim in ("equal", "same", "no difference", "identical", "with 1.000", "with 0.000")
    )
    assert "too small to matter" in words
    assert json.loads(json.dumps(found.to_dict()))["wording"] == found.wording


@pytest.mark.parametrize(
    ("call", "arguments", "options", "error", "message"),
    [
        (bayes.beta_binomial, (3, 2), {}, StatsError, "expected 0 <= successes <= trials"),
        (bayes.beta_binomial, (1, 2), {"prior": (0.0, 1.0)}, StatsError, "above 0"),
        (bayes.beta_binomial, (1, 2), {"kind": "hpd"}, StatsError, "known: equal_tailed, hdi"),
        (bayes.beta_binomial, (1, 2), {"level": 95}, StatsError, "level"),
        (bayes.beta_binomial_difference, (1, 2, 3, 2), {}, StatsError, "got 3 of 2"),
        (bayes.beta_binomial_difference, (1, 2, 1, 2), {"rope": (0.1, -0.1)}, StatsError, "lower end below"),
        (bayes.beta_binomial_difference, (1, 2, 1, 2), {"rope": 0.0}, StatsError, "lower end below"),
        (bayes.paired_shares, (3, 3, 5), {}, StatsError, "counts that do not fit"),
        (bayes.paired_shares, (1, 1, 5), {"prior": 0.0}, StatsError, "Dirichlet"),
        (bayes.paired, ([1, 2], [2, 3]), {}, DegenerateSample, "no width"),
        (bayes.paired, ([1], [2]), {}, TooFewSamples, "at least 2 pairs"),
        (bayes.paired, ([1, 2], [2, 4]), {"correlation": 1.0}, StatsError, "below 1"),
        (bayes.paired, ([1, 2], [2, float("nan")]), {}, StatsError, "nan"),
    ],
)
def test_refusals(call: Any, arguments: Any, options: Any, error: type[Exception], message: str) -> None:
    """What is out of range is an error that says what was expected."""
    with pytest.raises(error, match=message):
        call(*arguments, **options)
