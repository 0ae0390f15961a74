"""Sizes of effect with their intervals, positive where the treatment scores higher.

Intervals of standardised mean differences invert the non-central t distribution, so they agree with the t-test of the
same data. None stands where no interval can be computed, never a made-up width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from crucible.errors import DegenerateSample
from crucible.ir import Interval
from crucible.stats.intervals.proportion import clopper_pearson
from crucible.stats.result import Effect

__all__ = [
    "Moments",
    "cohens_d",
    "cohens_dz",
    "cohens_g",
    "cohens_h",
    "glass_delta",
    "hedges_g",
    "noncentrality_limits",
    "pooled_cohens_d",
    "pooled_hedges_g",
]


class Moments(msgspec.Struct, frozen=True):
    """What a t-test needs of a sample.

    Args:
        mean: Arithmetic mean.
        variance: Sample variance, divisor n - 1.
        n: Observations, at least 2.
    """

    mean: float
    variance: float
    n: int


def cohens_g(baseline_only: int, treatment_only: int, *, level: float) -> Effect:
    """Return Cohen's g: the treatment's share of the pairs that differ, minus one half.

    Its exact interval excludes 0 exactly where McNemar's exact test has p < 1 - level.

    Args:
        baseline_only: Pairs in which only the baseline succeeded.
        treatment_only: Pairs in which only the treatment succeeded; at least one pair differs.
        level: Least coverage of the interval.

    Source:
        Cohen (1988), Statistical Power Analysis, chapter 5; interval: Clopper & Pearson (1934), shifted.
    """
    share = clopper_pearson(treatment_only, baseline_only + treatment_only, level=level)
    value = (treatment_only - baseline_only) / (2 * (baseline_only + treatment_only))
    return Effect("cohens_g", value, Interval(share.low - 0.5, share.high - 0.5, level, share.method))


def cohens_h(
    baseline: float, treatment: float, *, trials: tuple[int, int] | None = None, level: float = 0.95
) -> Effect:
    """Return Cohen's h: the difference of two proportions on the arcsine scale, -pi to pi.

    Args:
        baseline: Proportion of the baseline.
        treatment: Proportion of the treatment.
        trials: Trials of baseline and treatment where they are independent, for the interval; None: no interval.
        level: Coverage that the interval aims at.

    Source:
        Cohen (1988), chapter 6; the variance of the arcsine of a root is 1/(4n) whatever the proportion.
    """
    from scipy import special

    value = 2.0 * (math.asin(math.sqrt(treatment)) - math.asin(math.sqrt(baseline)))
    if trials is None:
        return Effect("cohens_h", value)
    width = float(special.ndtri((1.0 + level) / 2.0)) * math.sqrt(1.0 / trials[0] + 1.0 / trials[1])
    low, high = max(-math.pi, value - width), min(math.pi, value + width)
    return Effect("cohens_h", value, Interval(low, high, level, "normal on the arcsine scale"))


def cohens_dz(differences: Moments, *, level: float) -> Effect:
    """Return Cohen's dz: the mean difference of pairs in units of the differences' standard deviation.

    Source:
        Cohen (1988), section 2.3.5; interval: Steiger & Fouladi (1997), by the non-central t distribution.
    """
    dz = differences.mean / math.sqrt(differences.variance)
    limits = noncentrality_limits(dz * math.sqrt(differences.n), differences.n - 1.0, level)
    return Effect("cohens_dz", dz, _scaled(limits, 1.0 / math.sqrt(differences.n), level))


def cohens_d(baseline: Moments, treatment: Moments, *, df: float, level: float) -> Effect:
    """Return Cohen's d on the average variance, which fits Welch's test: Hedges' g without its correction of bias.

    Args:
        baseline: Of the baseline's scores.
        treatment: Of the treatment's scores; the two variances are not both 0.
        df: Welch-Satterthwaite degrees of freedom.
        level: Coverage that the interval aims at.

    Source:
        Delacre, Lakens, Ley, Liu & Leys (2021), as for `hedges_g`.
    """
    return _standardised(baseline, treatment, _average(baseline, treatment, df), level, is_corrected=False)


def hedges_g(baseline: Moments, treatment: Moments, *, df: float, level: float) -> Effect:
    """Return Hedges' g on the average variance, which fits Welch's test: it does not assume equal variances.

    Named `cohens_d` where the samples are too small for the correction of bias to exist.

    Args:
        baseline: Of the baseline's scores.
        treatment: Of the treatment's scores; the two variances are not both 0.
        df: Welch-Satterthwaite degrees of freedom.
        level: Coverage that the interval aims at.

    Source:
        Delacre, Lakens, Ley, Liu & Leys (2021), "Why Hedges' g*s based on the non-pooled standard deviation should be
        reported with Welch's t-test" (doi:10.31234/osf.io/tu6mp); correction: Hedges (1981).
    """
    return _standardised(baseline, treatment, _average(baseline, treatment, df), level, is_corrected=True)


def pooled_cohens_d(baseline: Moments, treatment: Moments, *, level: float) -> Effect:
    """Return Cohen's d on the pooled variance, which fits Student's test: it assumes equal variances.

    Source:
        Cohen (1988), section 2.2; interval: Steiger & Fouladi (1997), by the non-central t distribution.
    """
    return _standardised(baseline, treatment, _pooled(baseline, treatment), level, is_corrected=False)


def pooled_hedges_g(baseline: Moments, treatment: Moments, *, level: float) -> Effect:
    """Return Hedges' g on the pooled variance, which fits Student's test: it assumes equal variances.

    Source:
        Hedges (1981), Journal of Educational Statistics 6(2):107-128.
    """
    return _standardised(baseline, treatment, _pooled(baseline, treatment), level, is_corrected=True)


def glass_delta(baseline: Moments, treatment: Moments, *, level: float) -> Effect:
    """Return Glass' delta: the difference of means in units of the baseline's standard deviation.

    It fits a treatment that changes the spread, too: the reference is how the baseline varies.

    Args:
        baseline: Of the baseline's scores.
        treatment: Of the treatment's scores.
        level: Coverage that the interval aims at.

    Raises:
        DegenerateSample: The baseline does not vary.

    Source:
        Glass (1976), Educational Researcher 5(10):3-8; interval: the non-central t distribution with the baseline's
        degrees of freedom, and both variances in the standard error, as `glass_delta` of the R package effectsize has.
    """
    if baseline.variance == 0.0:
        raise DegenerateSample(
            f"all {baseline.n} baseline scores are {baseline.mean:.6g} up to rounding: Glass' delta needs their spread"
        )
    deviation = math.sqrt(baseline.variance)
    difference = treatment.mean - baseline.mean
    scale = math.sqrt(1.0 / baseline.n + treatment.variance / baseline.variance / treatment.n)
    limits = noncentrality_limits(difference / deviation / scale, baseline.n - 1.0, level)
    return Effect("glass_delta", difference / deviation, _scaled(limits, scale, level))


class _Scale(msgspec.Struct, frozen=True):
    """The standard deviation that a difference is divided by, and what goes with it.

    Args:
        deviation: In units of the score.
        error: Standard error of the difference.
        df_test: Degrees of freedom of the t-test that fits.
        df_deviation: Degrees of freedom of `deviation`, for the correction of bias.
    """

    deviation: float
    error: float
    df_test: float
    df_deviation: float


def _average(baseline: Moments, treatment: Moments, df: float) -> _Scale:
    v, w = baseline.variance, treatment.variance
    a, b = baseline.n - 1, treatment.n - 1
    share = v / (v + w)  # of the baseline; keeps the fourth powers in range
    return _Scale(
        deviation=math.sqrt((v + w) / 2.0),
        error=math.sqrt(v / baseline.n + w / treatment.n),
        df_test=df,
        df_deviation=a * b / (b * share**2 + a * (1.0 - share) ** 2),
    )


def _pooled(baseline: Moments, treatment: Moments) -> _Scale:
    a, b = baseline.n - 1, treatment.n - 1
    deviation = math.sqrt((a * baseline.variance + b * treatment.variance) / (a + b))
    error = deviation * math.sqrt(1.0 / baseline.n + 1.0 / treatment.n)
    return _Scale(deviation, error, df_test=a + b, df_deviation=a + b)


def _standardised(baseline: Moments, treatment: Moments, scale: _Scale, level: float, *, is_corrected: bool) -> Effect:
    is_corrected = is_corrected and scale.df_deviation > 1.0
    correction = _bias_correction(scale.df_deviation) if is_corrected else 1.0
    difference = treatment.mean - baseline.mean
    limits = noncentrality_limits(difference / scale.error, scale.df_test, level)
    name = "hedges_g" if is_corrected else "cohens_d"
    factor = correction * scale.error / scale.deviation
    return Effect(name, correction * difference / scale.deviation, _scaled(limits, factor, level))


def _bias_correction(df: float) -> float:
    """Return Hedges' exact J: gamma(df / 2) / gamma((df - 1) / 2) times the root of 2 / df."""
    from scipy import special

    return float(special.poch((df - 1.0) / 2.0, 0.5)) * math.sqrt(2.0 / df)


