"""What a run could have found stands on its size and noise; the difference that it measured plays no part."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError
from crucible.stats import TestResult

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=40)
Y = X + RANDOM.normal(0.2, 0.7, size=40)


@pytest.mark.parametrize("test", ["paired_ttest", "welch", "student"])
def test_of_a_t_test(test: str) -> None:
    """A repetition with that true difference would be found in 80 % of drawn data sets; a shift changes nothing."""
    compare = stats.compare_paired if test == "paired_ttest" else stats.compare
    result = compare(X, Y, test=test)
    found = stats.detectable_difference(result)
    assert found.power == pytest.approx(0.8, abs=1e-9)
    shifted = stats.detectable_difference(compare(X, Y + 5.0, test=test))
    assert shifted.effect == pytest.approx(found.effect, rel=1e-9)
    if test == "paired_ttest":
        planned = stats.detectable_effect("paired", n=40, sd=float((Y - X).std(ddof=1)))
        assert found.effect == pytest.approx(planned.effect, rel=1e-9)
    if test == "student":
        pooled = float(np.sqrt((X.var(ddof=1) + Y.var(ddof=1)) / 2))
        assert found.effect == pytest.approx(stats.detectable_effect("independent", n=40, sd=pooled).effect, rel=1e-9)


def test_of_one_sample() -> None:
    """Against a fixed value, by the one-sample t-test or the binomial test."""
    found = stats.detectable_difference(stats.one_sample(X, 0.1))
    assert found.counts == {"scores": 40}
    assert found.effect == pytest.approx(
        stats.detectable_effect("one_sample", n=40, sd=float(X.std(ddof=1))).effect, rel=1e-9
    )
    share = stats.detectable_difference(stats.one_proportion(30, 50, 0.5))
    assert share.effect == stats.detectable_effect("proportion", n=50, baseline=0.5).effect


def test_of_right_or_wrong() -> None:
    """McNemar: the share of pairs that differ stays; Fisher and z: the baseline's share does."""
    result = stats.mcnemar(10, 14, 120)
    found = stats.detectable_difference(result)
    assert found.effect == stats.detectable_effect("mcnemar", n=120, discordant=0.2).effect
    assert stats.detectable_difference(stats.mcnemar(2, 22, 120)).effect == found.effect
    fisher = stats.detectable_difference(stats.compare([0, 1] * 15, [0, 1, 1] * 10))
    assert fisher.effect == stats.detectable_effect("fisher", n=(30, 30), baseline=0.5).effect
    z = stats.detectable_difference(stats.two_proportions(15, 30, 20, 30))
    assert z.effect == stats.detectable_effect("proportions", n=(30, 30), baseline=0.5, test="z").effect


def test_of_clusters() -> None:
    """A cluster-robust t-test has its own standard error and degrees of freedom; fewer of these can find less."""
    plain = stats.compare_paired(X, Y)
    clustered = msgspec.structs.replace(plain, name="clustered_ttest", df=6.0)
    found = stats.detectable_difference(clustered)
    error = (plain.interval.high - plain.interval.low) / 2.0 / float(scipy_stats.t.isf(0.025, 6))
    assert found.effect / error > 2.447  # beyond the critical value of 6 degrees of freedom
    assert found.counts == {"pairs": 40}


def test_a_corrected_result_pays_for_its_family() -> None:
    """Where several comparisons were corrected for, alpha is divided by their number, and the method says so."""
    result = stats.compare_paired(X, Y)
    corrected = msgspec.structs.replace(result, p_adjusted=min(1.0, 4 * result.p), correction="holm", comparisons=4)
    found = stats.detectable_difference(corrected)
    assert found.alpha == pytest.approx(0.0125)
    assert found.effect > stats.detectable_difference(result).effect
    assert "0.05 over 4 comparisons" in found.method


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda: stats.mcnemar(0, 0, 50), DegenerateSample, "none of 50 pairs differs.*its interval"),
        (lambda: stats.mcnemar(1, 0, 20), StatsError, "not even the largest effect"),
        (lambda: stats.compare([1] * 20, [0, 1] * 10), DegenerateSample, "share of successes is 1"),
        (lambda: stats.compare_paired(X, Y, test="wilcoxon"), StatsError, 'for the test "wilcoxon": simulate'),
    ],
)
def test_runs_that_say_nothing(result: object, error: type[Exception], message: str) -> None:
    """No pair that differs, too few pairs, no failure in the baseline, another test: each says what to do."""
    made: TestResult = result()  # type: ignore[operator]
    with pytest.raises(error, match=message):
        stats.detectable_difference(made)


def test_a_power_out_of_range() -> None:
    """A power must be a probability above alpha."""
    result = stats.compare_paired(X, Y)
    with pytest.raises(StatsError, match="power must lie between 0 and 1"):
        stats.detectable_difference(result, power=80)
    with pytest.raises(StatsError, match="above alpha"):
        stats.detectable_difference(result, power=0.04)
