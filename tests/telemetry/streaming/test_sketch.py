"""Quantiles with a bound on their error."""

from __future__ import annotations

import json
import math
import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import StatsError
from crucible.telemetry.streaming import QuantileSketch

np = pytest.importorskip("numpy")

QS = [0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def of(values: list[float], **options: float) -> QuantileSketch:
    """Return the sketch of numbers."""
    sketch = QuantileSketch(**options)  # type: ignore[arg-type]
    sketch.add_many(values)
    return sketch


def require_bound(sketch: QuantileSketch, values: list[float]) -> float:
    """Require every quantile within the bound of numpy's exact one; return the largest relative error."""
    exact = np.quantile(np.array(values), QS, method="lower")
    worst = 0.0
    for q, true, got in zip(QS, exact, sketch.quantiles(QS), strict=True):
        assert got is not None
        assert sketch.error_at(q) == sketch.relative_error
        if abs(true) < sys.float_info.min:
            assert got == 0.0
            continue
        error = abs(got - true) / abs(true)
        assert error <= sketch.relative_error * (1 + 1e-9), (q, true, got)
        worst = max(worst, error)
    return worst


def drawn(name: str) -> list[float]:
    """Return 20,000 seeded numbers of a distribution."""
    rng = random.Random(20261130)
    draw = {
        "lognormal": lambda: rng.lognormvariate(4.0, 1.5),
        "uniform": lambda: rng.uniform(0.0, 1000.0),
        "normal of both signs": lambda: rng.gauss(0.0, 10.0),
        "pareto": lambda: rng.paretovariate(0.9),
        "cauchy": lambda: math.tan(math.pi * (rng.random() - 0.5)),
        "constant": lambda: 42.0,
        "tiny": lambda: rng.uniform(1.0, 9.0) * 1e-300,
        "huge": lambda: rng.uniform(1.0, 1.7) * 1e308,
        "with zeros": lambda: rng.choice([0.0, 0.0, 1.0, -1.0]),
    }[name]
    return [draw() for _ in range(20_000)]


@pytest.mark.parametrize(
    "name",
    ["lognormal", "uniform", "normal of both signs", "pareto", "cauchy", "constant", "tiny", "huge", "with zeros"],
)
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.001])
def test_every_quantile_is_within_the_bound(name: str, alpha: float) -> None:
    """Against numpy's exact quantiles, for light and heavy tails, both signs, and the ends of what a float holds."""
    values = drawn(name)
    require_bound(of(values, alpha=alpha, max_bins=1_000_000), values)


@pytest.mark.parametrize("name", ["lognormal", "uniform", "pareto", "tiny", "huge", "constant"])
def test_the_default_size_is_enough(name: str) -> None:
    """Nothing is collapsed at 2048 buckets, where the numbers span less than a factor of 6e17."""
    values = drawn(name)
    sketch = of(values)
    assert not sketch.is_collapsed
    require_bound(sketch, values)


@given(st.lists(FINITE, min_size=1, max_size=200))
def test_the_bound_holds_for_anything(values: list[float]) -> None:
    """Also for what hypothesis thinks up, subnormal numbers as zeros."""
    require_bound(of(values), values)


def test_nothing_has_no_quantile() -> None:
    """None, and no bound either."""
    sketch = QuantileSketch()
    assert sketch.quantiles([0.5, 0.9]) == [None, None]
    assert sketch.quantile(0.5) is None
    assert sketch.error_at(0.5) is None
    assert sketch.count == 0


def test_quantiles_come_in_the_order_asked() -> None:
    """And twice if asked twice."""
    sketch = of([float(i) for i in range(1, 101)])
    high, low, again = sketch.quantiles([0.9, 0.1, 0.9])
    assert high == again == sketch.quantile(0.9)
    assert low == sketch.quantile(0.1)


def test_what_is_not_finite_is_counted_apart() -> None:
    """It is in no quantile."""
    sketch = of([math.nan, math.inf, -math.inf, 5.0])
    assert (sketch.count, sketch.nans, sketch.infinities) == (1, 1, 2)
    assert sketch.quantile(1.0) == pytest.approx(5.0, rel=0.01)


