"""Permutation tests: named and drawn arrangements, strata, intervals, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.significance.arrangements import _drawn_sets, _subsets, deals, flips

RANDOM = np.random.default_rng(12)
X, Y = RANDOM.normal(size=40), RANDOM.normal(loc=0.4, size=40)


@pytest.mark.parametrize(("n", "size"), [(20, 10), (21, 5), (9, 8), (30, 1), (13, 12), (64, 32), (65, 40)])
def test_drawn_sets_have_their_size_and_no_favourites(n: int, size: int) -> None:
    """Each member is in a share size / n of 20,000 sets, within five standard errors; none is beyond n."""
    sets = np.unpackbits(_subsets(n, size, 20_000, np.random.default_rng(n)), axis=0)
    assert (sets.sum(axis=0) == size).all()
    assert sets[n:].sum() == 0
    error = np.sqrt(size / n * (1 - size / n) / 20_000)
    assert abs(sets[:n].mean(axis=1) - size / n).max() < 5 * error


def test_every_pair_of_members_is_as_likely() -> None:
    """All 15 pairs of 6, chi-squared within its 0.1 % limit for 14 degrees of freedom."""
    sets = np.unpackbits(_subsets(6, 2, 60_000, np.random.default_rng(2)), axis=0)[:6]
    pairs, counts = np.unique(sets, axis=1, return_counts=True)
    assert pairs.shape[1] == 15
    assert ((counts - 4000) ** 2 / 4000).sum() < 36.1


def test_members_drawn_independently_have_their_share() -> None:
    """From 256ths of a probability, by joining and meeting halves."""
    for share in (0, 1, 77, 128, 255):
        sets = np.unpackbits(_drawn_sets(24, 50_000, share, np.random.default_rng(1)), axis=0)
        assert sets.mean() == pytest.approx(share / 256, abs=0.003)


def test_drawn_and_named_arrangements_agree() -> None:
    """The moments of drawn ones are those of all."""
    named, drawn = flips(Y[:12] - X[:12], 100, 0), flips(np.tile(Y[:12] - X[:12], 2), 40_000, 0)
    assert (named.is_complete, len(named.kept)) == (True, 4096)
    assert not drawn.is_complete
    assert named.differences.mean() == pytest.approx(0.0, abs=1e-12)
    assert named.differences.var() == pytest.approx(((Y[:12] - X[:12]) ** 2).mean() / 12)
    assert drawn.differences.var() == pytest.approx(((Y[:12] - X[:12]) ** 2).mean() / 24, rel=0.03)
    together = np.concatenate((X, Y[:25]))
    dealt = deals([(X, Y[:25])], 40_000, 0)
    assert dealt.differences.var() == pytest.approx(together.var(ddof=1) * (1 / 40 + 1 / 25), rel=0.03)


def test_it_agrees_with_the_t_tests_on_normal_scores() -> None:
    """P-value and interval, roughly; the observed difference lies inside."""
    for found, t in (
        (stats.permutation_paired(X, Y), stats.compare_paired(X, Y)),
        (stats.permutation_independent(X, Y[:30]), stats.compare(X, Y[:30], test="student")),
    ):
        assert found.p == pytest.approx(t.p, abs=0.02)
        assert found.interval.low == pytest.approx(t.interval.low, abs=0.05)
        assert found.interval.high == pytest.approx(t.interval.high, abs=0.05)
        assert found.interval.low < found.difference < found.interval.high


def test_the_seed_decides() -> None:
    """The same seed gives the same result, another one another; `method` names it."""
    first, again = (stats.permutation_independent(X, Y, resamples=500, seed=3) for _ in range(2))
    other = stats.permutation_independent(X, Y, resamples=500, seed=4)
    assert first == again
    assert first.interval != other.interval
    assert "500 arrangements drawn with seed 3" in first.method


def test_p_is_never_zero() -> None:
    """However far apart: the observed arrangement counts as one."""
    found = stats.permutation_independent(X, Y + 100, resamples=999)
    assert found.p == 1 / 1000
    assert stats.permutation_paired(X, Y + 100, resamples=999).p == 1 / 1000


def test_verdict_and_interval_agree() -> None:
    """They are read off the same arrangements: 0 is inside where p >= .05, in 60 data sets of either kind."""
    random = np.random.default_rng(5)
    for _ in range(60):
        x, y = random.exponential(size=10), random.exponential(size=10) + 0.6
        for found in (stats.permutation_paired(x, y), stats.permutation_independent(x, y, resamples=400)):
            assert (found.interval.low <= 0.0 <= found.interval.high) == (found.p >= 0.05)


def test_too_few_arrangements_for_an_interval_have_another_and_say_so() -> None:
    """Four pairs have 16 arrangements, of which two are the least: p >= .125, whatever the data."""
    found = stats.permutation_paired([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 4.5, 6.0])
    t = stats.compare_paired([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 4.5, 6.0])
    assert (found.p, found.interval) == (0.125, t.interval)
    assert "paired t interval of the difference, for there are too few arrangements" in found.method
    apart = stats.permutation_independent([1.0, 2.0], [5.0, 7.0])
    assert apart.interval.method == "Welch t"
    assert apart.p == pytest.approx(1 / 3)


def test_strata_compare_like_with_like() -> None:
    """Hard items went mostly to the treatment: alone it looks worse, within strata it is better."""
    base, treated = [9.0, 8.5, 9.5, 9.2, 2.0], [9.6, 2.4, 2.9, 2.2, 2.6]
    strata = (["easy"] * 4 + ["hard"], ["easy"] + ["hard"] * 4)
    found = stats.permutation_independent(base, treated, strata=strata)
    assert stats.compare(base, treated).difference < 0
    assert found.name == "permutation_stratified"
    assert found.difference == pytest.approx(((9.6 - 9.05) * 0.8 + (2.525 - 2.0) * 0.8) / 1.6)
    assert found.treatment_mean is not None
    assert found.baseline_mean is not None
    assert found.treatment_mean - found.baseline_mean == pytest.approx(found.difference)
    assert found.counts == {"baseline": 5, "treatment": 5, "strata": 2, "left_out": 0, "arrangements": 25}
    assert "weighted by n m / (n + m)" in found.method


def test_one_stratum_is_the_plain_test() -> None:
    """And a stratum without both sides is left out and counted."""
    x, y = X[:8].tolist(), Y[:7].tolist()
    plain = stats.permutation_independent(x, y)
    one = stats.permutation_independent([*x, 5.0], y, strata=(["a"] * 8 + ["b"], ["a"] * 7))
    assert (one.p, one.difference) == (pytest.approx(plain.p), pytest.approx(plain.difference))
    assert one.counts["left_out"] == 1


def test_many_strata_are_drawn() -> None:
    """Where the product of their arrangements is large."""
    labels = [i % 5 for i in range(40)]
    found = stats.permutation_independent(X, Y, strata=(labels, labels), resamples=300)
    assert found.counts["arrangements"] == 300
    assert 0.0 < found.p <= 1.0


@pytest.mark.parametrize(
    ("x", "y", "arguments", "error", "message"),
    [
        ([1.0], [2.0], {}, TooFewSamples, "at least 2"),
        ([], [], {}, TooFewSamples, "at least 2"),
        ([1.0, float("nan")], [2.0, 3.0], {}, StatsError, "is nan"),
        ([1.0, float("inf")], [2.0, 3.0], {}, StatsError, "is inf"),
        ([1.0, 2.0], [2.0, 4.0], {"resamples": 99}, StatsError, "at least 100 resamples, got 99"),
        ([1.0, 2.0], [2.0, 4.0], {"alpha": 0}, StatsError, "alpha must lie between"),
    ],
)
def test_refusals(  # one row of the table
    x: list[float], y: list[float], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Of both kinds alike."""
    for call in (stats.permutation_paired, stats.permutation_independent):
        with pytest.raises(error, match=message):
            call(x, y, **arguments)


