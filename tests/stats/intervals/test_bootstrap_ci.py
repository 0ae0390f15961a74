"""Bootstrap intervals of any statistic: those of scipy from the same resamples, bounded in memory, refused if empty."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.intervals.bootstrap_ci import bootstrap_limits
from crucible.stats.intervals.resampled_statistic import influences

METHODS = {"bca": "BCa", "percentile": "percentile", "basic": "basic"}


@pytest.fixture
def skewed() -> np.ndarray:
    """Eighty skewed values."""
    return np.random.default_rng(0).exponential(size=80)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("statistic", [np.mean, np.median, np.std])
def test_limits_are_those_of_scipy(method: str, statistic: Any, skewed: np.ndarray) -> None:
    """From scipy's own resamples, to 1e-12: the bias correction, the jackknife's acceleration, the quantiles."""
    found = scipy_stats.bootstrap((skewed,), statistic, n_resamples=500, method=METHODS[method], rng=1)
    pulls = [influences(statistic, skewed, np.random.default_rng(0))]
    limits = bootstrap_limits(found.bootstrap_distribution, float(statistic(skewed)), pulls, method=method, level=0.95)
    assert limits == pytest.approx(tuple(found.confidence_interval), rel=1e-12)


def test_limits_of_two_samples_are_those_of_scipy(skewed: np.ndarray) -> None:
    """Likewise for a difference of means of two samples under BCa."""
    other = np.random.default_rng(1).gamma(3.0, size=50)

    def difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> Any:
        return y.mean(axis=axis) - x.mean(axis=axis)

    found = scipy_stats.bootstrap((skewed, other), difference, n_resamples=500, method="BCa", rng=1)
    random = np.random.default_rng(0)
    pulls = [-influences("mean", skewed, random), influences("mean", other, random)]
    estimate = float(other.mean() - skewed.mean())
    limits = bootstrap_limits(found.bootstrap_distribution, estimate, pulls, method="bca", level=0.95)
    assert limits == pytest.approx(tuple(found.confidence_interval), rel=1e-12)


@pytest.mark.parametrize("method", list(METHODS))
def test_the_fast_mean_is_the_mean(method: str, skewed: np.ndarray) -> None:
    """The fast way for the mean and numpy's mean called on resamples agree within the noise of resampling."""
    fast = stats.bootstrap_ci(skewed, method=method, resamples=20_000)
    plain = stats.bootstrap_ci(skewed, np.mean, method=method, resamples=20_000)
    assert (fast.low, fast.high) == pytest.approx((plain.low, plain.high), abs=0.015)


def test_named_vectorised_and_plain_statistics_agree(skewed: np.ndarray) -> None:
    """`median`, numpy's median on blocks, and a function of one column at a time: the same interval to the digit."""
    named = stats.bootstrap_ci(skewed, "median", resamples=300)
    assert named == stats.bootstrap_ci(skewed, np.median, resamples=300)
    assert named == stats.bootstrap_ci(skewed, lambda values: float(np.median(values)), resamples=300)


def test_method_says_what_was_done(skewed: np.ndarray) -> None:
    """Method, resamples and seed; the seed decides."""
    found = stats.bootstrap_ci(skewed, resamples=300, seed=5)
    assert (found.level, found.method) == (0.95, "BCa bootstrap, 300 resamples, seed 5")
    assert found == stats.bootstrap_ci(skewed, resamples=300, seed=5)
    assert found.low != stats.bootstrap_ci(skewed, resamples=300, seed=6).low


def test_pairs_are_resampled_as_pairs() -> None:
    """The interval of a mean difference of correlated columns is that of the differences, far shorter than unpaired."""
    random = np.random.default_rng(3)
    x = random.normal(size=60)
    y = x + 0.2 + 0.1 * random.normal(size=60)
    together = stats.bootstrap_difference_ci(x, y, paired=True)
    apart = stats.bootstrap_difference_ci(x, y)
    assert together == stats.bootstrap_ci(y - x)
    assert together.high - together.low < (apart.high - apart.low) / 5
    by_id = stats.bootstrap_difference_ci(dict(enumerate(x)), dict(enumerate(y)))
    assert by_id == together
    medians = stats.bootstrap_difference_ci(x, y, "median", paired=True, resamples=500)
    assert medians.low < float(np.median(y) - np.median(x)) < medians.high


