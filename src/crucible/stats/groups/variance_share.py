"""Sizes of effect of several groups: the share of the variance that the groups explain.

All three estimate the same share in the population, and have the same interval, by the non-central F distribution of
groups with equal variances. Where that cannot be had they come without one, and the results that carry them say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, TooFewSamples
from crucible.ir import Interval
from crucible.stats.result import Effect

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = [
    "SumsOfSquares",
    "epsilon_squared",
    "eta_squared",
    "noncentrality_limits",
    "omega_squared",
    "sums_of_squares",
]


class SumsOfSquares(msgspec.Struct, frozen=True):
    """How the variation of all scores splits.

    Args:
        between: Of the groups' means around the mean of all, at least 0.
        within: Of the scores around their group's mean, at least 0; not both are 0.
        groups: Number of groups, at least 2.
        n: Scores in all groups together, more than groups.
    """

    between: float
    within: float
    groups: int
    n: int


def sums_of_squares(columns: Sequence[FloatArray]) -> SumsOfSquares:
    """Return the sums of squares of at least two groups.

    Raises:
        TooFewSamples: No group has more than one score.
        DegenerateSample: All scores are the same.
    """
    import numpy as np

    together = np.concatenate(columns)
    n, k = len(together), len(columns)
    if n <= k:
        raise TooFewSamples(f"{n} scores in {k} groups: no variance within groups can be estimated")
    largest = float(np.abs(together).max())
    shift = float(together[0])  # what the scores have in common costs no digits
    shifted = [column - shift for column in columns]
    together = np.concatenate(shifted)
    center = float(together.mean())
    if float(np.abs(together - center).max()) <= 1e-13 * largest or largest == 0.0:
        raise DegenerateSample(f"all {n} scores are {shift:.6g}: there is no variance to explain")
    between = sum(len(column) * (float(column.mean()) - center) ** 2 for column in shifted)
    within = sum(float(((column - column.mean()) ** 2).sum()) for column in shifted)
    return SumsOfSquares(between, within, k, n)


def eta_squared(squares: SumsOfSquares, *, level: float | None = None) -> Effect:
    """Return eta squared: the share of the variation of these scores that the groups explain, 0 to 1.

    It is biased upwards, the more so the fewer scores there are.

    Args:
        squares: Of the groups.
        level: Coverage that the interval aims at; None: no interval. It assumes equal variances, as the classical
            analysis of variance does.

    Source:
        Cohen (1988), chapter 8; interval: Steiger (2004), Psychological Methods 9(2):164-182, by the non-central F.
    """
    value = squares.between / (squares.between + squares.within)
    return Effect("eta_squared", value, None if level is None else _share_interval(squares, level))


def omega_squared(squares: SumsOfSquares, *, level: float | None = None) -> Effect:
    """Return omega squared: an estimate of the share of the variance that the groups explain in the population.

    Less biased than eta squared. The formula falls below 0 where the groups differ less than chance alone would make
    them; a share cannot, and its interval does not, so that 0 stands for it. A mean of many such estimates is therefore
    biased upwards (Okada 2017): pool the sums of squares instead.

    Args:
        squares: Of the groups.
        level: Coverage that the interval aims at; None: no interval. It is that of the share in the population.

    Source:
        Hays (1963), Statistics for Psychologists; 0 for less than 0: R's effectsize (since 0.8.2), rstatix; what
        that costs: Okada (2017), Behaviormetrika 44:467-477; interval: Steiger (2004).
    """
    error = squares.within / (squares.n - squares.groups)
    total = squares.between + squares.within
    value = (squares.between - (squares.groups - 1) * error) / (total + error)
    return Effect("omega_squared", max(0.0, value), None if level is None else _share_interval(squares, level))


def epsilon_squared(squares: SumsOfSquares, *, level: float | None = None) -> Effect:
    """Return epsilon squared: the explained variance without bias, over the total variance without bias; at least 0.

    What is said of `omega_squared` below 0 holds here too.

    Args:
        squares: Of the groups.
        level: As for `omega_squared`.

    It is not the rank epsilon squared of Kruskal and Wallis's test, which is eta squared of the ranks.

    Source:
        Kelley (1935), Proceedings of the National Academy of Sciences 21(9):554-559; interval: Steiger (2004).
    """
    error = squares.within / (squares.n - squares.groups)
    value = (squares.between - (squares.groups - 1) * error) / (squares.between + squares.within)
    return Effect("epsilon_squared", max(0.0, value), None if level is None else _share_interval(squares, level))


def _share_interval(squares: SumsOfSquares, level: float) -> Interval | None:
    """Return the interval of the explained share; None where it does not exist or scipy cannot find it.

    It does not exist where the groups differ so little that even groups without any difference would rarely do so: then
    both limits would be 0, a width that no sample earns.
    """
    if squares.within == 0.0:
        return None
    df, df_within = squares.groups - 1, squares.n - squares.groups
    f = (squares.between / df) / (squares.within / df_within)
    limits = noncentrality_limits(f, (df, df_within), level)
    if limits is None or limits[1] == 0.0:
        return None
    low, high = (limit / (limit + squares.n) for limit in limits)
    return Interval(low, high, level, "non-central F")


def noncentrality_limits(f: float, df: tuple[float, float], level: float) -> tuple[float, float] | None:
    """Return the non-centralities between which an F is no surprise; None where they cannot be found.

    Args:
        f: The statistic, at least 0.
        df: Degrees of freedom between and within.
        level: Of the two-sided interval; a limit is 0 where even that is a surprise.
    """
    from scipy import special

    def below(nc: float) -> float:
        return float(special.ncfdtr(*df, nc, f) if nc > 0.0 else special.fdtr(*df, f))

    low = _falling_root(lambda nc: below(nc) - (1.0 + level) / 2.0)
    high = _falling_root(lambda nc: below(nc) - (1.0 - level) / 2.0)
    return None if low is None or high is None else (low, high)


def _falling_root(falling: Callable[[float], float]) -> float | None:
    """Return where a falling function of [0, inf) is 0: 0 if it starts below, None if it cannot be found."""
    from scipy import optimize

    if falling(0.0) <= 0.0:
        return 0.0
    right = 1.0
    while falling(right) > 0.0 and right < 1e6:
        right *= 2.0
    if not falling(right) <= 0.0:  # NaN fails too
        return None
    return float(optimize.brentq(falling, 0.0, right, xtol=1e-12, rtol=1e-12))
