"""How often a treatment's score beats a baseline's: Cliff's delta and the rank-biserial correlations, with intervals.

All pairs are compared, and none is held: sorted columns tell how many scores lie below each. Where one side always
wins, the variance of what was seen is 0 and says nothing; the interval is then that of disjoint pairs, of which all
were won.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample
from crucible.ir import Interval
from crucible.stats.result import Effect
from crucible.stats.significance.tdist import critical_t

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["dominance", "dominance_of_pairs"]


def dominance(x: FloatArray, y: FloatArray, *, level: float, name: str = "cliffs_delta") -> Effect:
    """Return how often a treatment's score beats a baseline's minus how often it loses, -1 to 1, ties count neither.

    It is Cliff's delta, and the rank-biserial correlation of independent samples.

    Args:
        x: Baseline, shape (n,), n >= 2.
        y: Treatment, shape (m,), m >= 2.
        level: Coverage that the interval aims at.
        name: What the effect is called.

    Source:
        Cliff (1993), Psychological Bulletin 114(3):494-509; interval: Feng & Cliff (2004), Journal of Modern Applied
        Statistical Methods 3(2):322-332, equation 9, with the t quantile of n + m - 2.
    """
    n, m = len(x), len(y)
    of_treatment = _wins(y, x) / n  # (m,)
    of_baseline = -_wins(x, y) / m  # (n,): how often treatments win over each baseline's score
    delta = float(of_treatment.mean())
    if abs(delta) >= 1.0:
        return Effect(name, math.copysign(1.0, delta), _always(delta, min(n, m), level))
    rows, columns = float(((of_baseline - delta) ** 2).sum()), float(((of_treatment - delta) ** 2).sum())
    cells = n * m - _ties(x, y) - n * m * delta**2
    variance = (m * m * rows + n * n * columns - cells) / (n * m * (n - 1.0) * (m - 1.0))
    variance = max(variance, (1.0 - delta**2) / (n * m - 1.0))
    spread = critical_t(n + m - 2.0, level) ** 2 * variance
    rest = 1.0 - delta**2
    width = math.sqrt(spread) * math.sqrt(rest**2 + spread)
    low, high = (delta * rest - width) / (rest + spread), (delta * rest + width) / (rest + spread)
    return Effect(name, delta, Interval(max(-1.0, low), min(1.0, high), level, "Feng-Cliff"))


def dominance_of_pairs(differences: FloatArray, *, level: float) -> Effect:
    """Return the matched-pairs rank-biserial correlation: the share of ranks that rise minus that of those that fall.

    It is the mean sign of all sums of two differences, a U-statistic, whose jackknife gives the standard error.

    Args:
        differences: Treatment minus baseline, shape (n,); those that are 0 are left out, as Wilcoxon's test does.
        level: Coverage that the interval aims at.

    Returns:
        The correlation. Its interval is None where fewer than two differences are left, or the jackknife is 0.

    Raises:
        DegenerateSample: All differences are 0.

    Source:
        Kerby (2014), Comprehensive Psychology 3:1; jackknife of U-statistics: Arvesen (1969), Annals of Mathematical
        Statistics 40(6):2076-2100, on the scale of Fisher's z.
    """
    import numpy as np

    d = differences[differences != 0.0]
    n = len(d)
    if n == 0:
        raise DegenerateSample(f"all {len(differences)} differences are 0 up to rounding: there is nothing to rank")
    signs = np.sign(d)
    others = _wins(d, -d) - signs  # (n,): sum of the signs of its sums with each of the others
    whole = float(signs.sum() + others.sum() / 2.0)
    value = whole / (n * (n + 1) / 2.0)
    if abs(value) >= 1.0:
        return Effect("rank_biserial", math.copysign(1.0, value), _always(value, n // 2, level) if n > 1 else None)
    without = (whole - signs - others) / (n * (n - 1) / 2.0)  # (n,)
    error = math.sqrt((n - 1.0) / n * float(((without - without.mean()) ** 2).sum()))
    if error == 0.0:
        return Effect("rank_biserial", value)
    width = critical_t(n - 1.0, level) * error / (1.0 - value**2)
    low, high = math.tanh(math.atanh(value) - width), math.tanh(math.atanh(value) + width)
    return Effect("rank_biserial", value, Interval(low, high, level, "jackknife on Fisher's z"))


def _wins(these: FloatArray, over: FloatArray) -> FloatArray:
    """Return for each of these how many of the others lie below it minus how many lie above."""
    import numpy as np

    ordered = np.sort(over)
    below, not_above = np.searchsorted(ordered, these, side="left"), np.searchsorted(ordered, these, side="right")
    return (below + not_above - len(over)).astype(np.float64)


def _ties(x: FloatArray, y: FloatArray) -> int:
    import numpy as np

    ordered = np.sort(x)
    return int((np.searchsorted(ordered, y, side="right") - np.searchsorted(ordered, y, side="left")).sum())


def _always(direction: float, disjoint: int, level: float) -> Interval:
    """Return the interval where one side won every comparison.

    All of so many disjoint pairs were won, which has at most the probability p to their number, where p is the
    probability to win one: Clopper and Pearson's argument.
    """
    far = 2.0 * ((1.0 - level) / 2.0) ** (1.0 / disjoint) - 1.0
    low, high = (far, 1.0) if direction > 0.0 else (-1.0, -far)
    return Interval(low, high, level, "Clopper-Pearson of disjoint pairs")
