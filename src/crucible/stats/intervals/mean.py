"""The interval of one mean."""

from __future__ import annotations

import math

from crucible.errors import DegenerateSample, TooFewSamples
from crucible.ir import Interval
from crucible.stats.extra import needs_stats
from crucible.stats.sample import Scores, check_rates, one_column
from crucible.stats.significance.tdist import critical_t, moments

__all__ = ["mean_interval"]


@needs_stats
def mean_interval(values: Scores, level: float = 0.95) -> Interval:
    """Return Student's t interval for the mean of independent values; for a share of successes use `wilson`.

    Args:
        values: At least 2 finite numbers that are not all the same.
        level: Coverage aimed at, between 0 and 1.

    Raises:
        StatsError: A value is no finite number, or the level is out of range.
        TooFewSamples: There are fewer than 2 values.
        DegenerateSample: The values do not vary: an interval of no width would claim what they cannot show.

    Source:
        Student (1908), Biometrika 6(1):1-25; quantile by `scipy.special.stdtrit`.
    """
    check_rates(0.5, level)
    x = one_column(values)  # (n,)
    if len(x) < 2:
        raise TooFewSamples(f"the interval of a mean needs at least 2 values, got {len(x)}")
    found = moments(x, largest=float(abs(x).max()))
    if found.variance == 0.0:
        raise DegenerateSample(f"all {found.n} values are {found.mean:.6g} up to rounding: they have no t interval")
    width = critical_t(found.n - 1, level) * math.sqrt(found.variance / found.n)
    return Interval(found.mean - width, found.mean + width, level, "Student's t")
