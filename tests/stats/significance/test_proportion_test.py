"""Shares of successes by their counts."""

from __future__ import annotations

import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples


def test_the_sign_of_z_is_that_of_the_difference() -> None:
    """Treatment minus baseline; the interval is Newcombe's and the effect Cohen's h."""
    better, worse = stats.two_proportions(20, 80, 40, 80), stats.two_proportions(40, 80, 20, 80)
    assert better.statistic == -worse.statistic > 0
    assert (better.difference, better.p) == (0.25, worse.p)
    assert better.interval == stats.newcombe_difference(20, 80, 40, 80)
    assert better.effect.name == "cohens_h"


def test_small_counts_are_said() -> None:
    """The smallest expected count stands among the assumptions."""
    found = stats.two_proportions(1, 10, 3, 12)
    assert "the smallest expected one is 1.82" in found.assumptions[1]


def test_columns_and_counts_agree() -> None:
    """`compare` with the test's name is the same test."""
    x, y = [1, 0, 0, 1, 0, 0], [1, 1, 1, 0, 1]
    assert stats.compare(x, y, test="two_proportion_z") == stats.two_proportions(2, 6, 4, 5)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (10, 12)])
def test_shares_that_never_vary_are_refused(a: int, b: int) -> None:
    """A pooled share of 0 or 1 has no variance; Fisher's test has an answer, and the message names it."""
    with pytest.raises(DegenerateSample, match="use Fisher's exact test"):
        stats.two_proportions(a, 10, b, 12)


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (1, 2, 0, 0)])
def test_no_trials(counts: tuple[int, int, int, int]) -> None:
    """No proportion without one."""
    with pytest.raises(TooFewSamples):
        stats.two_proportions(*counts)


def test_counts_that_do_not_fit() -> None:
    """More successes than trials."""
    with pytest.raises(StatsError):
        stats.two_proportions(3, 2, 1, 2)
    with pytest.raises(StatsError):
        stats.one_proportion(3, 2)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_the_fixed_share_lies_between(share: float) -> None:
    """At 0 and 1 there is nothing to test."""
    with pytest.raises(StatsError, match="the fixed share must lie between 0 and 1"):
        stats.one_proportion(3, 5, share)


def test_the_size_of_the_binomial_test() -> None:
    """The probability of all outcomes with p < alpha, by scipy's test of each; not counted out for a million trials."""
    trials, share = 30, 0.2
    p = [scipy_stats.binomtest(k, trials, share).pvalue for k in range(trials + 1)]
    expected = sum(scipy_stats.binom.pmf(k, trials, share) for k in range(trials + 1) if p[k] < 0.05)
    assert stats.one_proportion(4, trials, share).attainable == pytest.approx(expected, rel=1e-10)
    assert stats.one_proportion(499_000, 1_000_000).attainable is None
