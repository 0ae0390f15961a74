"""Averages that forget: by the number of observations, or by the time since each.

`Ewma` weighs by order, so streams of it do not merge. `TimeEwma` weighs by age alone: late observations, other orders
and merged parts give the same average.
"""

from __future__ import annotations

import math

from crucible.errors import StatsError

__all__ = ["Ewma", "TimeEwma"]

_RESCALE_AT = 500.0  # halvings between reference and newest: a sum of weights of 2^500 is far from overflowing
_FORGOTTEN = 1000.0  # halvings after which an observation weighs nothing


class Ewma:
    """Exponentially weighted mean by observations: value += weight * (x - value), from the first x on.

    Args:
        weight: Of the newest observation, above 0 and at most 1.

    Raises:
        StatsError: `weight` is out of range.

    Source:
        Roberts (1959), Technometrics 1(3):239-250.
    """

    __slots__ = ("_value", "count", "not_finite", "weight")

    def __init__(self, weight: float) -> None:
        if not 0.0 < weight <= 1.0:
            raise StatsError(f"weight is {weight!r}, expected above 0 and at most 1, such as 0.1")
        self.weight = weight
        self.count = 0
        self.not_finite = 0
        self._value = 0.0

    def add(self, value: float) -> None:
        """Take one number in; NaN and infinities only count, in `not_finite`."""
        if not math.isfinite(value):
            self.not_finite += 1
            return
        self.count += 1
        if self.count == 1:
            self._value = value
        else:
            self._value = self._value * (1.0 - self.weight) + value * self.weight

    @property
    def value(self) -> float | None:
        """The average; None of nothing."""
        return self._value if self.count else None


class TimeEwma:
    """Mean in which an observation counts half as much as one that is `half_life_s` younger.

    The weights are relative to each other, so the average does not drift while nothing comes.

    Args:
        half_life_s: Seconds, above 0 and finite.

    Raises:
        StatsError: `half_life_s` is out of range.

    Source:
        Cormode, Shkapenyuk, Srivastava, Xu (2009), Forward decay: a practical time decay model for streaming systems,
        ICDE, section III.
    """

    __slots__ = ("_mean", "_per_ns", "_reference_ns", "_weights", "half_life_s", "not_finite")

    def __init__(self, half_life_s: float) -> None:
        if not 0.0 < half_life_s < math.inf:
            raise StatsError(f"half_life_s is {half_life_s!r}, expected finite seconds above 0, such as 60.0")
        self.half_life_s = half_life_s
        self.not_finite = 0
        self._per_ns = 1e-9 / half_life_s
        self._reference_ns = 0  # weights are of ages at this time
        self._mean = 0.0
        self._weights = 0.0

    def add(self, timestamp_ns: int, value: float, times: int = 1) -> None:
        """Take one number in; NaN and infinities only count, in `not_finite`.

        Args:
            timestamp_ns: When it was observed, nanoseconds on any clock, in any order.
            value: The number, or the mean of several that were observed together.
            times: How many they were.
        """
        if not math.isfinite(value):
            self.not_finite += times
            return
        halvings = (timestamp_ns - self._reference_ns) * self._per_ns
        if halvings > _RESCALE_AT:
            self._refer_to(timestamp_ns)
            halvings = 0.0
        self._take(times * _halved(-halvings), value)

    def _take(self, weight: float, value: float) -> None:
        if weight:
            self._weights += weight
            share = weight / self._weights
            self._mean = self._mean * (1.0 - share) + value * share  # between both, so it cannot overflow

    def _refer_to(self, reference_ns: int) -> None:
        """Tell the weights as those at a later time."""
        self._weights *= _halved((reference_ns - self._reference_ns) * self._per_ns)
        self._reference_ns = reference_ns

    def merge(self, other: TimeEwma) -> None:
        """Take in everything that another one saw; the other stays as it is.

        Raises:
            StatsError: The other has another half-life.
        """
        if self.half_life_s != other.half_life_s:
            raise StatsError(
                f"averages with half-lives of {self.half_life_s} s and {other.half_life_s} s do not merge: "
                "make both with the same half-life"
            )
        twin: TimeEwma = other.copy()
        later_ns = max(self._reference_ns, twin._reference_ns)
        self._refer_to(later_ns)
        twin._refer_to(later_ns)
        self._take(twin._weights, twin._mean)
        self.not_finite += twin.not_finite

    def copy(self) -> TimeEwma:
        """Return one that goes on from here by itself."""
        twin = TimeEwma(self.half_life_s)
        for name in TimeEwma.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    @property
    def value(self) -> float | None:
        """The average; None of nothing."""
        return self._mean if self._weights else None


def _halved(times: float) -> float:
    """Return the weight of what weighed 1 that many half-lives ago."""
    return math.exp2(-times) if times < _FORGOTTEN else 0.0
