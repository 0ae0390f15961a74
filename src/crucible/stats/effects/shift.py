"""Hodges and Lehmann's shift: by how much one column lies above another, as the rank tests see it.

The estimate and its interval belong to Wilcoxon's and to Mann and Whitney's test, as a difference of means belongs to
the t-test. Columns of a hundred thousand scores need some seconds and some MB, not the billions of pairs.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from crucible.ir import Interval
from crucible.stats.effects.pair_values import PairSums, differences_of, walsh_sums
from crucible.stats.extra import needs_stats
from crucible.stats.result import Effect
from crucible.stats.sample import Scores, check_rates, independent_columns, is_by_id, paired_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from crucible.stats.sample import FloatArray

__all__ = ["hodges_lehmann", "shift_of_pairs", "shift_of_samples"]

_EXACT = 50  # up to so many scores a column the exact distribution of the rank sum gives the limits


@needs_stats
def hodges_lehmann(baseline: Scores, treatment: Scores, *, paired: bool = False, level: float = 0.95) -> Effect:
    """Return Hodges and Lehmann's estimate of the shift from baseline to treatment, in units of the score.

    Independent samples: the median of all differences of a treatment's score minus a baseline's. Pairs: the median of
    the averages of all pairs of differences. It resists outliers; it equals the difference of means where the scores,
    or the differences, are spread symmetrically.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way; mappings by id are paired.
        paired: Whether scores at the same position belong to the same item.
        level: Coverage of the interval: at least this up to 50 scores a column, about this beyond.

    Returns:
        The shift. Its interval is None where so few scores cannot reach the level: fewer than 6 pairs at 95 %.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or the level is out of range.
        TooFewSamples: There are fewer than two pairs, or two scores a column.

    Source:
        Hodges & Lehmann (1963), Annals of Mathematical Statistics 34(2):598-611; intervals: Hollander, Wolfe & Chicken
        (2014), Nonparametric Statistical Methods, sections 3.3 and 4.3. Where scores tie, the exact intervals cover at
        least the level.
    """
    check_rates(0.5, level)
    if paired or is_by_id(baseline) or is_by_id(treatment):
        return shift_of_pairs(*paired_columns(baseline, treatment), level=level)
    return shift_of_samples(*independent_columns(baseline, treatment), level=level)


def shift_of_pairs(x: FloatArray, y: FloatArray, *, level: float) -> Effect:
    """Return the shift of pairs.

    Args:
        x: Baseline, shape (n,).
        y: Treatment, shape (n,).
        level: Coverage of the interval.
    """
    sums, n = walsh_sums(y - x), len(x)
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
    cut = _signed_rank_cut(n, level) if n <= _EXACT else _normal_cut(sums, spread, level)
    return _effect(sums, cut, 0.5, level, "signed-rank", is_exact=n <= _EXACT)


def shift_of_samples(x: FloatArray, y: FloatArray, *, level: float) -> Effect:
    """Return the shift of independent samples.

    Args:
        x: Baseline, shape (n,).
        y: Treatment, shape (m,).
        level: Coverage of the interval.
    """
    sums, n, m = differences_of(x, y), len(x), len(y)
    spread = math.sqrt(n * m * (n + m + 1) / 12.0)
    is_exact = max(n, m) <= _EXACT
    cut = _rank_sum_cut(n, m, level) if is_exact else _normal_cut(sums, spread, level)
    return _effect(sums, cut, 1.0, level, "rank-sum", is_exact=is_exact)


def _effect(sums: PairSums, cut: int, scale: float, level: float, test: str, *, is_exact: bool) -> Effect:
    """Return the median of the sums, and the sums that lie `cut` from either end; cut 0: there is no interval."""
    total = sums.total
    middle = [sums.smallest(rank) for rank in {(total + 1) // 2, total // 2 + 1}]
    value = scale * math.fsum(middle) / len(middle)
    if cut == 0:
        return Effect("hodges_lehmann", value)
    low, high = scale * sums.smallest(cut), scale * sums.smallest(total + 1 - cut)
    method = f"exact {test}" if is_exact else f"{test}, normal approximation"
    return Effect("hodges_lehmann", value, Interval(min(low, value), max(high, value), level, method))


def _normal_cut(sums: PairSums, spread: float, level: float) -> int:
    from scipy import special

    return max(0, math.floor(sums.total / 2.0 - float(special.ndtri((1.0 + level) / 2.0)) * spread))


def _exact_cut(p_of: Callable[[int], float], largest: int, level: float) -> int:
    """Return the largest c for which a rank sum below c has a two-sided p-value of at most 1 - level; 0: there is none.

    The rank sum counts the sums below the shift, so that the interval leaves out c - 1 sums on either side.
    """
    low, high = 0, largest // 2 + 1  # p(low - 1) is small enough, p(high - 1) is not
    while high - low > 1:
        middle = (low + high) // 2
        if p_of(middle - 1) <= 1.0 - level:
            low = middle
        else:
            high = middle
    return low


@functools.cache
def _signed_rank_cut(n: int, level: float) -> int:
    """Return the cut for n pairs, by the p-values without ties that scipy.stats.wilcoxon gives."""
    import numpy as np
    from scipy import stats

    def p(rank_sum: int) -> float:
        signed, left = -np.arange(1.0, n + 1.0), rank_sum
        for rank in range(n, 0, -1):  # ranks that add up to the sum are positive
            if rank <= left:
                signed[rank - 1], left = rank, left - rank
        found: Any = stats.wilcoxon(signed, method="exact")
        return float(found.pvalue)

    return _exact_cut(p, n * (n + 1) // 2, level)


@functools.cache
def _rank_sum_cut(n: int, m: int, level: float) -> int:
    """Return the cut for n and m scores, by the p-values without ties that scipy.stats.mannwhitneyu gives."""
    import numpy as np
    from scipy import stats

    def p(u: int) -> float:
        full, left = divmod(u, n)  # `full` of the second column above all n of the first, one above `left` of them
        first = np.arange(1.0, n + 1.0)
        above = n + 1.0 + np.arange(full)
        below = -np.arange(m - full - (left > 0))
        second = np.concatenate([above, [left + 0.5] if left else [], below])
        found: Any = stats.mannwhitneyu(second, first, alternative="two-sided", method="exact")
        return float(found.pvalue)

    return _exact_cut(p, n * m, level)
