"""Sizes of effect of two columns, called alone: direction, agreement with the tests, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.effects.dominance import dominance, dominance_of_pairs

X = [2.1, 3.4, 1.9, 2.8, 3.0, 2.2]
Y = [3.3, 3.9, 2.4, 4.1, 3.6, 2.9]
INDEPENDENT = [stats.cohens_d, stats.hedges_g, stats.glass_delta, stats.cliffs_delta, stats.rank_biserial]


@pytest.mark.parametrize("effect", [*INDEPENDENT, stats.cohens_dz, stats.hodges_lehmann])
def test_positive_where_the_treatment_scores_higher(effect: Any) -> None:
    """Treatment minus baseline, inside its interval, named after the function."""
    found = effect(X, Y)
    assert found.name == effect.__name__
    assert found.interval.low < 0.0 + found.value < found.interval.high
    assert found.value > 0.0 > effect(Y, X).value


def test_they_agree_with_the_results_of_comparisons() -> None:
    """What a comparison reports and what is called alone are the same numbers."""
    assert stats.compare(X, Y).effect == stats.hedges_g(X, Y, pooled=False)
    assert stats.compare(X, Y, test="student").effect == stats.hedges_g(X, Y)
    assert stats.compare_paired(X, Y).effect == stats.cohens_dz(X, Y)
    assert stats.compare(X, Y, test="mannwhitney").effect.value == pytest.approx(stats.cliffs_delta(X, Y).value)
    assert stats.compare([0, 1, 0, 1], [1, 1, 0, 1, 1]).effect == stats.cohens_h(2, 4, 4, 5)


def test_glass_delta_is_in_units_of_the_baseline() -> None:
    """Doubling the treatment's spread around its mean leaves the value alone; doubling the baseline's halves it."""
    y = np.array(Y)
    plain = stats.glass_delta(X, Y).value
    assert stats.glass_delta(X, y.mean() + 2.0 * (y - y.mean())).value == pytest.approx(plain)
    x = np.array(X)
    assert stats.glass_delta(x.mean() + 2.0 * (x - x.mean()), Y).value == pytest.approx(plain / 2.0)


def test_hedges_g_is_less_than_d() -> None:
    """By the exact factor J(10) = gamma(5) / (gamma(4.5) sqrt(5))."""
    factor = math.gamma(5) / (math.gamma(4.5) * math.sqrt(5.0))
    assert stats.hedges_g(X, Y).value == pytest.approx(factor * stats.cohens_d(X, Y).value, rel=1e-12)


def test_rank_biserial_of_pairs_needs_pairs_that_differ() -> None:
    """Rounding makes no ranks, and mappings by id are paired."""
    with pytest.raises(DegenerateSample, match="nothing to rank"):
        stats.rank_biserial([0.3, 0.2], [0.1 + 0.2, 0.2], paired=True)
    assert stats.rank_biserial({"a": 1, "b": 5, "c": 3}, {"c": 4, "a": 3, "b": 2}).value == 0.0


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 6).map(float), min_size=2, max_size=15),
    st.lists(st.integers(0, 6).map(float), min_size=2, max_size=15),
)
def test_dominance_is_what_counting_all_pairs_gives(x: list[float], y: list[float]) -> None:
    """Value and variance without the table of all pairs are those with it; the interval is a proper one."""
    table = np.sign(np.subtract.outer(np.array(y), np.array(x)))
    found = dominance(np.array(x), np.array(y), level=0.95)
    assert found.value == pytest.approx(table.mean(), abs=1e-12)
    assert found.interval is not None
    assert -1.0 <= found.interval.low <= found.value <= found.interval.high <= 1.0
    assert found.interval.low < found.interval.high
    mirrored = dominance(np.array(y), np.array(x), level=0.95).interval
    assert mirrored is not None
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.interval.high, -found.interval.low), abs=1e-12)


def test_the_jackknife_of_pairs_is_that_of_leaving_out_each() -> None:
    """The closed form of leaving out one difference, beside doing it."""
    d = np.random.default_rng(0).normal(size=12) + 0.3
    whole = dominance_of_pairs(d, level=0.95)
    parts = np.array([dominance_of_pairs(np.delete(d, i), level=0.95).value for i in range(12)])
    error = math.sqrt(11 / 12 * ((parts - parts.mean()) ** 2).sum())
    assert whole.interval is not None
    width = (math.atanh(whole.interval.high) - math.atanh(whole.interval.low)) / 2.0
    quantile = 2.2009851600829  # R: qt(.975, 11)
    assert width == pytest.approx(quantile * error / (1.0 - whole.value**2), rel=1e-9)


@pytest.mark.parametrize(("n", "low"), [(2, -0.6838), (10, 0.3830), (100, 0.9276)])
def test_a_side_that_always_wins_keeps_a_width(n: int, low: float) -> None:
    """All of n disjoint pairs won: Clopper and Pearson's lower limit .025^(1/n), on the scale of -1 to 1."""
    found = stats.cliffs_delta(np.arange(n), np.arange(n) + 1000.0)
    assert found.value == 1.0
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, 1.0), abs=5e-5)
    pairs = stats.rank_biserial(np.arange(2 * n), np.arange(2 * n) + 1.0 + np.arange(2 * n), paired=True)
    assert pairs.interval is not None
    assert pairs.interval.low == pytest.approx(low, abs=5e-5)