def test_what_does_not_vary_is_refused() -> None:
    """Constant differences, and columns that are constant both; `compare_paired` has an answer where all are 0."""
    with pytest.raises(DegenerateSample, match="all 3 differences are 1 up to rounding"):
        stats.permutation_paired([1, 2, 3], [2, 3, 4])
    with pytest.raises(DegenerateSample, match="neither column varies"):
        stats.permutation_independent([1, 1], [2, 2])
    with pytest.raises(StatsError, match="baseline has 2, treatment has 3"):
        stats.permutation_paired([1, 2], [2, 4, 5])
    same = stats.compare_paired([0.1, 0.5, 0.7], [0.1, 0.5, 0.7], test="permutation")
    assert same.name == "sign"
    assert "in place of the paired permutation test that was asked for" in same.method


def test_strata_are_refused_where_they_do_not_fit() -> None:
    """One for each score, some stratum with both sides, and spread within one."""
    with pytest.raises(StatsError, match="treatment has 2 scores and 1 strata"):
        stats.permutation_independent([1, 2], [2, 3], strata=(["a", "b"], ["a"]))
    with pytest.raises(TooFewSamples, match="no stratum has scores of baseline and treatment"):
        stats.permutation_independent([1, 2], [2, 3], strata=(["a", "a"], ["b", "b"]))
    with pytest.raises(TooFewSamples, match="none has two scores on a side"):
        stats.permutation_independent([1, 2], [2, 3], strata=(["a", "b"], ["a", "b"]))
    with pytest.raises(DegenerateSample, match="do not vary within"):
        stats.permutation_independent([1, 1, 2], [3, 3, 4], strata=(["a", "a", "b"], ["a", "a", "b"]))


def test_a_plan_carries_resamples_and_seed() -> None:
    """As for the bootstrap."""
    plan = stats.Plan(tests=("permutation",), resamples=200, seed=9)
    (contrast,) = stats.compare_groups({"a": X.tolist(), "b": Y.tolist()}, plan).contrasts
    expected = stats.permutation_independent(X, Y, resamples=200, seed=9)
    assert contrast.result == msgspec.structs.replace(expected, baseline="a", treatment="b")
