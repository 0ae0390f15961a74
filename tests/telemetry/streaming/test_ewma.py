"""Averages that forget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import StatsError
from crucible.telemetry.streaming import Ewma, TimeEwma

SECOND = 1_000_000_000
T0 = 1_795_000_000 * SECOND
OBSERVED = st.lists(st.tuples(st.integers(T0, T0 + 3600 * SECOND), st.floats(-1e6, 1e6)), min_size=1, max_size=40)


def average(observed: list[tuple[int, float]], half_life_s: float = 60.0) -> TimeEwma:
    """Return the average of observations in their order."""
    ewma = TimeEwma(half_life_s)
    for at_ns, value in observed:
        ewma.add(at_ns, value)
    return ewma


def test_by_observations_it_starts_at_the_first() -> None:
    """Then moves by the weight: 10, then 0.5 of the way to 20, then to 0."""
    ewma = Ewma(0.5)
    assert ewma.value is None
    for value, expected in ((10.0, 10.0), (20.0, 15.0), (0.0, 7.5)):
        ewma.add(value)
        assert ewma.value == expected
    assert ewma.count == 3


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30), st.floats(0.01, 1.0))
def test_by_observations_it_stays_between_the_extremes(values: list[float], weight: float) -> None:
    """Also of the largest floats of both signs, where a difference would overflow."""
    ewma = Ewma(weight)
    for value in values:
        ewma.add(value)
    assert ewma.value is not None
    slack = 1e-12 * max(map(abs, values))
    assert min(values) - slack <= ewma.value <= max(values) + slack


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_counted_apart(bad: float) -> None:
    """In both kinds."""
    ewma, timed = Ewma(0.1), TimeEwma(60.0)
    for value in (1.0, bad, 1.0):
        ewma.add(value)
        timed.add(T0, value)
    assert (ewma.value, ewma.not_finite) == (1.0, 1)
    assert (timed.value, timed.not_finite) == (1.0, 1)


def test_an_observation_halves_with_every_half_life() -> None:
    """After one half-life the old one counts 1 to 2: (0.5 * 10 + 1 * 40) / 1.5."""
    assert average([(T0, 10.0), (T0 + 60 * SECOND, 40.0)]).value == pytest.approx(30.0, rel=1e-14)


def test_observations_of_one_moment_are_averaged() -> None:
    """None of them is lost, and several can be told as their mean."""
    assert average([(T0, 1.0), (T0, 2.0), (T0, 6.0)]).value == pytest.approx(3.0, rel=1e-14)
    ewma = TimeEwma(60.0)
    ewma.add(T0, 1.5, times=2)
    ewma.add(T0, 6.0)
    assert ewma.value == pytest.approx(3.0, rel=1e-14)


@given(OBSERVED, st.randoms(use_true_random=False))
def test_order_does_not_matter(observed: list[tuple[int, float]], rng: object) -> None:
    """A late observation weighs what its age says: any order gives the weighted mean."""
    newest = max(at for at, _ in observed)
    weights = [2.0 ** ((at - newest) / (60 * SECOND)) for at, _ in observed]
    expected = math.fsum(w * value for w, (_, value) in zip(weights, observed, strict=True)) / math.fsum(weights)
    shuffled = observed.copy()
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    scale = max(abs(value) for _, value in observed)
    assert average(observed).value == pytest.approx(expected, rel=1e-11, abs=1e-11 * scale)
    assert average(shuffled).value == pytest.approx(expected, rel=1e-11, abs=1e-11 * scale)


@given(OBSERVED, OBSERVED)
def test_merged_parts_are_the_whole(a: list[tuple[int, float]], b: list[tuple[int, float]]) -> None:
    """Either way around, and with nothing."""
    whole, scale = average(a + b).value, max(abs(value) for _, value in a + b)
    one, two = average(a), average(b)
    one.merge(two)
    two.merge(average(a))
    assert one.value == pytest.approx(whole, rel=1e-11, abs=1e-11 * scale)
    assert two.value == pytest.approx(whole, rel=1e-11, abs=1e-11 * scale)
    empty = TimeEwma(60.0)
    empty.merge(one)
    one.merge(TimeEwma(60.0))
    assert empty.value == one.value


def test_a_long_silence_forgets_and_a_late_one_weighs_nothing() -> None:
    """Neither overflows: years between observations of a half-life of a millisecond."""
    year = 365 * 86_400 * SECOND
    ewma = average([(T0, 5.0), (T0 + year, 7.0), (T0, 1e300), (T0 + 2 * year, 9.0)], half_life_s=1e-3)
    assert ewma.value == 9.0
    steady = average(
        [(T0 + i * SECOND, 3.0) for i in range(2000)], half_life_s=1.0
    )  # 2000 halvings, rescaled on the way
    assert steady.value == pytest.approx(3.0, rel=1e-12)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_by_time_it_stays_between_the_extremes(values: list[float]) -> None:
    """Also of the largest floats of both signs."""
    ewma = average([(T0 + i * SECOND, value) for i, value in enumerate(values)])
    slack = 1e-12 * max(map(abs, values))
    assert ewma.value is not None
    assert min(values) - slack <= ewma.value <= max(values) + slack


def test_arguments_are_checked() -> None:
    """A weight is a share, a half-life is finite and above 0, and different half-lives do not merge."""
    for weight in (0.0, 1.1, math.nan):
        with pytest.raises(StatsError, match="weight"):
            Ewma(weight)
    for half_life in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(StatsError, match="half_life_s"):
            TimeEwma(half_life)
    with pytest.raises(StatsError, match="half-lives of 1.0 s and 2.0 s"):
        TimeEwma(1.0).merge(TimeEwma(2.0))