def test_one_pair_that_differs_has_no_interval() -> None:
    """A value of 1 or -1, and nothing about how sure it is."""
    assert stats.rank_biserial([1, 1], [1, 2], paired=True) == stats.Effect("rank_biserial", 1.0)


@pytest.mark.parametrize("effect", [stats.eta_squared, stats.omega_squared, stats.epsilon_squared])
def test_shares_of_variance_have_the_interval_of_the_population(effect: Any) -> None:
    """The three estimates share it; labels and lists give the same."""
    groups = {"a": X, "b": Y, "c": [1.0, 2.0, 1.5]}
    found = effect(groups)
    assert found == effect(list(groups.values()))
    assert found.interval == stats.eta_squared(groups).interval
    assert found.interval.low < found.value < found.interval.high


def test_shares_of_variance_by_hand() -> None:
    """Two groups of two: sums of squares 4 between and 1 within, 1 and 2 degrees of freedom."""
    groups = [[0.0, 1.0], [2.0, 3.0]]
    assert stats.eta_squared(groups).value == pytest.approx(4 / 5)
    assert stats.epsilon_squared(groups).value == pytest.approx(3.5 / 5)
    assert stats.omega_squared(groups).value == pytest.approx(3.5 / 5.5)


def test_offset_and_scale_do_not_matter() -> None:
    """A billion on top, or a scale of 1e-100 or 1e100: the same effect, as far as doubles can hold the scores."""
    x, y = np.array(X), np.array(Y)
    for effect in (*INDEPENDENT, stats.cohens_dz):
        plain = effect(x, y)
        assert effect(x + 1e9, y + 1e9).value == pytest.approx(plain.value, rel=1e-6)
        for scale in (1e-100, 1e100):
            scaled = effect(x * scale, y * scale)
            assert scaled.value == pytest.approx(plain.value, rel=1e-12)
            assert (scaled.interval.low, scaled.interval.high) == pytest.approx(
                (plain.interval.low, plain.interval.high), rel=1e-6
            )


@pytest.mark.parametrize("effect", [stats.cohens_d, stats.hedges_g, stats.glass_delta])
def test_columns_without_spread_are_degenerate(effect: Any) -> None:
    """A difference in units of nothing does not exist."""
    with pytest.raises(DegenerateSample):
        effect([1, 1, 1], [2, 2, 2])
    with pytest.raises(DegenerateSample):
        stats.glass_delta([1, 1, 1], [1, 2, 3])
    with pytest.raises(DegenerateSample, match="no spread"):
        stats.cohens_dz([1, 2, 3], [2, 3, 4])


@pytest.mark.parametrize("effect", INDEPENDENT)
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([1.0], [1.0, 2.0], TooFewSamples, "baseline has 1"),
        ([1.0, float("nan")], [1.0, 2.0], StatsError, r"baseline\[1\] is nan"),
        ([1.0, 2.0], [1.0, float("-inf")], StatsError, r"treatment\[1\] is -inf"),
        ([1e300, 2.0], [1.0, 2.0], StatsError, "too large to square"),
        ([1e-300, 2e-300], [1.0, 2.0], DegenerateSample, "too small to square"),
    ],
)
def test_refusals(effect: Any, x: list[float], y: list[float], error: type[Exception], message: str) -> None:
    """Bad input is an error with its place."""
    with pytest.raises(error, match=message):
        effect(x, y)


def test_levels_and_groups_are_checked() -> None:
    """A level out of range, one group, an empty group, groups that never vary."""
    for effect in (*INDEPENDENT, stats.cohens_dz):
        with pytest.raises(StatsError, match="level"):
            effect(X, Y, level=95)
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        stats.eta_squared([X])
    with pytest.raises(TooFewSamples, match='"b" has no scores'):
        stats.eta_squared({"a": X, "b": []})
    with pytest.raises(DegenerateSample):
        stats.omega_squared([[1, 1], [1, 1]])
    with pytest.raises(StatsError, match="expected 0 <= successes"):
        stats.cohens_h(3, 2, 1, 2)
    with pytest.raises(TooFewSamples):
        stats.cohens_h(0, 0, 1, 2)
