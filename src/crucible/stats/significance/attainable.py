"""How often an exact test of counts or ranks can find a difference where there is none.

The p-value of a discrete test takes few values, so that its error rate stays below alpha, often by much. The size that
it attains is the probability, without a difference, of a p-value below alpha.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["as_far", "attainable_size", "binomial_size", "no_likelier"]

_AS_LIKELY = 1.0 + 1e-7  # outcomes whose probabilities agree so far are as likely as each other, as in R


def attainable_size(probabilities: FloatArray, p_values: FloatArray, alpha: float) -> float:
    """Return the probability of a p-value below alpha.

    Args:
        probabilities: Of each outcome if there is no difference, shape (outcomes,), sum 1.
        p_values: Of each outcome, shape (outcomes,).
        alpha: Type-I error rate of the verdict.
    """
    return float(probabilities[p_values < alpha].sum())


def binomial_size(trials: int, alpha: float) -> float:
    """Return the size that the two-sided exact test of a share of one half attains.

    Args:
        trials: Pairs that differ, at least 1.
        alpha: Type-I error rate of the verdict.
    """
    from scipy import special

    tail = int(special.bdtrik(alpha / 2.0, trials, 0.5) if special.bdtr(0, trials, 0.5) < alpha / 2.0 else -1) + 1
    while tail >= 0 and 2.0 * special.bdtr(tail, trials, 0.5) >= alpha:
        tail -= 1
    return 2.0 * float(special.bdtr(tail, trials, 0.5)) if tail >= 0 else 0.0


def as_far(probabilities: FloatArray, mean: float) -> FloatArray:
    """Return the two-sided p-value of each outcome: the probability of all that are as far from the mean, or farther.

    Where the distribution is symmetric that is twice the tail; where ties make it lopsided it is what R's packages coin
    and exactRankTests give.

    Args:
        probabilities: Of 0, 1, 2, ..., shape (outcomes,), sum 1.
        mean: Of that distribution, a multiple of 1/2.
    """
    import numpy as np

    distances = np.abs(2 * np.arange(len(probabilities)) - round(2.0 * mean))
    at_distance = np.bincount(distances, weights=probabilities)
    return np.minimum(1.0, np.cumsum(at_distance[::-1])[::-1][distances])


def no_likelier(probabilities: FloatArray) -> FloatArray:
    """Return the two-sided p-value of each outcome: the probability of all outcomes that are no likelier.

    Args:
        probabilities: Of the outcomes, shape (outcomes,), sum 1.
    """
    import numpy as np

    rising = np.sort(probabilities)
    last = np.searchsorted(rising, probabilities * _AS_LIKELY, side="right") - 1
    return np.minimum(1.0, np.cumsum(rising)[last])
