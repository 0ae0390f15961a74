"""Results whose numbers are numbers: scores that are too far apart in size overflow on the way, and are refused."""

from __future__ import annotations

import math

from crucible.errors import StatsError
from crucible.stats.names import TEST_TITLES
from crucible.stats.result import TestResult

__all__ = ["finite"]


def finite(result: TestResult) -> TestResult:
    """Return the result.

    Raises:
        StatsError: A number in it is not finite.
    """
    intervals = [one for one in (result.interval, result.effect.interval) if one is not None]
    numbers = (result.statistic, result.p, result.difference, result.effect.value)
    if all(map(math.isfinite, (*numbers, *(limit for one in intervals for limit in (one.low, one.high))))):
        return result
    raise StatsError(f"{TEST_TITLES[result.name]} gives no finite numbers for scores of this size: rescale the scores")
