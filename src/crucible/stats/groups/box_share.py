"""Intervals of the share that groups explain, where their variances differ or they are of the same items.

The statistic is that of an analysis of variance, with the degrees of freedom that Box found for terms of unequal
variance; its non-central F distribution is inverted as the classical one is. On scores it is Brown and Forsythe's test
with Mehrotra's degrees of freedom, on ranks the ANOVA-type statistic, within items that of repeated measures with
Greenhouse and Geisser's. No resampling: a millisecond each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.ir import Interval
from crucible.stats.groups.variance_share import noncentrality_limits
from crucible.stats.significance.tdist import critical_t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crucible.stats.sample import FloatArray

__all__ = ["share_between_groups", "share_within_items"]

_BOX = "non-central F (Box)"
_BOX_OR_DELTA = "wider of non-central F (Box) and delta method on the logit scale"
_LARGE = 0.3  # concordance from which the delta method is asked too


def share_between_groups(columns: Sequence[FloatArray], level: float) -> Interval | None:
    """Return the interval of eta squared of groups whose variances may differ; of ranks, that of epsilon squared.

    In simulations it covered in 92 to 99 % where 95 were asked for, and as little as 90 % of ranks where groups have
    unequal sizes and spreads; of groups that the ranks all but separate it is wider than it need be.

    Args:
        columns: At least two, of different items, shape (n_i,) each, n_i >= 2; scores, or their ranks among all.
        level: Coverage aimed at.

    Returns:
        The interval; None where no group varies, or the groups differ so little that both limits would be 0.

    Source:
        Box (1954), Annals of Mathematical Statistics 25(2):290-302; Mehrotra (1997), Communications in Statistics B
        26(3):1139-1145; on ranks Brunner, Dette & Munk (1997), JASA 92(440):1494-1502; inverted as by Steiger (2004),
        Psychological Methods 9(2):164-182, with which it agrees where the variances are equal.
    """
    import numpy as np

    n = np.array([float(len(column)) for column in columns])  # (groups,)
    means = np.array([float(column.mean()) for column in columns])
    variances = np.array([float(column.var(ddof=1)) for column in columns])
    unit = float(variances.max())
    if unit == 0.0:
        return None
    variances /= unit  # so that their squares are there, however little the groups vary
    share = n / n.sum()
    expected = variances * (1.0 - share)  # of the sum of squares between, if there is no difference
    total, within = float(expected.sum()), float((n * variances).sum())
    squares = float((variances**2).sum() - 2.0 * (share * variances**2).sum() + (share @ variances) ** 2)
    df = total**2 / squares
    df_within = total**2 / float((expected**2 / (n - 1.0)).sum())
    between = float((n * (means - float(share @ means)) ** 2).sum()) / unit
    limits = noncentrality_limits(between / total, (df, df_within), level)
    if limits is None or limits[1] == 0.0:
        return None
    low, high = (limit * total / (limit * total + df * within) for limit in limits)
    return Interval(low, high, level, _BOX)


def share_within_items(table: FloatArray, level: float) -> Interval | None:
    """Return the interval of Kendall's W: the share of the variation within items that is between groups.

    In simulations it covered in 91 to 99 % where 95 were asked for. From W = .3 on the interval is widened to that of
    the delta method, because there Box's alone may cover in as few as 64 %.

    Args:
        table: Of ranks within each item, or of zeros and ones, shape (n, groups), n >= 2; some row varies.
        level: Coverage aimed at.

    Returns:
        The interval; None where all items agree, or the groups differ so little that both limits would be 0.

    Source:
        Box (1954), Annals of Mathematical Statistics 25(3):484-498; Greenhouse & Geisser (1959), Psychometrika
        24(2):95-112; inverted as by Steiger (2004). The delta method: Efron (1982), The Jackknife, chapter 6.
    """
    import numpy as np

    n = len(table)
    around = table - table.mean(axis=1, keepdims=True)  # (n, groups), each row sums to 0
    means = around.mean(axis=0)
    apart = around - means
    covariance = apart.T @ apart / (n - 1.0)  # (groups, groups)
    trace = float(np.trace(covariance))
    between, total = float(means @ means), float((around**2).sum()) / n
    if n < 2 or trace <= 1e-12 * total:
        return None
    df = trace**2 / float((covariance**2).sum())
    limits = noncentrality_limits(n * between / trace, (df, df * (n - 1.0)), level)
    if limits is None or limits[1] == 0.0:
        return None
    low, high = (limit / (limit + n * df) for limit in limits)
    if between < _LARGE * total:
        return Interval(low, high, level, _BOX)
    others = _delta_limits(around, means, trace, level)
    return Interval(min(low, others[0]), max(high, others[1]), level, _BOX_OR_DELTA)


def _delta_limits(around: FloatArray, means: FloatArray, trace: float, level: float) -> tuple[float, float]:
    """Return the limits by the delta method on the logit scale, the bias of the estimate taken off."""
    from scipy import special

    n = len(around)
    between, by_item = float(means @ means), (around**2).sum(axis=1)  # (n,)
    left = float(by_item.mean()) - between
    pull = 2.0 * (around - means) @ means  # on `between`, of each item
    logit_pull = pull / between - (by_item - by_item.mean() - pull) / left
    width = critical_t(n - 1.0, level) * float(logit_pull.std(ddof=1)) / n**0.5
    unbiased = max(between - trace / n, 0.0)
    center = float(special.logit(unbiased / (between + left)))
    limits: FloatArray = special.expit([center - width, center + width])
    return float(limits[0]), float(limits[1])
