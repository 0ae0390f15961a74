"""Centre and spread of ordered values, none of which a single outlier can move far.

All take values in ascending order, none of them NaN, and at least one. Nothing overflows below `HUGE`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

__all__ = ["HUGE", "clipped", "deviation_median", "median", "noise", "quantile", "robust_sigma"]

HUGE = 1e140
"""Values beyond ±HUGE count as ±HUGE, so that the sum of a hundred million squares is still a number."""

_MAD_SIGMA = 1 / 0.6745
_MEAN_SIGMA = 1.253314
_NOISE = 1e-12
_TINY = 1e-150  # below it squares are 0


def clipped(value: float) -> float:
    """Return a finite value, or the end of the range in which squares can be summed."""
    return value if -HUGE < value < HUGE else math.copysign(HUGE, value)


def noise(centre: float, value: float = 0.0) -> float:
    """Return the least spread that counts: 1e-12 of the values' size, what rounding leaves of a constant; > 0."""
    return max(_NOISE * max(abs(centre), abs(value)), _TINY)


def median(ordered: Sequence[float]) -> float:
    """Return the median; of an even number the mean of the middle two."""
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile, interpolated linearly between neighbours (type 7, as NumPy does).

    Args:
        ordered: The values.
        share: 0 <= share <= 1.
    """
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def deviation_median(ordered: Sequence[float], centre: float) -> float:
    """Return the median of |value - centre|, in O(log n).

    Args:
        ordered: The values.
        centre: Their median.
    """
    half, odd = divmod(len(ordered), 2)
    upper = _nth_deviation(ordered, centre, half)
    return upper if odd else (_nth_deviation(ordered, centre, half - 1) + upper) / 2


def _nth_deviation(ordered: Sequence[float], centre: float, nth: int) -> float:
    """Return the nth smallest |value - centre|, from 0: the nth + 1 nearest values lie side by side."""
    low, high = 0, len(ordered) - (nth + 1)
    while low < high:
        middle = (low + high) // 2
        if centre - ordered[middle] > ordered[middle + nth + 1] - centre:
            low = middle + 1
        else:
            high = middle
    return max(centre - ordered[low], ordered[low + nth] - centre)


def robust_sigma(ordered: Sequence[float], centre: float) -> float:
    """Return the standard deviation that a normal sample of this spread would have; 0 for a constant.

    From the median absolute deviation; from the mean absolute deviation where more than half of the values are equal
    and the median is 0. So a long constant with one jump has a small spread, and a constant has none.

    Args:
        ordered: The values.
        centre: Their median.

    Source:
        Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers, ASQC.
    """
    if ordered[0] == ordered[-1]:
        return 0.0
    deviation = deviation_median(ordered, centre)
    if deviation > noise(centre):
        return deviation * _MAD_SIGMA
    return _mean_deviation(ordered, centre) * _MEAN_SIGMA


def _mean_deviation(ordered: Sequence[float], centre: float) -> float:
    """Return the mean of |value - centre|, from sums of slices: this is asked of every value of a sparse stream."""
    count, below, above = len(ordered), bisect_left(ordered, centre), bisect_right(ordered, centre)
    over = math.fsum(ordered[above:]) - centre * (count - above)
    under = centre * below - math.fsum(ordered[:below])
    return max(over + under, 0.0) / count
