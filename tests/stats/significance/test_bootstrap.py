"""The paired bootstrap: seeded, bounded in memory, and honest where resampling says nothing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError
from crucible.stats.significance import bootstrap as module


@pytest.fixture
def columns() -> tuple[np.ndarray, np.ndarray]:
    """Forty pairs with a difference of about 0.5."""
    random = np.random.default_rng(7)
    x = random.normal(size=40)
    return x, x + 0.5 + random.normal(size=40)


def test_the_same_seed_gives_the_same_result(columns: tuple[np.ndarray, np.ndarray]) -> None:
    """The seed is an argument and stands in the method."""
    first = stats.bootstrap_paired(*columns, seed=3, resamples=500)
    assert first == stats.bootstrap_paired(*columns, seed=3, resamples=500)
    assert first.interval != stats.bootstrap_paired(*columns, seed=4, resamples=500).interval
    assert "500 resamples, seed 3" in first.method


def test_it_is_near_the_t_test_on_normal_differences(columns: tuple[np.ndarray, np.ndarray]) -> None:
    """On data that suit both, both say the same."""
    boot, t = stats.bootstrap_paired(*columns), stats.compare_paired(*columns)
    assert boot.statistic == pytest.approx(t.statistic)
    assert boot.p == pytest.approx(t.p, abs=0.01)
    assert (boot.interval.low, boot.interval.high) == pytest.approx((t.interval.low, t.interval.high), abs=0.05)


def test_p_value_and_interval_agree(columns: tuple[np.ndarray, np.ndarray]) -> None:
    """The interval at level 1 - p has an end at 0."""
    result = stats.bootstrap_paired(*columns, resamples=999)
    inside = stats.bootstrap_paired(*columns, resamples=999, level=1 - result.p + 0.002).interval
    outside = stats.bootstrap_paired(*columns, resamples=999, level=1 - result.p - 0.002).interval
    assert inside.low <= 0.0 < outside.low


def test_the_result_does_not_depend_on_the_block(
    columns: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are for memory alone: any size draws the same resamples."""
    whole = stats.bootstrap_paired(*columns, resamples=300)
    monkeypatch.setattr(module, "_BLOCK", 1000)
    assert stats.bootstrap_paired(*columns, resamples=300) == whole


def test_memory_is_bounded() -> None:
    """20,000 pairs and 500 resamples would be 80 MB at once; blocks hold it under 60."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=20_000), random.normal(size=20_000)
    stats.bootstrap_paired(x[:10], y[:10], resamples=100)  # imports first
    tracemalloc.start()
    stats.bootstrap_paired(x, y, resamples=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_too_few_resamples_are_refused() -> None:
    """Ten resamples are no bootstrap."""
    with pytest.raises(StatsError, match="at least 100 resamples, got 10"):
        stats.bootstrap_paired([1, 2, 3], [2, 4, 4], resamples=10)


def test_equal_columns_are_degenerate() -> None:
    """Nothing to resample."""
    with pytest.raises(DegenerateSample, match="nothing to resample"):
        stats.bootstrap_paired([1, 2, 3], [1, 2, 3])


def test_too_few_differing_pairs_are_degenerate() -> None:
    """One differing pair in thirty: over a third of the resamples have no spread, so no quantile exists."""
    with pytest.raises(DegenerateSample, match="have no spread: too few pairs differ"):
        stats.bootstrap_paired([0] * 30, [1] + [0] * 29)