def test_a_shift_moves_the_interval_of_a_difference() -> None:
    """Treatment minus baseline: adding to the treatment adds to both limits."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=30), random.normal(size=40)
    one = stats.bootstrap_difference_ci(x, y, "median", resamples=300)
    two = stats.bootstrap_difference_ci(x, y + 10.0, "median", resamples=300)
    assert (two.low - one.low, two.high - one.high) == pytest.approx((10.0, 10.0))


def test_many_values_use_groups_for_the_acceleration() -> None:
    """Beyond 1,000 values the acceleration is that of 1,000 groups: near that of all values."""
    values = np.random.default_rng(4).exponential(size=4_000)
    grouped = influences(np.mean, values, np.random.default_rng(0))
    exact = influences("mean", values, np.random.default_rng(0))
    assert len(grouped) == 1000
    acceleration = [float((pull**3).sum() / (6.0 * (pull**2).sum() ** 1.5)) for pull in (grouped, exact)]
    assert acceleration[0] == pytest.approx(acceleration[1], abs=0.0015)


def test_memory_of_any_statistic_is_bounded() -> None:
    """100 resamples of the median of 100,000 values would be 80 MB at once; blocks hold it under 25."""
    values = np.random.default_rng(0).normal(size=100_000)
    stats.bootstrap_ci(values[:10], "median", method="percentile", resamples=100)  # imports first
    tracemalloc.start()
    stats.bootstrap_ci(values, "median", method="percentile", resamples=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25e6


@pytest.mark.slow
def test_memory_of_ten_thousand_resamples_is_bounded() -> None:
    """BCa of the mean of 100,000 values: 8 GB at once, less than 200 MB here."""
    values = np.random.default_rng(0).normal(size=100_000)
    tracemalloc.start()
    stats.bootstrap_ci(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_ties_with_the_estimate_count_half() -> None:
    """Right or wrong in equal parts: many resamples hit the estimate itself, and the interval stays symmetric."""
    found = stats.bootstrap_ci([0, 1] * 20)
    assert found.low == pytest.approx(1.0 - found.high, abs=0.026)


def test_an_offset_moves_the_interval_and_nothing_else() -> None:
    """A billion on top of every value: the same interval on top of a billion."""
    values = np.random.default_rng(8).exponential(size=50)
    plain, offset = stats.bootstrap_ci(values), stats.bootstrap_ci(values + 1e9)
    assert (offset.low - 1e9, offset.high - 1e9) == pytest.approx((plain.low, plain.high), abs=1e-6)


@pytest.mark.parametrize("scale", [1e-130, 1e140])
def test_scale_moves_the_interval_and_nothing_else(scale: float) -> None:
    """Tiny and huge values work as far as their squares are numbers."""
    values = np.random.default_rng(8).exponential(size=50)
    plain, scaled = stats.bootstrap_ci(values), stats.bootstrap_ci(values * scale)
    assert (scaled.low / scale, scaled.high / scale) == pytest.approx((plain.low, plain.high), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "options", "error", "message"),
    [
        ([1.0], {}, TooFewSamples, "at least 2 values, got 1"),
        ([], {}, TooFewSamples, "at least 2 values, got 0"),
        ([1.0, float("nan")], {}, StatsError, r"values\[1\] is nan"),
        ([1.0, float("inf")], {}, StatsError, r"values\[1\] is inf"),
        ([1e300, 1.0], {}, StatsError, "too large to square"),
        ([1e-300, 2e-300], {}, DegenerateSample, "too small to square"),
        ([2.0, 2.0, 2.0], {}, DegenerateSample, "all 10000 resamples give 2"),
        ([1.0, 2.0], {"method": "bcaa"}, StatsError, 'unknown bootstrap interval "bcaa"; did you mean "bca"'),
        ([1.0, 2.0], {"resamples": 99}, StatsError, "at least 100 resamples, got 99"),
        ([1.0, 2.0], {"level": 95}, StatsError, "level must lie between 0 and 1"),
        ([1.0, 2.0], {"statistic": "meen"}, StatsError, 'unknown statistic "meen"; did you mean "mean"'),
        (
            range(30),
            {"statistic": lambda values: len(set(values))},
            DegenerateSample,
            "resamples lie below the estimate 30",
        ),
        ([1.0, 2.0], {"statistic": lambda values: np.nan}, StatsError, "no finite number"),
        ([1.0, 2.0], {"statistic": lambda values, axis: values}, StatsError, "one number a column"),
    ],
)
def test_refusals(values: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    """What cannot be answered is an error that says what came and what to do."""
    with pytest.raises(error, match=message):
        stats.bootstrap_ci(values, **options)


def test_a_statistic_that_some_resamples_lack_is_counted() -> None:
    """The coefficient of variation of a resample without spread is 0/0: no warning, and an error with the count."""

    def ratio(values: np.ndarray, axis: int = -1) -> Any:
        return values.std(axis=axis) / (values - values.min(axis=axis, keepdims=True)).sum(axis=axis)

    with pytest.raises(StatsError, match=r"the statistic of \d+ of 1000 resamples of the 3 values is no finite number"):
        stats.bootstrap_ci([1.0, 2.0, 4.0], ratio, resamples=1000)


def test_a_statistic_that_needs_every_value_is_refused_under_bca_alone() -> None:
    """A statistic that does not exist without one value has no jackknife; the other two intervals need none."""

    def mean_of_five(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) == 5 else float("nan")

    values = [1.0, 2.0, 3.0, 5.0, 8.0]
    with pytest.raises(StatsError, match="BCa needs it"):
        stats.bootstrap_ci(values, mean_of_five, resamples=200)
    assert stats.bootstrap_ci(values, mean_of_five, method="percentile", resamples=200).low > 1.0


def test_an_acceleration_of_nothing_is_zero() -> None:
    """Leaving out any value of three equal pairs leaves the median alone: BCa goes on with the bias correction."""
    found = stats.bootstrap_ci([1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0], "median", resamples=500)
    assert found.low <= 2.0 <= found.high
