"""Bootstrap intervals of any statistic: percentile, basic and BCa, of one column or of the difference of two.

Memory does not grow with the number of resamples times the length of the column. Small samples and long tails make all
three cover less than they say; for a mean, `mean_interval` and `bootstrap_paired` are the first choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval, did_you_mean
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.resampled_statistic import Statistic, influences, observed, resampled
from crucible.stats.sample import Scores, check_rates, independent_columns, is_by_id, one_column, paired_columns
from crucible.stats.whole_number import check_draws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crucible.stats.sample import FloatArray

__all__ = ["bootstrap_ci", "bootstrap_difference_ci", "bootstrap_limits"]

_TITLES = {"percentile": "percentile bootstrap", "basic": "basic bootstrap", "bca": "BCa bootstrap"}
_RELATIVE_TIE = 1e-9  # of the range of the resamples: what differs by less is the same number, rounded twice


@needs_stats
def bootstrap_ci(
    values: Scores,
    statistic: Statistic = "mean",
    *,
    method: str = "bca",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a bootstrap interval for a statistic of independent values.

    Args:
        values: At least 2 finite numbers, or a mapping of them by item id.
        statistic: `mean`, `median`, or a function of an array to a number. One that takes `axis`, as those of numpy do,
            is called on many resamples at once.
        method: `bca` (corrected for bias and skewness), `percentile` or `basic`.
        resamples: How often to resample, at least 100.
        level: Coverage aimed at, between 0 and 1.
        seed: The same seed gives the same interval.

    Raises:
        StatsError: A value or the statistic of a resample is no finite number, or an option is out of range.
        TooFewSamples: There are fewer than 2 values.
        DegenerateSample: The statistic is the same for every resample, or lies outside all of them under `bca`.

    Source:
        Efron (1987), JASA 82(397):171-185; Efron & Tibshirani (1993), chapters 13 and 14; Davison & Hinkley (1997),
        chapter 5. Beyond 1,000 values the acceleration is that of 1,000 groups of them, unless the statistic is the
        mean.
    """
    import numpy as np

    _check(method, level)
    resamples, seed = check_draws(resamples, seed, "a bootstrap")
    x = one_column(values)  # (n,)
    if len(x) < 2:
        raise TooFewSamples(f"a bootstrap needs at least 2 values, got {len(x)}")
    random = np.random.default_rng(seed)
    (found,) = resampled(statistic, (x,), resamples, random)
    estimate = observed(statistic, x)
    pulls = [influences(statistic, x, random)] if method == "bca" else []
    low, high = bootstrap_limits(found, estimate, pulls, method=method, level=level)
    return Interval(low, high, level, f"{_TITLES[method]}, {resamples} resamples, seed {seed}")


