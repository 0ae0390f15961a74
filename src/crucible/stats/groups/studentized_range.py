"""The range of several means in standard errors: how far apart the two outermost are if there is no difference."""

from __future__ import annotations

import functools
import math
from typing import Any, cast

__all__ = ["critical", "tail"]

_CLOSE = 0.002  # relative: how far the approximation may be from the root


@functools.lru_cache(maxsize=1024)
def tail(t: float, groups: int, df: float) -> float:
    """Return the probability that some pair of groups differs by `t` or more standard errors of its difference.

    Args:
        t: Of one pair, at least 0.
        groups: How many, at least 2.
        df: Degrees of freedom of the standard error; may be infinite.

    Source:
        `scipy.stats.studentized_range`.
    """
    from scipy import stats

    return min(1.0, max(0.0, float(stats.studentized_range.sf(t * math.sqrt(2.0), groups, df))))


@functools.lru_cache(maxsize=1024)
def critical(groups: int, df: float, level: float) -> float:
    """Return the standard errors that no pair of groups differs by, with probability `level`.

    Args:
        groups: How many, at least 2.
        df: Degrees of freedom of the standard error; may be infinite.
        level: Between 0 and 1.

    Source:
        The root of `tail`, near the approximation of Gleason (1999), Computational Statistics & Data Analysis
        31(2):147-158, by statsmodels: a third of the time that scipy's own search takes.
    """
    from scipy import optimize, stats
    from statsmodels.stats import libqsturng

    def excess(t: float) -> float:
        return tail(t, groups, df) - (1.0 - level)

    try:
        near = float(cast("Any", libqsturng).qsturng(level, groups, df)) / math.sqrt(2.0)  # untyped there
        return float(optimize.brentq(excess, near * (1.0 - _CLOSE), near * (1.0 + _CLOSE), xtol=1e-12, rtol=1e-11))
    except ValueError:  # beyond what was approximated
        return float(stats.studentized_range.ppf(level, groups, df)) / math.sqrt(2.0)
