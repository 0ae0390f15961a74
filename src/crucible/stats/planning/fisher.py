"""The power of Fisher's exact test: of every table, whether the test rejects it and how likely it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.stats.planning.design import Alternative
from crucible.stats.planning.enumeration import binomial_window, two_sided_rejects

if TYPE_CHECKING:
    from crucible.stats.planning.enumeration import BoolArray
    from crucible.stats.sample import FloatArray

__all__ = ["fisher_power"]

_CELLS = 400_000  # of tables looked at together: a few megabytes


def fisher_power(sizes: tuple[int, int], shares: tuple[float, float], alpha: float, alternative: Alternative) -> float:
    """Return the unconditional power of Fisher's exact test, row by row of equal total successes.

    Args:
        sizes: Trials of baseline and treatment, each at least 1.
        shares: True shares of successes of baseline and treatment.
        alpha: Type-I error rate.
        alternative: Which tables count against the null hypothesis.

    Source:
        Bennett & Hsu (1960), Biometrika 47:393-398; two-sided as R's `fisher.test` and `scipy.stats.fisher_exact`.
    """
    import numpy as np

    n, m = sizes
    base, base_first, base_last = _spread(n, shares[0])
    treated, treated_first, treated_last = _spread(m, shares[1])
    ways = (_log_choose(n), _log_choose(m))
    totals = np.arange(base_first + treated_first, base_last + treated_last + 1)
    k = np.arange(m + 1)[None, :]  # successes of the treatment
    step = max(1, _CELLS // (m + 1))
    power = 0.0
    for first in range(0, len(totals), step):
        others = totals[first : first + step, None] - k  # successes of the baseline, (rows, m + 1)
        inside = (others >= 0) & (others <= n)
        others = np.clip(others, 0, n)
        logs = np.where(inside, ways[1][k] + ways[0][others], -np.inf)
        chances = np.exp(logs - logs.max(axis=1, keepdims=True))
        rejects = _rejects(chances / chances.sum(axis=1, keepdims=True), alpha, alternative)
        power += float((treated[k] * base[others])[rejects & inside].sum())
    return min(1.0, power)


def _rejects(chances: FloatArray, alpha: float, alternative: Alternative) -> BoolArray:
    import numpy as np

    if alternative == "two_sided":
        return two_sided_rejects(chances, alpha)
    if alternative == "greater":
        return np.asarray(np.cumsum(chances[:, ::-1], axis=1)[:, ::-1] < alpha)
    return np.asarray(np.cumsum(chances, axis=1) < alpha)


def _spread(trials: int, share: float) -> tuple[FloatArray, int, int]:
    """Return the probabilities of all counts, shape (trials + 1,), and the first and last count that matter."""
    import numpy as np

    counts, chances = binomial_window(trials, share)
    spread = np.zeros(trials + 1)
    spread[counts] = chances
    return spread, int(counts[0]), int(counts[-1])


def _log_choose(n: int) -> FloatArray:
    import numpy as np
    from scipy import special

    logs = np.asarray(special.gammaln(np.arange(n + 1) + 1.0))
    return logs[n] - logs - logs[::-1]
