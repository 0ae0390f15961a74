"""Intervals for shares keep an honest width at the edges and refuse counts that are none."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.errors import StatsError, TooFewSamples


def test_wilson_keeps_a_width_where_every_trial_succeeds() -> None:
    """20 of 20 is not certainty: the interval ends at 1 and begins well below."""
    found = stats.wilson(20, 20)
    assert found.high == 1.0
    assert 0.8 < found.low < 0.9
    assert (found.level, found.method) == (0.95, "Wilson score")


def test_wilson_of_no_trials_is_an_error() -> None:
    """No trials, no interval; never [0, 1] or [0, 0]."""
    with pytest.raises(TooFewSamples):
        stats.wilson(0, 0)


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    """Successes lie between 0 and the trials."""
    with pytest.raises(StatsError, match="expected 0 <= successes <= trials"):
        stats.wilson(*counts)
    with pytest.raises(StatsError):
        stats.clopper_pearson(*counts)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_outside_0_to_1_is_refused(level: float) -> None:
    """`level=95` is a mistake that must not pass as a probability."""
    with pytest.raises(StatsError, match="level must lie between 0 and 1"):
        stats.wilson(1, 2, level=level)


def test_clopper_pearson_is_wider_than_wilson() -> None:
    """The exact interval pays for its guarantee."""
    exact, score = stats.clopper_pearson(7, 20), stats.wilson(7, 20)
    assert exact.low < score.low < score.high < exact.high


def test_jeffreys_lies_inside_the_exact_interval_and_keeps_a_width() -> None:
    """Shorter than Clopper and Pearson's at both ends, and not of width 0 where every trial succeeds."""
    exact, found = stats.clopper_pearson(7, 20), stats.jeffreys(7, 20)
    assert exact.low < found.low < 7 / 20 < found.high < exact.high
    every = stats.jeffreys(20, 20)
    assert 0.8 < every.low < every.high == 1.0
    with pytest.raises(TooFewSamples):
        stats.jeffreys(0, 0)
    with pytest.raises(StatsError, match="expected 0 <= successes <= trials"):
        stats.jeffreys(6, 5)


def test_tango_at_the_edges() -> None:
    """All pairs won by one side ends at 1; the other end is below it and moves with n."""
    won = stats.tango_difference(0, 10, 10)
    assert won.high == 1.0
    assert 0.4 < won.low < 0.5
    lost = stats.tango_difference(10, 0, 10)
    assert (lost.low, lost.high) == (-won.high, -won.low)


def test_tango_is_continuous_near_no_difference() -> None:
    """The closed form without differing pairs fits the numbers beside it."""
    none, one = stats.tango_difference(0, 0, 100), stats.tango_difference(0, 1, 100)
    assert none.low < one.low < 0.0 < none.high < one.high


@pytest.mark.parametrize("counts", [(3, 3, 5), (-1, 1, 5), (1, 6, 5)])
def test_tango_refuses_impossible_counts(counts: tuple[int, int, int]) -> None:
    """More differing pairs than pairs do not exist."""
    with pytest.raises(StatsError):
        stats.tango_difference(*counts)


def test_tango_of_no_pairs_is_an_error() -> None:
    """No pairs, no interval."""
    with pytest.raises(TooFewSamples):
        stats.tango_difference(0, 0, 0)


def test_newcombe_keeps_a_width_where_both_sides_are_perfect() -> None:
    """Ten of ten on both sides still leaves room for a difference either way."""
    found = stats.newcombe_difference(10, 10, 10, 10)
    assert found.low < 0.0 < found.high