@needs_stats
def bootstrap_difference_ci(
    baseline: Scores,
    treatment: Scores,
    statistic: Statistic = "mean",
    *,
    paired: bool = False,
    method: str = "bca",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a bootstrap interval for a statistic of the treatment minus that of the baseline.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way; mappings by id are paired.
        statistic: As for `bootstrap_ci`.
        paired: Whether scores at the same position belong to the same item, so that pairs are resampled.
        method: `bca`, `percentile` or `basic`.
        resamples: How often to resample, at least 100.
        level: Coverage aimed at, between 0 and 1.
        seed: The same seed gives the same interval.

    Raises:
        StatsError: As for `bootstrap_ci`, or lengths or ids of paired scores do not match.
        TooFewSamples: A column has fewer than 2 scores.
        DegenerateSample: As for `bootstrap_ci`.

    Source:
        As for `bootstrap_ci`; the acceleration of two samples: Davison & Hinkley (1997), section 5.3.2.
    """
    import numpy as np

    _check(method, level)
    resamples, seed = check_draws(resamples, seed, "a bootstrap")
    random = np.random.default_rng(seed)
    if paired or is_by_id(baseline) or is_by_id(treatment):
        x, y = paired_columns(baseline, treatment)
        if statistic == "mean":
            return bootstrap_ci(y - x, method=method, resamples=resamples, level=level, seed=seed)
        base, treated = resampled(statistic, (x, y), resamples, random)
        pulls = _paired_influences(statistic, x, y, seed) if method == "bca" else []
    else:
        x, y = independent_columns(baseline, treatment)
        (base,), (treated,) = (resampled(statistic, (column,), resamples, random) for column in (x, y))
        pulls = [-influences(statistic, x, random), influences(statistic, y, random)] if method == "bca" else []
    estimate = observed(statistic, y) - observed(statistic, x)
    low, high = bootstrap_limits(treated - base, estimate, pulls, method=method, level=level)
    return Interval(low, high, level, f"{_TITLES[method]}, {resamples} resamples, seed {seed}")


def bootstrap_limits(
    found: FloatArray, estimate: float, pulls: Sequence[FloatArray], *, method: str, level: float
) -> tuple[float, float]:
    """Return the limits of an interval, from a statistic that was resampled.

    Args:
        found: Of each resample, shape (resamples,).
        estimate: Of the sample.
        pulls: Influence of each value, by sample; for `bca` alone.
        method: `bca`, `percentile` or `basic`.
        level: Coverage aimed at.

    Raises:
        DegenerateSample: The resamples do not vary, or BCa does not exist for them.
    """
    import numpy as np

    if float(found.min()) == float(found.max()):
        raise DegenerateSample(f"all {len(found)} resamples give {float(found[0]):.6g}: a bootstrap needs spread")
    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    shares = _bca_shares(found, estimate, pulls, tails) if method == "bca" else tails
    low, high = (float(limit) for limit in np.quantile(found, shares))
    return (2.0 * estimate - high, 2.0 * estimate - low) if method == "basic" else (low, high)


def _bca_shares(
    found: FloatArray, estimate: float, pulls: Sequence[FloatArray], tails: tuple[float, float]
) -> tuple[float, float]:
    """Return which quantiles of the resamples are the limits."""
    import numpy as np
    from scipy import special

    tie = _RELATIVE_TIE * float(found.max() - found.min())
    below = float((found < estimate - tie).sum() + (found <= estimate + tie).sum()) / (2.0 * len(found))
    if below in (0.0, 1.0):
        side = "above" if below == 0.0 else "below"
        raise DegenerateSample(
            f"all {len(found)} resamples lie {side} the estimate {estimate:.6g}: BCa cannot correct such a bias; "
            'use another statistic, or method="percentile"'
        )
    z0 = float(special.ndtri(below))
    a = _acceleration(pulls)
    z = z0 + special.ndtri(np.array(tails))
    if not bool((a * z < 1.0).all()):
        raise DegenerateSample(
            f"the statistic is too skewed for BCa (acceleration {a:.3g}, bias correction {z0:.3g}) at this level; "
            'use method="percentile"'
        )
    low, high = special.ndtr(z0 + z / (1.0 - a * z))
    return float(low), float(high)


def _acceleration(pulls: Sequence[FloatArray]) -> float:
    """Return a sixth of the skewness of the estimate; 0 where leaving out a value changes nothing."""
    largest = max(float(abs(pull).max()) for pull in pulls)
    if largest == 0.0:
        return 0.0
    scaled = [pull / largest for pull in pulls]  # keeps the cubes in range
    cubes = sum(float((pull**3).sum()) / len(pull) ** 3 for pull in scaled)
    squares = sum(float((pull**2).sum()) / len(pull) ** 2 for pull in scaled)
    return cubes / (6.0 * squares**1.5)


def _paired_influences(statistic: Statistic, x: FloatArray, y: FloatArray, seed: int) -> list[FloatArray]:
    import numpy as np

    # the same seed twice: where groups of pairs are left out, they are the same pairs on both sides
    base, treated = (influences(statistic, column, np.random.default_rng([seed, 1])) for column in (x, y))
    return [treated - base]


def _check(method: str, level: float) -> None:
    check_rates(0.5, level)
    if method not in _TITLES:
        raise StatsError(
            f'unknown bootstrap interval "{method}"{did_you_mean(method, _TITLES)}; known: {", ".join(_TITLES)}'
        )
