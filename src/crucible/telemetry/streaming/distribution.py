"""A stream of numbers in one look: moments that are exact and quantiles that are nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.telemetry.streaming.sketch import QuantileSketch
from crucible.telemetry.streaming.welford import Welford

__all__ = ["Distribution", "DistributionSummary"]

_PERCENTILES = (0.5, 0.9, 0.95, 0.99)


class DistributionSummary(msgspec.Struct, frozen=True):
    """What is known of a stream of numbers, in the unit of the numbers.

    Args:
        count: Finite numbers.
        not_finite: NaN and infinities, which are in none of the other figures.
        sum: Sum; 0.0 of nothing.
        mean: Mean; None of nothing.
        std_dev: Sample standard deviation (n - 1); None of fewer than two.
        min: Smallest; None of nothing.
        max: Largest; None of nothing.
        p50: Estimate of the item of rank floor(0.5 * (n - 1)), within `relative_error` of it; None of nothing.
        p90: The same at 0.9.
        p95: The same at 0.95.
        p99: The same at 0.99.
        relative_error: The bound on the percentiles' error as a share of them, such as 0.01; None of nothing, and
            where one of them fell into collapsed buckets, so that no bound holds.
    """

    count: int
    not_finite: int
    sum: float
    mean: float | None
    std_dev: float | None
    min: float | None
    max: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    relative_error: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name; of nothing, only `count` 0, and `not_finite` if there was any."""
        if not self.count:
            return {"count": 0, "not_finite": self.not_finite} if self.not_finite else {"count": 0}
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Distribution:
    """Moments and quantiles of the numbers seen so far, in bounded memory."""

    __slots__ = ("sketch", "welford")

    def __init__(self) -> None:
        self.welford = Welford()
        self.sketch = QuantileSketch()

    def add(self, value: float) -> None:
        """Take one number in; NaN and infinities only count."""
        self.welford.add(value)
        self.sketch.add(value)

    def add_many(self, values: Sequence[float]) -> None:
        """Take numbers in: the same as `add` for each, to the last bit, but faster."""
        self.welford.add_many(values)
        self.sketch.add_many(values)

    def merge(self, other: Distribution) -> None:
        """Take in everything that another one saw; the other stays as it is."""
        self.welford.merge(other.welford)
        self.sketch.merge(other.sketch)

    def copy(self) -> Distribution:
        """Return one that goes on from here by itself."""
        twin = Distribution.__new__(Distribution)
        twin.welford = self.welford.copy()
        twin.sketch = self.sketch.copy()
        return twin

    def summary(self) -> DistributionSummary:
        """Return what is known now."""
        moments = self.welford
        p50, p90, p95, p99 = self.sketch.quantiles(_PERCENTILES)
        errors = [self.sketch.error_at(q) for q in _PERCENTILES] if self.sketch.is_collapsed else [self.sketch.alpha]
        return DistributionSummary(
            count=moments.count,
            not_finite=moments.nans + moments.infinities,
            sum=moments.sum,
            mean=moments.mean,
            std_dev=moments.std,
            min=moments.min,
            max=moments.max,
            p50=p50,
            p90=p90,
            p95=p95,
            p99=p99,
            relative_error=None if None in errors or not moments.count else self.sketch.alpha,
        )
