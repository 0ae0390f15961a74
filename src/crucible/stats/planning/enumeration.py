"""Outcomes of counting that matter: every count whose probability is not lost in rounding, with its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]

__all__ = ["binomial_window", "fewest_and_most", "two_sided_rejects"]

_LOST = 1e-17  # probability that is left out at either end


def fewest_and_most(trials: int, share: float) -> tuple[int, int]:
    """Return the counts between which a binomial count lies, but for a probability of 1e-17 at either end."""
    from scipy import stats

    if share in (0.0, 1.0):
        count = round(trials * share)
        return count, count
    low = int(stats.binom.ppf(_LOST, trials, share)) - 1
    high = trials - int(stats.binom.ppf(_LOST, trials, 1.0 - share)) + 1  # mirrored: an upper tail rounds to 1
    return max(0, low), min(trials, high)


def binomial_window(trials: int, share: float) -> tuple[IntArray, FloatArray]:
    """Return the counts of a binomial that matter and their probabilities.

    Args:
        trials: At least 0.
        share: Probability of a success, 0 to 1.

    Returns:
        Consecutive counts and their probabilities, both of shape (k,).
    """
    import numpy as np
    from scipy import stats

    low, high = fewest_and_most(trials, share)
    counts = np.arange(low, high + 1)
    return counts, np.asarray(stats.binom.pmf(counts, trials, share), dtype=np.float64)


def two_sided_rejects(chances: FloatArray, alpha: float) -> BoolArray:
    """Return which outcomes an exact two-sided test rejects: those where all that are no likelier sum up below alpha.

    Args:
        chances: Of all outcomes under the null hypothesis, shape (…, k); each row by itself.
        alpha: Type-I error rate.

    Source:
        As `scipy.stats.binomtest`, `scipy.stats.fisher_exact` and R's `binom.test` (which call 1 part in 1e7 a tie).
    """
    import numpy as np

    order = np.argsort(chances, axis=-1, kind="stable")
    rising = np.take_along_axis(chances, order, axis=-1)
    summed = np.cumsum(rising, axis=-1)
    summed[..., :-1][rising[..., 1:] <= rising[..., :-1] * (1.0 + 1e-7)] = np.inf  # tied with the next: its sum counts
    p = np.minimum.accumulate(summed[..., ::-1], axis=-1)[..., ::-1]
    rejects = np.zeros(chances.shape, dtype=np.bool_)
    np.put_along_axis(rejects, order, p < alpha, axis=-1)
    return rejects