@given(st.lists(FINITE, max_size=50), st.lists(FINITE, max_size=50), st.lists(FINITE, max_size=50), st.integers(1, 20))
def test_merging_is_associative_commutative_and_the_whole(
    a: list[float], b: list[float], c: list[float], max_bins: int
) -> None:
    """To the last count, also where buckets collapse: the sketch of parts is the sketch of the whole, in any order."""
    whole = of(a + b + c, max_bins=max_bins).to_dict()
    left = of(a, max_bins=max_bins)
    left.merge(of(b, max_bins=max_bins))
    left.merge(of(c, max_bins=max_bins))
    tail = of(c, max_bins=max_bins)
    tail.merge(of(b, max_bins=max_bins))
    tail.merge(of(a, max_bins=max_bins))
    assert left.to_dict() == tail.to_dict() == whole
    assert of(c + a + b, max_bins=max_bins).to_dict() == whole


def test_collapsing_keeps_the_upper_quantiles() -> None:
    """The lowest buckets become one: above it the bound holds, in it none is claimed, and memory stays bounded."""
    values = [1.02**i for i in range(2000)]
    sketch = of(values, max_bins=100)
    assert len(sketch.positive.counts) == 100
    assert sketch.is_collapsed
    assert sketch.count == 2000
    assert sketch.error_at(0.99) == 0.01
    assert sketch.quantile(0.99) == pytest.approx(np.quantile(values, 0.99, method="lower"), rel=0.0101)
    assert sketch.error_at(0.5) is None
    low = sketch.quantile(0.5)
    assert low is not None
    assert low > values[1000]


def test_collapsing_takes_what_is_nearest_to_zero() -> None:
    """Of negative numbers too, so that the largest of either sign keep their bound."""
    sketch = of([-(1.1**i) for i in range(300)], max_bins=50)
    assert sketch.error_at(0.0) == 0.01
    assert sketch.quantile(0.0) == pytest.approx(-(1.1**299), rel=0.0101)
    assert sketch.error_at(1.0) is None


def test_sketches_of_different_accuracy_do_not_merge() -> None:
    """Their buckets are not the same; the error says what to do."""
    with pytest.raises(StatsError, match="same accuracy"):
        QuantileSketch(0.01).merge(QuantileSketch(0.02))
    with pytest.raises(StatsError, match="64 bins"):
        QuantileSketch().merge(QuantileSketch(max_bins=64))


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_the_accuracy_is_a_share(alpha: float) -> None:
    """Above 0 and below 1."""
    with pytest.raises(StatsError, match="alpha"):
        QuantileSketch(alpha)


def test_arguments_are_checked() -> None:
    """There is at least one bucket, and a quantile is 0 to 1."""
    with pytest.raises(StatsError, match="max_bins"):
        QuantileSketch(max_bins=0)
    for q in (-0.1, 1.1, math.nan):
        with pytest.raises(StatsError, match="0 to 1"):
            of([1.0]).quantile(q)


@given(st.lists(st.floats(), max_size=60), st.integers(1, 30))
def test_json_keeps_a_sketch(values: list[float], max_bins: int) -> None:
    """What comes back from JSON answers alike and goes on alike."""
    sketch = of(values, max_bins=max_bins)
    back = QuantileSketch.from_dict(json.loads(json.dumps(sketch.to_dict())))
    assert back.to_dict() == sketch.to_dict()
    assert back.quantiles(QS) == sketch.quantiles(QS)
    sketch.add(3.5)
    back.add(3.5)
    assert back.to_dict() == sketch.to_dict()


@pytest.mark.parametrize(
    "damage",
    [
        {"alpha": 2.0},
        {"positive": None},
        {"zeros": "x"},
        {"positive": {"counts": [[1, 0]], "floor": None}},
        {"positive": {"counts": [[1, 1], [2, 1]], "floor": 2}},
        {"max_bins": 1, "positive": {"counts": [[1, 1], [2, 1]], "floor": None}},
    ],
)
def test_a_damaged_sketch_is_refused(damage: dict[str, object]) -> None:
    """Whatever is wrong with it, and with nothing there at all."""
    with pytest.raises(StatsError):
        QuantileSketch.from_dict(of([1.0]).to_dict() | damage)
    with pytest.raises(StatsError, match="to_dict"):
        QuantileSketch.from_dict({})


def test_a_copy_goes_its_own_way() -> None:
    """It has everything, and what is added to it stays out of the original."""
    original = of([1.0, 0.0, -2.0, math.nan, math.inf])
    twin = original.copy()
    assert twin.to_dict() == original.to_dict()
    twin.add_many([1.0, -2.0])
    assert original.count == 3
