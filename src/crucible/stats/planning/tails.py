"""Probabilities that a test statistic falls beyond its critical value when there is an effect: t, F and normal."""

from __future__ import annotations

import math

from crucible.stats.planning.design import Alternative

__all__ = ["f_power", "t_power", "tost_power", "z_power"]


def t_power(noncentrality: float, df: float, alpha: float, alternative: Alternative) -> float:
    """Return the power of a t-test; two-sided, both tails count (as `strict = TRUE` in R's `power.t.test`).

    Args:
        noncentrality: Effect divided by its standard error.
        df: Degrees of freedom, above 0.
        alpha: Type-I error rate.
        alternative: Which tails reject.

    Source:
        Non-central t distribution by `scipy.special.nctdtr`.
    """
    from scipy import special

    if alternative == "two_sided":
        critical = -float(special.stdtrit(df, alpha / 2.0))
        return _beyond(noncentrality, df, critical) + _beyond(-noncentrality, df, critical)
    critical = -float(special.stdtrit(df, alpha))
    return _beyond(noncentrality if alternative == "greater" else -noncentrality, df, critical)


def _beyond(noncentrality: float, df: float, critical: float) -> float:
    """P(T > critical); for a negative critical value mirrored, as the distribution function is not good there."""
    from scipy import special

    if critical < 0.0:
        return min(1.0, max(0.0, float(special.nctdtr(df, -noncentrality, -critical))))
    return min(1.0, max(0.0, 1.0 - float(special.nctdtr(df, noncentrality, critical))))


def f_power(noncentrality: float, df_between: float, df_within: float, alpha: float) -> float:
    """Return the power of an F-test.

    Args:
        noncentrality: Sum of squares between groups over the variance within.
        df_between: Numerator degrees of freedom.
        df_within: Denominator degrees of freedom.
        alpha: Type-I error rate.

    Source:
        Non-central F distribution by `scipy.special.ncfdtr`.
    """
    from scipy import special

    critical = float(special.fdtri(df_between, df_within, 1.0 - alpha))
    return min(1.0, max(0.0, 1.0 - float(special.ncfdtr(df_between, df_within, noncentrality, critical))))


def z_power(shift: float, scale: float, alpha: float, alternative: Alternative) -> float:
    """Return the power of a z-test whose statistic is normal with mean `shift` and standard deviation `scale`."""
    from scipy import special

    tail = alpha / 2.0 if alternative == "two_sided" else alpha
    critical = -float(special.ndtri(tail))
    up, down = (float(special.ndtr((sign * shift - critical) / scale)) for sign in (1.0, -1.0))
    return {"two_sided": up + down, "greater": up, "less": down}[alternative]


def tost_power(low: float, high: float, df: float, alpha: float) -> float:
    """Return the exact power of two one-sided t-tests.

    The difference is normal and its standard error has a chi distribution of its own; the probability that the
    (1 - 2 alpha) interval lies inside the margins is integrated over the latter, as Owen's Q does.

    Args:
        low: (True difference + margin) over the standard error.
        high: (Margin - true difference) over the standard error.
        df: Degrees of freedom.
        alpha: Of each of the two tests, below 1/2.

    Source:
        Phillips (1990), Journal of Pharmacokinetics and Biopharmaceutics 18(2):137-144; Owen (1965), Biometrika
        52:437-446.
    """
    from scipy import integrate, special

    critical = -float(special.stdtrit(df, alpha))
    widest = (low + high) / (2.0 * critical)  # relative standard error from which no interval fits inside
    ends = [math.sqrt(float(special.chdtri(df, tail)) / df) for tail in (1.0 - 1e-15, 1e-16)]
    left, right = ends[0], min(ends[1], widest)
    if not left < right:
        return 0.0
    scale = 0.5 * df * math.log(0.5 * df) - float(special.gammaln(0.5 * df)) + math.log(2.0)

    def density(u: float) -> float:
        inside = float(special.ndtr(high - critical * u) - special.ndtr(critical * u - low))
        return inside * math.exp(scale + (df - 1.0) * math.log(u) - 0.5 * df * u * u) if u > 0.0 else 0.0

    middle = min(max(1.0, left), right)
    parts = [
        integrate.quad(density, a, b, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
        for a, b in ((left, middle), (middle, right))
        if a < b
    ]
    return min(1.0, max(0.0, float(sum(parts))))
