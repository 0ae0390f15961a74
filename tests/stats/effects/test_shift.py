"""Hodges and Lehmann's shift: the median of all pairs by counting, however many there are."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible import stats
from crucible.errors import StatsError, TooFewSamples
from crucible.stats.effects import pair_values
from crucible.stats.effects.pair_values import differences_of, walsh_sums

score = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e3, 1e3))
column = st.lists(score, min_size=1, max_size=25)


@pytest.mark.parametrize("held", [1, 1 << 16])
@settings(deadline=None)
@given(column, column)
def test_every_rank_is_found(held: int, x: list[float], y: list[float]) -> None:
    """The k-th smallest sum is that of sorting all of them, whether pairs are narrowed down first or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_values, "_HELD", held)
        a, b = np.array(x), np.array(y)
        i, j = np.triu_indices(len(a))
        for sums, expected in ((differences_of(a, b), (b[:, None] - a).ravel()), (walsh_sums(a), a[i] + a[j])):
            ordered = np.sort(expected)
            assert sums.total == len(ordered)
            for rank in {1, sums.total, (sums.total + 1) // 2}:
                assert sums.smallest(rank) == pytest.approx(ordered[rank - 1], rel=1e-12, abs=1e-9)


def test_the_estimate_is_the_median_of_all_pairs() -> None:
    """By brute force: all differences, or all averages of two differences."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=31), random.normal(size=31) + 1.0
    assert stats.hodges_lehmann(x, y).value == pytest.approx(float(np.median(y[:, None] - x)), rel=1e-12)
    i, j = np.triu_indices(31)
    walsh = ((y - x)[i] + (y - x)[j]) / 2
    assert stats.hodges_lehmann(x, y, paired=True).value == pytest.approx(float(np.median(walsh)), rel=1e-12)


def test_sides_exchanged_mirror_the_interval() -> None:
    """Treatment minus baseline."""
    random = np.random.default_rng(1)
    x, y = random.normal(size=12), random.exponential(size=70)
    one, other = stats.hodges_lehmann(x, y), stats.hodges_lehmann(y, x)
    assert one.interval is not None
    assert other.interval is not None
    assert one.value == pytest.approx(-other.value)
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))


def test_an_outlier_does_not_move_it() -> None:
    """One score of a million among twenty: the shift stays near 1, where the mean is at 50,000."""
    x = np.arange(20.0)
    y = x + 1.0
    y[3] = 1e6
    assert stats.hodges_lehmann(x, y, paired=True).value == pytest.approx(1.0)


def test_so_few_scores_that_no_level_is_reached_have_no_interval() -> None:
    """Five pairs cover 93.75 % at most, six reach 96.875 %."""
    assert stats.hodges_lehmann([0] * 5, [1, 2, 3, 4, 5], paired=True).interval is None
    assert stats.hodges_lehmann([0] * 6, [1, 2, 3, 4, 5, 6], paired=True).interval is not None
    assert stats.hodges_lehmann([0, 1, 2], [4, 5, 6]).interval is None


def test_ids_pair() -> None:
    """Mappings by id are paired by id."""
    x, y = {"a": 1.0, "b": 2.0, "c": 4.0}, {"c": 5.0, "a": 2.0, "b": 3.0}
    assert stats.hodges_lehmann(x, y).value == 1.0


@pytest.mark.parametrize("paired", [True, False])
def test_memory_is_bounded(paired: bool) -> None:
    """20,000 scores a side have 400 million pairs, 3 GB; less than 30 MB are held."""
    random = np.random.default_rng(2)
    x, y = random.normal(size=20_000), random.normal(size=20_000) + 0.5
    stats.hodges_lehmann(x[:60], y[:60], paired=paired)
    tracemalloc.start()
    found = stats.hodges_lehmann(x, y, paired=paired)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.interval is not None
    assert "normal approximation" in found.interval.method


def test_heavy_ties_are_counted_not_listed() -> None:
    """Scores of 1 to 5, a hundred thousand a side: the median difference is a whole number, the interval around it."""
    random = np.random.default_rng(3)
    x, y = random.integers(1, 6, 100_000), random.integers(1, 6, 100_000) + 1
    found = stats.hodges_lehmann(x, y)
    assert found.value == 1.0
    assert found.interval is not None
    assert found.interval.low <= 1.0 <= found.interval.high


def test_refusals() -> None:
    """Unequal pairs, no scores, a level out of range."""
    with pytest.raises(StatsError, match="baseline has 2, treatment has 3"):
        stats.hodges_lehmann([1, 2], [1, 2, 3], paired=True)
    with pytest.raises(TooFewSamples):
        stats.hodges_lehmann([1], [1, 2])
    with pytest.raises(StatsError, match="level"):
        stats.hodges_lehmann([1, 2], [1, 2], level=1.0)
    with pytest.raises(StatsError, match="nan"):
        stats.hodges_lehmann([1, float("nan")], [1, 2])
