"""Mean and variance of a stream in one pass, without keeping it.

The variance is of a sample (divided by n - 1) everywhere, in a stream, in a batch and after a merge. What is not finite
is counted apart and touches nothing else: one NaN would otherwise make every later figure NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

__all__ = ["Welford"]

_BATCH = 4096  # numbers that are looked at in one go


class Welford:
    """Count, mean, variance, extremes and sum of the numbers seen so far, in constant memory.

    Mean and variance never fall to cancellation, and the sum is compensated. Of numbers whose squares or
    whose sum go beyond 1.8e308 the variance or the sum is infinite; the mean stays right.

    Source:
        Welford (1962), Technometrics 4(3):419-420. Merging: Chan, Golub, LeVeque (1983), The American Statistician
        37(3):242-247. Sum: Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B.
    """

    __slots__ = ("_comp", "_high", "_low", "_m2", "_mean", "_sum", "count", "infinities", "nans")

    def __init__(self) -> None:
        self.count = 0
        self.nans = 0
        self.infinities = 0
        self._mean = 0.0
        self._m2 = 0.0  # sum of squared deviations from the mean
        self._sum = 0.0
        self._comp = 0.0  # what rounding took from the sum
        self._low = math.inf
        self._high = -math.inf

    def add(self, value: float) -> None:
        """Take one number in; NaN and infinities only count, in `nans` and `infinities`."""
        delta = value - self._mean
        if delta - delta != 0.0:  # not finite, or farther from the mean than a float reaches
            self._add_batch([value])
            return
        self.count = count = self.count + 1
        self._mean = mean = self._mean + delta / count
        self._m2 += delta * (value - mean)
        self._add_to_sum(value)
        if value < self._low:  # noqa: PLR1730  # a call of min costs three times as much
            self._low = value
        if value > self._high:  # noqa: PLR1730
            self._high = value

    def add_many(self, values: Iterable[float]) -> None:
        """Take numbers in, as `add` does for each, but faster; only the sum may differ, in its last bit."""
        remaining = iter(values)
        while batch := list(islice(remaining, _BATCH)):
            self._add_batch(batch)

    def _add_batch(self, values: list[float]) -> None:
        count, mean, m2, low, high = self.count, self._mean, self._m2, self._low, self._high
        for value in values:
            delta = value - mean
            if delta - delta == 0.0:
                count += 1
                mean += delta / count
                m2 += delta * (value - mean)
            elif value - value == 0.0:  # farther from the mean than a float reaches
                count += 1
                mean += value / count - mean / count
                m2 = math.inf
            else:
                continue  # NaN or infinite
            if value < low:  # noqa: PLR1730  # a call of min costs three times as much
                low = value
            if value > high:  # noqa: PLR1730
                high = value
        if count - self.count < len(values):
            self.nans += sum(map(math.isnan, values))
            self.infinities += sum(map(math.isinf, values))
            values = [value for value in values if math.isfinite(value)]
        self.count, self._mean, self._m2, self._low, self._high = count, mean, m2, low, high
        try:
            self._add_to_sum(math.fsum(values))
        except OverflowError:
            for value in values:
                self._add_to_sum(value)

    def _add_to_sum(self, value: float) -> None:
        old = self._sum
        self._sum = total = old + value
        part = total - old
        self._comp += (old - (total - part)) + (value - part)  # exactly what rounding took

    def merge(self, other: Welford) -> None:
        """Take in everything that another one saw; the other stays as it is."""
        self.nans += other.nans
        self.infinities += other.infinities
        if not other.count:
            return
        mine, theirs = self.count, other.count
        self.count = count = mine + theirs
        share = theirs / count
        delta = other._mean - self._mean
        if math.isfinite(delta):
            self._mean += delta * share
            self._m2 += other._m2 + delta * (delta * share) * mine
        else:
            self._mean = self._mean * (1.0 - share) + other._mean * share
            self._m2 = math.inf
        self._add_to_sum(other._sum)
        if math.isfinite(other._comp):
            self._add_to_sum(other._comp)
        self._low = min(self._low, other._low)
        self._high = max(self._high, other._high)

    def copy(self) -> Welford:
        """Return one that goes on from here by itself."""
        twin = Welford()
        twin.count, twin.nans, twin.infinities = self.count, self.nans, self.infinities
        twin._mean, twin._m2, twin._sum, twin._comp = self._mean, self._m2, self._sum, self._comp
        twin._low, twin._high = self._low, self._high
        return twin

    @property
    def mean(self) -> float | None:
        """Arithmetic mean; None of nothing."""
        return self._mean if self.count else None

    @property
    def variance(self) -> float | None:
        """Sample variance, divided by n - 1; None of fewer than two numbers."""
        return self._m2 / (self.count - 1) if self.count > 1 else None

    @property
    def std(self) -> float | None:
        """Sample standard deviation; None of fewer than two numbers."""
        variance = self.variance
        return None if variance is None else math.sqrt(variance)

    @property
    def min(self) -> float | None:
        """Smallest number; None of nothing."""
        return self._low if self.count else None

    @property
    def max(self) -> float | None:
        """Largest number; None of nothing."""
        return self._high if self.count else None

    @property
    def sum(self) -> float:
        """Sum; 0.0 of nothing, infinite (or NaN, of both signs) where it went beyond a float."""
        return self._sum + self._comp if math.isfinite(self._sum) else self._sum
