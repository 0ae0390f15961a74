"""Tango's score statistic for the difference of two proportions of the same items, at any difference to test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

__all__ = ["tango_score"]


def tango_score(
    baseline_only: npt.ArrayLike, treatment_only: npt.ArrayLike, pairs: int, difference: float
) -> FloatArray:
    """Return how many standard errors the observed difference lies above a difference that is tested.

    Tango's interval at level 1 - 2 alpha is every difference whose score lies within the normal quantiles of alpha.

    Args:
        baseline_only: Pairs in which only the baseline succeeded; counts of any shape.
        treatment_only: Pairs in which only the treatment succeeded; the same shape.
        pairs: All pairs, at least 1.
        difference: Treatment minus baseline that is tested, -1 to 1.

    Returns:
        Scores of the same shape; infinite where the tested difference allows no other outcome.

    Source:
        Tango (1998), Statistics in Medicine 17(8):891-908.
    """
    import numpy as np

    minus, plus = (np.asarray(count, dtype=np.float64) for count in (baseline_only, treatment_only))
    delta = difference
    excess = plus - minus - pairs * delta
    if delta < 0.0:
        minus, plus, delta = plus, minus, -delta
    b = (2.0 * pairs + minus - plus) * delta - (minus + plus)
    c = -minus * delta * (1.0 - delta)
    share = (np.sqrt(np.maximum(0.0, b * b - 8.0 * pairs * c)) - b) / (
        4.0 * pairs
    )  # of pairs that fall, at its maximum
    variance = np.maximum(0.0, 2.0 * share + delta * (1.0 - delta))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(excess / np.sqrt(pairs * variance), nan=0.0, posinf=np.inf, neginf=-np.inf)
