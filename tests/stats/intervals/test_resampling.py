"""Resampled means are those of sampling with replacement, exactly; nothing about them depends on how they are made."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible.stats.intervals import resampling


def test_every_multiset_of_three_comes_as_often_as_it_should() -> None:
    """With values 1, 10 and 100 a mean tells which values were drawn: the 10 multisets, by their multinomial shares."""
    found = resampling.resampled_means(np.array([1.0, 10.0, 100.0]), 60_000, np.random.default_rng(1))
    expected: dict[int, int] = {}
    for drawn in itertools.product((1, 10, 100), repeat=3):
        expected[sum(drawn)] = expected.get(sum(drawn), 0) + 1
    seen = dict(zip(*np.unique(np.round(3 * found).astype(int), return_counts=True), strict=True))
    assert set(seen) == set(expected)
    counts = [[seen[key] for key in expected], [60_000 * share / 27 for share in expected.values()]]
    assert scipy_stats.chisquare(*counts).pvalue > 1e-3


@pytest.mark.parametrize("n", [7, 100, 256, 300, 1000])
def test_each_value_is_drawn_binomially_often(n: int) -> None:
    """The count of one value in a resample is binomial(n, 1/n), wherever in the column it stands."""
    for place in (0, n // 2, n - 1):
        marked = np.zeros(n)
        marked[place] = 1.0
        sums = np.empty(20_000)
        resampling._sum_groups(marked, sums, np.random.default_rng(place))
        seen = np.bincount(np.minimum(np.round(sums).astype(int), 4), minlength=5)
        expected = scipy_stats.binom.pmf(range(4), n, 1 / n) * len(sums)
        assert scipy_stats.chisquare(seen, [*expected, len(sums) - sum(expected)]).pvalue > 1e-4


def test_two_values_are_drawn_together_as_often_as_they_should() -> None:
    """The counts of two values have the covariance of a multinomial, within a group of 256 and across two."""
    n = 300
    for other in (1, 299):
        marked = np.zeros(n)
        marked[0], marked[other] = 1.0, 1000.0
        sums = np.empty(200_000)
        resampling._sum_groups(marked, sums, np.random.default_rng(other))
        first, second = np.mod(np.round(sums), 1000), np.floor(np.round(sums) / 1000)
        covariance = float(np.cov(first, second)[0, 1])
        assert covariance == pytest.approx(-1 / n, abs=4 / math.sqrt(len(sums)))


@pytest.mark.parametrize("kind", ["many values", "few values"])
def test_moments_of_the_means(kind: str) -> None:
    """Mean, deviation and skewness of the means are those of the values over n, its root and the root of n."""
    values = np.random.default_rng(2).exponential(size=500)
    values = values if kind == "many values" else (values > 2.0).astype(float)
    found = resampling.resampled_means(values, 100_000, np.random.default_rng(3))
    error = values.std() / math.sqrt(500)
    assert found.mean() == pytest.approx(values.mean(), abs=5 * error / math.sqrt(1e5))
    assert found.std() == pytest.approx(error, rel=0.01)
    assert scipy_stats.skew(found) == pytest.approx(scipy_stats.skew(values) / math.sqrt(500), abs=0.04)


def test_few_values_and_many_agree() -> None:
    """A column of zeros and ones gives the same distribution by the counts of its values and by look-ups."""
    values = (np.arange(400) % 7 == 0).astype(float)
    by_counts = resampling.resampled_means(values, 20_000, np.random.default_rng(4))
    sums = np.empty(20_000)
    resampling._sum_groups(values, sums, np.random.default_rng(5))
    assert scipy_stats.ks_2samp(np.round(by_counts * 400), np.round(sums)).pvalue > 1e-3


def test_a_large_offset_costs_no_digits() -> None:
    """Values of a billion and a little give the means of the little, to the digits that a double there has."""
    values = np.random.default_rng(6).normal(size=300)
    plain = resampling.resampled_means(values, 200, np.random.default_rng(7))
    offset = resampling.resampled_means(values + 1e9, 200, np.random.default_rng(7))
    assert np.abs(offset - 1e9 - plain).max() < 5e-7


def test_a_column_that_does_not_vary() -> None:
    """Every mean is the value itself."""
    assert set(resampling.resampled_means(np.full(9, 0.3), 50, np.random.default_rng(0)).tolist()) == {0.3}


def test_the_same_seed_draws_the_same() -> None:
    """And another one does not."""
    values = np.random.default_rng(0).normal(size=300)
    one, two, other = (resampling.resampled_means(values, 100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_memory_is_bounded() -> None:
    """100,000 values and 600 resamples would be 480 MB at once; it takes less than 20."""
    values = np.random.default_rng(0).normal(size=100_000)
    tracemalloc.start()
    resampling.resampled_means(values, 600, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_rows_of_indices_come_in_blocks() -> None:
    """All rows, in order, each block of bounded size, every index in range."""
    rows = list(resampling.drawn_rows(70_000, 9, np.random.default_rng(0)))
    assert [start for start, _ in rows] == [0, 3, 6]
    assert sum(len(drawn) for _, drawn in rows) == 9
    assert all(drawn.min() >= 0 and drawn.max() < 70_000 for _, drawn in rows)
