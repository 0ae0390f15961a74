"""Sizes of effect: direction, agreement with the tests, and None where no interval can be had."""

from __future__ import annotations

import math

import pytest

from crucible.stats.effects.effect import Moments, cohens_dz, cohens_g, cohens_h, hedges_g, noncentrality_limits


def test_cohens_g_is_positive_where_the_treatment_wins() -> None:
    """Treatment alone right in 9 of 10 differing pairs: g = 0.4, and the interval agrees in sign with p < .05."""
    effect = cohens_g(1, 9, level=0.95)
    assert effect.value == pytest.approx(0.4)
    assert effect.interval is not None
    assert effect.interval.low > 0.0


def test_cohens_h_without_trials_has_no_interval() -> None:
    """Paired proportions give a value; an interval for independent samples would be wrong for them."""
    assert cohens_h(0.2, 0.4).interval is None


def test_cohens_h_interval_stays_in_its_range() -> None:
    """From 0 to 1 is pi, and nothing is beyond it."""
    effect = cohens_h(0.0, 1.0, trials=(2, 2))
    assert effect.interval is not None
    assert effect.interval.high == math.pi


def test_hedges_g_without_a_correction_is_called_cohens_d() -> None:
    """Two scores a side, one side constant: one degree of freedom, for which the correction does not exist."""
    effect = hedges_g(Moments(0.0, 0.0, 2), Moments(1.0, 1.0, 2), df=1.0, level=0.95)
    assert effect.name == "cohens_d"
    assert effect.value == pytest.approx(math.sqrt(2.0))


def test_hedges_g_is_smaller_than_d() -> None:
    """The correction takes the upward bias away."""
    effect = hedges_g(Moments(0.0, 1.0, 5), Moments(1.0, 1.0, 5), df=8.0, level=0.95)
    assert effect.name == "hedges_g"
    assert 0.85 < effect.value < 1.0


@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, 50.0, 900.0])
def test_limits_are_symmetric_in_t(t: float) -> None:
    """Swapping the sides mirrors the interval."""
    up, down = noncentrality_limits(t, 12.0, 0.95), noncentrality_limits(-t, 12.0, 0.95)
    assert up is not None
    assert down is not None
    assert down == pytest.approx((-up[1], -up[0]), abs=1e-12)


@pytest.mark.parametrize("t", [1e6, 1e12, -1e300])
def test_limits_beyond_the_distribution_function_are_none(t: float) -> None:
    """An interval that scipy cannot compute is left out, not invented."""
    assert noncentrality_limits(t, 1.0, 0.95) is None
    assert cohens_dz(Moments(t, 1.0, 2), level=0.95).interval is None
