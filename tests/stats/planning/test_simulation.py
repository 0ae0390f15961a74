"""Power by simulation: of any drawn data and any test, the same for the same seed, with an interval of its own."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError

Columns = tuple[np.ndarray, np.ndarray]


def _paired(random: np.random.Generator) -> Columns:
    x = random.normal(size=25)
    return x, x + random.normal(0.6, 1.0, size=25)


def test_it_agrees_with_the_exact_power() -> None:
    """1,500 drawn data sets of a paired t-test: the exact power lies in the Monte Carlo interval."""
    found = stats.simulated_power(_paired, stats.compare_paired, simulations=1_500, level=0.999)
    exact = stats.power("paired", n=25, effect=0.6).power
    assert found.interval is not None
    assert found.interval.low <= exact <= found.interval.high
    assert found.interval.method == "Clopper-Pearson exact"
    assert found.wording.startswith("With 1500 simulated data sets, the power to find what is in the drawn data is ")


def test_the_seed_decides() -> None:
    """The same seed gives the same answer, another seed another one."""
    first, again, other = (
        stats.simulated_power(_paired, stats.compare_paired, simulations=200, seed=seed) for seed in (5, 5, 6)
    )
    assert first == again
    assert first.power != other.power


def test_any_test_of_the_package() -> None:
    """A rank test, a corrected family's result, a test against a margin, and a callable that returns p or yes or no."""
    wilcoxon = functools.partial(stats.compare_paired, test="wilcoxon")
    tost = functools.partial(stats.tost, margin=5.0, paired=True)
    for test in (wilcoxon, tost, lambda x, y: stats.compare(x, y).p, lambda x, y: bool(y.mean() > x.mean())):
        found = stats.simulated_power(_paired, test, simulations=20)
        assert 0.0 < found.power <= 1.0
    assert stats.simulated_power(_paired, lambda x, y: np.bool_(True), simulations=20).power == 1.0


def test_refused_data_sets_count_as_nothing_found() -> None:
    """Data sets that do not vary are no findings, and the answer says how many there were."""
    found = stats.simulated_power(
        lambda random: (np.zeros(4), np.full(4, float(random.random() < 0.5))),
        functools.partial(stats.compare_paired, test="ttest", is_share=False),
        simulations=50,
    )
    assert found.power == 0.0
    assert 0 < found.counts["of_them_refused"] <= 50
    assert "of them refused" in found.wording


@pytest.mark.parametrize("returned", ["yes", None, math.nan, 3.0])
def test_a_test_that_says_nothing_is_refused(returned: object) -> None:
    """What is neither a result, nor a p-value, nor yes or no, is an error."""
    with pytest.raises(StatsError, match="must return a result with p"):
        stats.simulated_power(_paired, lambda x, y: returned, simulations=10)


def test_numbers_out_of_range() -> None:
    """Too few simulations and an impossible alpha are refused."""
    with pytest.raises(StatsError, match="at least 10, got 3"):
        stats.simulated_power(_paired, stats.compare_paired, simulations=3)
    with pytest.raises(StatsError, match="alpha must lie between 0 and 1"):
        stats.simulated_power(_paired, stats.compare_paired, alpha=1.0)
