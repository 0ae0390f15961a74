"""The t interval of one mean, and the level of a run's intervals."""

from __future__ import annotations

import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import StatsConfig


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_it_is_scipys(level: float) -> None:
    """The interval of scipy's one-sample t-test."""
    values = [0.2, 0.9, 0.4, 0.45, 1.0]
    found = stats.mean_interval(values, level)
    low, high = scipy_stats.ttest_1samp(values, 0.0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert (found.level, found.method) == (level, "Student's t")
    assert stats.mean_interval(dict(enumerate(values)), level) == found


def test_too_few_values_have_none() -> None:
    """One value says nothing about spread."""
    for values in ([], [0.5]):
        with pytest.raises(TooFewSamples, match="at least 2 values"):
            stats.mean_interval(values)


def test_values_that_do_not_vary_have_none() -> None:
    """An interval without width would claim certainty."""
    with pytest.raises(DegenerateSample, match=r"all 3 values are 0\.5"):
        stats.mean_interval([0.5] * 3)


@pytest.mark.parametrize(("values", "level"), [([0.1, float("nan")], 0.95), ({"a": None, "b": 1}, 0.95), ([0, 1], 95)])
def test_what_is_no_number_is_refused(values: list[float], level: float) -> None:
    """With its place; a level is no percentage."""
    with pytest.raises(StatsError, match=r"values\[|level must lie"):
        stats.mean_interval(values, level)


def test_one_rule_for_the_level() -> None:
    """Stage option, document, 1 - alpha of stage or document, .95."""
    assert stats.interval_level(None) == 0.95
    assert stats.interval_level(StatsConfig(alpha=0.1)) == 0.9
    assert stats.interval_level(StatsConfig(alpha=0.1), alpha=0.01) == 0.99
    assert stats.interval_level(StatsConfig(alpha=0.1, confidence_level=0.8), alpha=0.01) == 0.8
    assert stats.interval_level(StatsConfig(confidence_level=0.8), 0.7) == 0.7
