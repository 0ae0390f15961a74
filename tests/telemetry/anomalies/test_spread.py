"""Centre and spread, beside the standard library's."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.telemetry.anomalies.spread import (
    HUGE,
    clipped,
    deviation_median,
    median,
    noise,
    quantile,
    robust_sigma,
)
from crucible.telemetry.anomalies.window import MomentWindow, SortedWindow, sigma_of

numbers = st.floats(-1e9, 1e9)


@given(st.lists(numbers, min_size=1, max_size=60))
def test_medians_are_those_of_the_standard_library(values: list[float]) -> None:
    """Median and median deviation, which is found without sorting the deviations, are exactly what sorting finds."""
    ordered = sorted(values)
    centre = median(ordered)
    assert centre == statistics.median(values)
    deviations = sorted(abs(value - centre) for value in values)
    half, odd = divmod(len(deviations), 2)
    expected = deviations[half] if odd else (deviations[half - 1] + deviations[half]) / 2
    assert deviation_median(ordered, centre) == expected


@given(st.lists(numbers, min_size=2, max_size=60))
def test_quartiles_are_those_of_type_7(values: list[float]) -> None:
    """They are those of the standard library's inclusive method, which is NumPy's default."""
    expected = statistics.quantiles(values, n=4, method="inclusive")
    ordered = sorted(values)
    assert [quantile(ordered, share) for share in (0.25, 0.5, 0.75)] == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_the_robust_sigma_follows_its_source() -> None:
    """MAD / 0.6745; the mean absolute deviation where MAD is 0; nothing for a constant."""
    assert robust_sigma([1.0, 2.0, 3.0, 4.0, 100.0], 3.0) == pytest.approx(1 / 0.6745)
    assert robust_sigma([5.0] * 9 + [15.0], 5.0) == pytest.approx(1.253314)
    assert robust_sigma([0.1] * 7, 0.1) == 0.0


def test_what_is_huge_is_cut_and_what_is_noise_is_small() -> None:
    """Squares of what is left can be summed, and the least spread is never 0."""
    assert [clipped(value) for value in (1e300, -1e300, 5.0)] == [HUGE, -HUGE, 5.0]
    assert math.isfinite(HUGE * HUGE * 1e8)
    assert noise(0.0) > 0
    assert noise(-2.0, 1.0) == pytest.approx(2e-12)


@given(st.lists(numbers, min_size=1, max_size=80), st.integers(1, 20))
def test_a_sorted_window_holds_the_last_values_in_order(values: list[float], size: int) -> None:
    """Whatever came before is gone; its memory is bounded by its size."""
    window = SortedWindow(size)
    for value in values:
        window.add(value)
    assert window.ordered == sorted(values[-size:])
    assert len(window) == min(size, len(values))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=80), st.integers(3, 20))
def test_running_moments_are_those_of_the_window(values: list[float], size: int) -> None:
    """Updating them as values come and go gives what computing them anew would give."""
    window = MomentWindow(size)
    for value in values:
        window.add(value)
    kept = values[-size:]
    spread = max(map(abs, values))
    assert window.mean == pytest.approx(statistics.fmean(kept), rel=1e-9, abs=1e-9 * spread + 1e-300)
    assert window.sigma == pytest.approx(statistics.stdev(kept), rel=1e-6, abs=1e-6 * spread + 1e-150)
    assert sigma_of(kept) == pytest.approx((statistics.fmean(kept), statistics.stdev(kept)), rel=1e-9, abs=1e-9)


def test_a_huge_value_leaves_no_trace_in_the_moments() -> None:
    """Once it has left the window, mean and standard deviation are again those of what is there."""
    window = MomentWindow(5)
    for value in [1.0, HUGE, 1.0, 2.0, 3.0, 4.0, 5.0]:
        window.add(value)
    assert (window.mean, window.sigma) == pytest.approx((3.0, statistics.stdev([1, 2, 3, 4, 5])))


def test_a_constant_has_no_sigma() -> None:
    """Not even a rounding error's worth, and also after something else was there before."""
    window = MomentWindow(4)
    for value in [0.3, *[0.1] * 9]:
        window.add(value)
    assert (window.mean, window.sigma) == (0.1, 0.0)
    assert MomentWindow(4).sigma == 0.0
    assert sigma_of([0.1] * 3) == (0.1, 0.0)
