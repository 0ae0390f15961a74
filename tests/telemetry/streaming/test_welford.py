"""Moments of a stream."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.telemetry.streaming import Welford

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MODERATE = st.floats(-1e9, 1e9)
TINY = 1e-300


def of(values: list[float]) -> Welford:
    """Return the moments of numbers."""
    moments = Welford()
    moments.add_many(values)
    return moments


def state(moments: Welford) -> list[float | None]:
    """Return all figures."""
    return [
        moments.count,
        moments.nans,
        moments.infinities,
        moments.mean,
        moments.variance,
        moments.std,
        moments.min,
        moments.max,
        moments.sum,
    ]


def close(one: Welford, two: Welford, values: list[float]) -> None:
    """Require the same figures to 1e-12 of the numbers' size, and its square for the variance."""
    scale = max((abs(value) for value in values), default=0.0)
    assert (one.count, one.min, one.max) == (two.count, two.min, two.max)
    for got, expected, size in (
        (one.mean, two.mean, scale),
        (one.sum, two.sum, scale),
        (one.variance, two.variance, scale * scale),
    ):
        assert (got is None) == (expected is None)
        assert got is None or got == pytest.approx(expected, rel=1e-12, abs=1e-12 * size + TINY)


def test_nothing_has_no_mean() -> None:
    """Of nothing there is a count and a sum of 0, and None for the rest: no 0.0 stands for "unknown"."""
    assert state(Welford()) == [0, 0, 0, None, None, None, None, None, 0.0]


def test_one_number_has_no_variance() -> None:
    """A sample variance needs two."""
    assert state(of([2.5])) == [1, 0, 0, 2.5, None, None, 2.5, 2.5, 2.5]


def test_the_variance_is_of_a_sample() -> None:
    """Divided by n - 1: 1, 2, 3, 4 have 5/3."""
    assert of([1.0, 2.0, 3.0, 4.0]).variance == pytest.approx(5 / 3, rel=1e-15)
    assert of([1.0, 2.0, 3.0, 4.0]).std == pytest.approx(math.sqrt(5 / 3), rel=1e-15)


@given(st.lists(MODERATE, min_size=2, max_size=60))
def test_parity_with_statistics(values: list[float]) -> None:
    """Mean, variance and sum are those of Python's exact `statistics` and `fsum`."""
    scale = max(abs(value) for value in values)
    moments = of(values)
    assert moments.mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-12 * scale + TINY)
    assert moments.variance == pytest.approx(statistics.variance(values), rel=1e-11, abs=1e-13 * scale * scale + TINY)
    assert moments.sum == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-25 * scale + TINY)
    assert (moments.min, moments.max) == (min(values), max(values))


def test_a_large_offset_does_not_cancel() -> None:
    """The naive sum of squares loses a variance of 1 at 1e9 entirely; this one does not."""
    values = [1e9 + x for x in (4.0, 7.0, 13.0, 16.0)]
    assert of(values).variance == 30.0


def test_a_hundred_thousand_cents_are_to_the_cent() -> None:
    """The sum is compensated: 0.01 a hundred thousand times is 1000 exactly, which plain addition does not give."""
    moments = Welford()
    for _ in range(100_000):
        moments.add(0.01)
    assert moments.sum == 1000.0
    assert sum([0.01] * 100_000) != 1000.0


@given(st.lists(MODERATE, max_size=60), st.integers(0, 60))
def test_a_batch_is_a_stream(values: list[float], cut: int) -> None:
    """One by one or in batches: the same to the last bit, but for the last bit of the sum."""
    stream, batches = Welford(), Welford()
    for value in values:
        stream.add(value)
    batches.add_many(values[:cut])
    batches.add_many(iter(values[cut:]))
    assert state(stream)[:-1] == state(batches)[:-1]
    assert stream.sum == pytest.approx(batches.sum, rel=1e-15, abs=1e-25 * max(map(abs, values), default=0.0) + TINY)


def test_long_streams_go_in_pieces() -> None:
    """An iterator of any length is read piece by piece, and nothing is lost between them."""
    moments = Welford()
    moments.add_many(float(i) for i in range(10_001))
    assert (moments.count, moments.mean, moments.sum) == (10_001, 5000.0, 50_005_000.0)


@given(st.lists(MODERATE, max_size=30), st.lists(MODERATE, max_size=30), st.lists(MODERATE, max_size=30))
def test_merging_is_associative_and_the_whole(a: list[float], b: list[float], c: list[float]) -> None:
    """(a + b) + c, a + (b + c) and the stream of all agree."""
    left, right, tail = of(a), of(a), of(b)
    left.merge(of(b))
    left.merge(of(c))
    tail.merge(of(c))
    right.merge(tail)
    close(left, right, a + b + c)
    close(left, of(a + b + c), a + b + c)


def test_merging_leaves_the_other_alone() -> None:
    """Also with nothing on either side, and with itself."""
    one, two = of([1.0, 2.0]), of([5.0])
    one.merge(two)
    assert state(two) == state(of([5.0]))
    one.merge(Welford())
    close(one, of([1.0, 2.0, 5.0]), [5.0])
    empty = Welford()
    empty.merge(one)
    close(empty, one, [5.0])
    one.merge(one)
    close(one, of([1.0, 2.0, 5.0] * 2), [5.0])


def test_a_copy_goes_its_own_way() -> None:
    """It has all figures, and what is added to it stays out of the original."""
    original = of([1.0, math.nan, math.inf, 0.1])
    twin = original.copy()
    assert state(twin) == state(original)
    twin.add(9.0)
    assert original.count == 2


@given(st.lists(st.floats(), max_size=40))
def test_what_is_not_finite_touches_nothing(values: list[float]) -> None:
    """NaN and infinities are counted apart; the other figures are those of the finite numbers."""
    finite = [value for value in values if math.isfinite(value)]
    moments, clean = of(values), of(finite)
    assert moments.nans == sum(map(math.isnan, values))
    assert moments.infinities == sum(map(math.isinf, values))
    for got, expected in zip(state(moments)[3:], state(clean)[3:], strict=True):
        assert got == expected or (
            got is not None and expected is not None and math.isnan(got) and math.isnan(expected)
        )


@given(st.lists(FLOATS, min_size=1, max_size=40))
def test_the_mean_lies_between_the_extremes(values: list[float]) -> None:
    """Whatever the size of the numbers, up to the largest float of both signs."""
    moments = of(values)
    assert moments.mean is not None
    slack = 1e-14 * max(map(abs, values)) * len(values)
    low, high = min(values), max(values)
    assert low - slack <= moments.mean <= high + slack or math.isinf(high + slack) or math.isinf(low - slack)
    assert math.isfinite(moments.mean)
    assert moments.variance is None or moments.variance >= 0.0


def test_beyond_a_float_is_infinite_and_the_mean_stays() -> None:
    """The largest floats of both signs have a mean of 0, an infinite variance, and their sums are told as infinite."""
    moments = Welford()
    for value in (1.7e308, -1.7e308, math.nan, -math.inf):
        moments.add(value)
    assert (moments.count, moments.nans, moments.infinities) == (2, 1, 1)
    assert (moments.mean, moments.variance, moments.std) == (0.0, math.inf, math.inf)
    high = of([1.7e308, 1.7e308, 1.0])
    assert high.sum == math.inf
    assert high.mean == pytest.approx(1.7e308 / 1.5, rel=1e-12)
    merged = of([1.7e308])
    merged.merge(of([-1.7e308]))
    assert (merged.mean, merged.variance) == (0.0, math.inf)
    merged.merge(high)
    assert (merged.sum, merged.count) == (math.inf, 5)
