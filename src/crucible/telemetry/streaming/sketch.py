"""Quantiles of a stream in bounded memory, with a bound on their error: DDSketch.

A number falls into bucket k where gamma^(k-1) < |x| <= gamma^k, gamma = (1 + alpha) / (1 - alpha); any number of the
bucket is within the share alpha of the bucket's middle. Buckets add up, so sketches of parts merge to exactly the
sketch of the whole. What is not finite is counted apart.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from crucible.errors import StatsError
from crucible.telemetry.streaming.buckets import Buckets

__all__ = ["QuantileSketch"]

_TINY = sys.float_info.min  # smallest normal float, 2.2e-308
_HUGE = sys.float_info.max


class QuantileSketch:
    """Quantiles within a share `alpha` of the true ones, whatever the distribution.

    `quantile(q)` estimates the item of rank floor(q * (n - 1)) of the sorted numbers (numpy's method `lower`). Its
    error is at most `alpha` times that item (and a few 1e-13 of rounding). Numbers closer to 0 than 2.2e-308 count
    as 0. Each sign has `max_bins` buckets at most; beyond, those closest to 0 become one, and a quantile that falls
    into that one has no bound (`error_at` is None). At the defaults 2048 buckets span a factor of 6e17 without gaps.

    Args:
        alpha: Relative accuracy, above 0 and below 1.
        max_bins: Buckets a sign, at least 1.

    Raises:
        StatsError: `alpha` or `max_bins` is out of range.

    Source:
        Masson, Rim, Lee (2019), DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees,
        PVLDB 12(12):2195-2205; collapsing is algorithm 3 there.
    """

    __slots__ = (
        "_log_gamma",
        "_middle",
        "_scale",
        "alpha",
        "infinities",
        "max_bins",
        "nans",
        "negative",
        "positive",
        "zeros",
    )

    def __init__(self, alpha: float = 0.01, max_bins: int = 2048) -> None:
        if not 0.0 < alpha < 1.0:
            raise StatsError(f"alpha is {alpha!r}, expected a relative accuracy above 0 and below 1, such as 0.01")
        if max_bins < 1:
            raise StatsError(f"max_bins is {max_bins!r}, expected at least 1, such as 2048")
        self.alpha = alpha
        self.max_bins = max_bins
        self.positive = Buckets(max_bins)
        self.negative = Buckets(max_bins)
        self.zeros = 0
        self.nans = 0
        self.infinities = 0
        self._log_gamma = math.log1p(2.0 * alpha / (1.0 - alpha))
        self._scale = 1.0 / self._log_gamma
        self._middle = math.log1p(-alpha)  # log of 2 / (1 + gamma)

    def add(self, value: float) -> None:
        """Take one number in; NaN and infinities only count, in `nans` and `infinities`."""
        self.add_many((value,))

    def add_many(self, values: Iterable[float]) -> None:
        """Take numbers in: the same as `add` for each, but faster."""
        scale, ceil, log, inf = self._scale, math.ceil, math.log, math.inf
        counts, add_key = self.positive.counts, self.positive.add
        for value in values:
            if _TINY <= value < inf:
                key = ceil(log(value) * scale)
                if key in counts:
                    counts[key] += 1
                else:
                    add_key(key)
            else:
                self._add_rare(value)

    def _add_rare(self, value: float) -> None:
        if -_HUGE <= value <= -_TINY:
            self.negative.add(math.ceil(math.log(-value) * self._scale))
        elif -_TINY < value < _TINY:
            self.zeros += 1
        elif math.isnan(value):
            self.nans += 1
        else:
            self.infinities += 1

    def merge(self, other: QuantileSketch) -> None:
        """Take in everything that another one saw, as if it had been added here; the other stays as it is.

        Raises:
            StatsError: The other has another `alpha` or `max_bins`.
        """
        if (self.alpha, self.max_bins) != (other.alpha, other.max_bins):
            raise StatsError(
                f"sketches of alpha {self.alpha} with {self.max_bins} bins and of alpha {other.alpha} with "
                f"{other.max_bins} bins do not merge: make both with the same accuracy"
            )
        self.positive.merge(other.positive)
        self.negative.merge(other.negative)
        self.zeros += other.zeros
        self.nans += other.nans
        self.infinities += other.infinities

    def copy(self) -> QuantileSketch:
        """Return one that goes on from here by itself."""
        twin = QuantileSketch(self.alpha, self.max_bins)
        twin.positive = self.positive.copy()
        twin.negative = self.negative.copy()
        twin.zeros = self.zeros
        twin.nans = self.nans
        twin.infinities = self.infinities
        return twin

    @property
    def count(self) -> int:
        """How many finite numbers were added."""
        return self.negative.total + self.zeros + self.positive.total

    @property
    def relative_error(self) -> float:
        """The bound on the error of a quantile, as a share of it: `alpha`."""
        return self.alpha

    @property
    def is_collapsed(self) -> bool:
        """Whether buckets were collapsed, so that the bound may fail at some quantile."""
        return self.positive.floor is not None or self.negative.floor is not None

    def error_at(self, q: float) -> float | None:
        """Return the bound that holds at a quantile; None of nothing, and where buckets were collapsed."""
        found = self._locate([q])[0]
        return None if found is None or found[1] else self.alpha

    def quantile(self, q: float) -> float | None:
        """Return the estimate of a quantile; None of nothing.

        Args:
            q: 0 to 1: 0.5 is the median.

        Raises:
            StatsError: `q` is out of range.
        """
        return self.quantiles([q])[0]

    def quantiles(self, qs: Sequence[float]) -> list[float | None]:
        """Return estimates of several quantiles, in the order asked, for the price of one."""
        return [None if found is None else found[0] for found in self._locate(qs)]

    def _locate(self, qs: Sequence[float]) -> list[tuple[float, bool] | None]:
        """Return for each quantile its estimate, and whether its bucket is a collapsed one."""
        for q in qs:
            if not 0.0 <= q <= 1.0:
                raise StatsError(f"a quantile is asked at {q!r}, expected 0 to 1: the median is 0.5")
        count = self.count
        if not count:
            return [None] * len(qs)
        found: dict[int, tuple[float, bool]] = {}
        ranks = [math.floor(q * (count - 1)) for q in qs]
        wanted = sorted(set(ranks), reverse=True)
        below = 0
        for value, is_collapsed, number in self._ascending():
            below += number
            while wanted and wanted[-1] < below:
                found[wanted.pop()] = value, is_collapsed
            if not wanted:
                break
        return [found[rank] for rank in ranks]

    def _ascending(self) -> Iterator[tuple[float, bool, int]]:
        """Yield value, whether collapsed, and count of each bucket, from the lowest value up."""
        negative, positive = self.negative, self.positive
        for key in sorted(negative.counts, reverse=True):
            yield -self._value(key), key == negative.floor, negative.counts[key]
        if self.zeros:
            yield 0.0, False, self.zeros
        for key in sorted(positive.counts):
            yield self._value(key), key == positive.floor, positive.counts[key]

    def _value(self, key: int) -> float:
        power = key * self._log_gamma + self._middle
        return math.exp(power) if power < 709.78 else _HUGE  # above, exp overflows; no float is farther off than alpha

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, of JSON's types only."""
        return {
            "alpha": self.alpha,
            "max_bins": self.max_bins,
            "positive": self.positive.to_dict(),
            "negative": self.negative.to_dict(),
            "zeros": self.zeros,
            "nans": self.nans,
            "infinities": self.infinities,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> QuantileSketch:
        """Return the sketch that `to_dict` told.

        Raises:
            StatsError: The data is not of a sketch.
        """
        try:
            sketch = cls(float(data["alpha"]), int(data["max_bins"]))
            sketch.positive = Buckets.from_dict(data["positive"], sketch.max_bins)
            sketch.negative = Buckets.from_dict(data["negative"], sketch.max_bins)
            sketch.zeros, sketch.nans, sketch.infinities = (int(data[key]) for key in ("zeros", "nans", "infinities"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StatsError(f"not a quantile sketch ({error!r}): give what QuantileSketch.to_dict returned") from error
        return sketch
