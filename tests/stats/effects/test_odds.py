"""Ratios of two shares: above 1 where the treatment succeeds more often, and honest about empty cells."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples


def test_direction_and_exchange() -> None:
    """Exchanging the sides turns both ratios and their limits upside down."""
    for ratio in (stats.odds_ratio, stats.risk_ratio):
        one, other = ratio(10, 50, 20, 50), ratio(20, 50, 10, 50)
        assert one.value > 1.0
        assert one.interval is not None
        assert other.interval is not None
        turned = (1 / other.value, 1 / other.interval.high, 1 / other.interval.low)
        assert (one.value, one.interval.low, one.interval.high) == pytest.approx(turned, rel=1e-9)


def test_empty_cells_are_smoothed_and_said() -> None:
    """Estimate and limits are finite; `method` tells that a cell is empty."""
    found = stats.odds_ratio(0, 10, 6, 10)
    assert found.interval is not None
    assert 1.0 < found.interval.low < found.value < found.interval.high < 1e6
    assert found.interval.method == "independence-smoothed logit (a cell is empty)"


def test_no_odds_at_all() -> None:
    """Both sides never, or always, succeed: nothing to compare by odds."""
    with pytest.raises(DegenerateSample, match="none of the trials succeeds"):
        stats.odds_ratio(0, 10, 0, 20)
    with pytest.raises(DegenerateSample, match="every trial succeeds"):
        stats.odds_ratio(10, 10, 20, 20)


def test_exact_has_its_limits() -> None:
    """No empty cell, and no more than 2,000 trials."""
    with pytest.raises(StatsError, match="leave out exact=True"):
        stats.odds_ratio(0, 10, 6, 10, exact=True)
    with pytest.raises(StatsError, match="too many for the exact interval"):
        stats.odds_ratio(900, 1500, 700, 1500, exact=True)


def test_large_counts_are_quick_and_finite() -> None:
    """A hundred thousand trials a side."""
    found = stats.odds_ratio(59_000, 100_000, 60_000, 100_000)
    assert found.interval is not None
    assert 1.02 < found.interval.low < found.value < found.interval.high < 1.07


def test_risk_ratio_at_its_ends() -> None:
    """Without a success of the treatment it is 0 and has an upper limit; without one of the baseline it is refused."""
    found = stats.risk_ratio(5, 34, 0, 34)
    assert found.interval is not None
    assert (found.value, found.interval.low) == (0.0, 0.0)
    assert 0.0 < found.interval.high < 1.0
    with pytest.raises(DegenerateSample, match="the ratio is infinite"):
        stats.risk_ratio(0, 34, 5, 34)
    full = stats.risk_ratio(34, 34, 34, 34).interval
    assert full is not None
    assert full.low < 1.0 < full.high


def test_matched_odds_ratio_agrees_with_mcnemar() -> None:
    """The interval at level 1 - p ends at 1."""
    p = stats.mcnemar(5, 15, 100).p
    found = stats.matched_odds_ratio(5, 15, level=1.0 - p)
    assert found.value == 3.0
    assert found.interval is not None
    assert found.interval.low == pytest.approx(1.0, rel=1e-9)
    with pytest.raises(DegenerateSample, match="use Cohen's g"):
        stats.matched_odds_ratio(0, 4)
    with pytest.raises(StatsError, match="at least 0"):
        stats.matched_odds_ratio(-1, 4)


@pytest.mark.parametrize("ratio", [stats.odds_ratio, stats.risk_ratio])
def test_refusals(ratio: object) -> None:
    """Counts that are none, no trials, a level out of range."""
    assert callable(ratio)
    with pytest.raises(StatsError, match="baseline: expected 0 <= successes <= trials, got 3 of 2"):
        ratio(3, 2, 1, 2)
    with pytest.raises(TooFewSamples, match="no trials of the treatment"):
        ratio(1, 2, 0, 0)
    with pytest.raises(StatsError, match="level"):
        ratio(1, 2, 1, 2, level=0.0)
