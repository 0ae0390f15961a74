"""Student's t as the tests of this room need it: p-value, critical value, and what counts as no spread at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.stats.effects.effect import Moments

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["critical_t", "moments", "two_sided_p", "welch_error"]

_ROUNDING = 1e-13  # relative to the largest score: below it, what looks like spread is rounding


def two_sided_p(t: float, df: float) -> float:
    """Return P(|T| >= |t|) for `df` degrees of freedom, by scipy's distribution function."""
    from scipy import special

    return min(1.0, 2.0 * float(special.stdtr(df, -abs(t))))


def critical_t(df: float, level: float) -> float:
    """Return the value that |T| stays below with probability `level`."""
    from scipy import special

    return float(special.stdtrit(df, (1.0 + level) / 2.0))


def moments(values: FloatArray, *, largest: float) -> Moments:
    """Return mean and variance; a variance that is only rounding is 0.

    Args:
        values: Shape (n,), n >= 2.
        largest: Largest absolute score that the values come from, for the size of rounding.
    """
    import numpy as np

    shift = float(values[0])  # what the values have in common costs no digits
    shifted = values - shift
    mean = float(shifted.mean())
    spread = float(np.abs(shifted - mean).max())
    variance = float(shifted.var(ddof=1)) if spread > _ROUNDING * largest else 0.0
    return Moments(shift + mean, variance, len(values))


def welch_error(baseline: Moments, treatment: Moments) -> tuple[float, float]:
    """Return the standard error of a difference of means, and its degrees of freedom, without equal variances.

    Args:
        baseline: Of the baseline's scores.
        treatment: Of the treatment's scores; the two variances are not both 0.

    Source:
        Welch (1947), Biometrika 34:28-35; Satterthwaite (1946), Biometrics Bulletin 2(6):110-114.
    """
    a, b = baseline.variance / baseline.n, treatment.variance / treatment.n
    share = a / (a + b)  # keeps the squares of Welch and Satterthwaite in range
    df = 1.0 / (share**2 / (baseline.n - 1) + (1.0 - share) ** 2 / (treatment.n - 1))
    return math.sqrt(a + b), df