def noncentrality_limits(t: float, df: float, level: float) -> tuple[float, float] | None:
    """Return the non-centralities at which an observed t is the upper and the lower tail's quantile.

    Args:
        t: Observed t statistic.
        df: Degrees of freedom, above 0.
        level: Coverage aimed at.

    Returns:
        Lower and upper limit; None where the distribution function gives out (|t| in the thousands and beyond).
    """
    from scipy import special

    def tail(nc: float, probability: float) -> float:
        return float(special.nctdtr(df, nc, size)) - probability

    size = abs(t)  # the distribution function is good to 1e-16 here, and NaN in places for negative t
    low = _root(lambda nc: tail(nc, (1.0 + level) / 2.0), size)
    high = _root(lambda nc: tail(nc, (1.0 - level) / 2.0), size)
    if low is None or high is None:
        return None
    return (low, high) if t >= 0 else (-high, -low)


def _root(falling: Callable[[float], float], start: float) -> float | None:
    from scipy import optimize

    step = 1.0
    left, right = start - step, start + step
    while falling(left) < 0.0 and step < 1e6:
        step *= 2.0
        left -= step
    while falling(right) > 0.0 and step < 1e6:
        step *= 2.0
        right += step
    if not (falling(left) >= 0.0 >= falling(right)):  # NaN fails both
        return None
    try:
        root = float(optimize.brentq(falling, left, right, xtol=1e-14, rtol=1e-14))
    except ValueError:  # NaN on the way
        return None
    return root if abs(falling(root)) < 1e-9 else None


def _scaled(limits: tuple[float, float] | None, factor: float, level: float) -> Interval | None:
    if limits is None:
        return None
    return Interval(limits[0] * factor, limits[1] * factor, level, "non-central t")
