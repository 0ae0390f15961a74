"""Bootstrap-t tests: resampled scores, a studentised mean, one distribution for p-value and interval.

Resamples are drawn in blocks, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample
from crucible.ir import Interval
from crucible.stats.effects.effect import cohens_dz, hedges_g
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, independent_columns, paired_columns
from crucible.stats.significance.tdist import moments, welch_error
from crucible.stats.whole_number import check_draws

if TYPE_CHECKING:
    import numpy as np

    from crucible.stats.sample import FloatArray

__all__ = ["bootstrap_independent", "bootstrap_paired"]

_BLOCK = 1 << 20  # doubles held at once


@needs_stats
def bootstrap_paired(
    baseline: Scores,
    treatment: Scores,
    *,
    alpha: float = 0.05,
    level: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> TestResult:
    """Compare two columns of scores of the same items by resampling the pairs.

    The p-value and the interval come from the same |t*|, so that they agree with each other.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.
        resamples: How often to resample, at least 100.
        seed: Seed of the resampling; the same seed gives the same result.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or there are too few resamples.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: The differences vary too little: too many resamples have no spread. (Where all of them are
            0, `compare_paired` has a result.)

    Source:
        Symmetric bootstrap-t: Hall (1988), JRSS B 50(1):35-45; Efron & Tibshirani (1993), chapters 12 and 16.
    """
    level = level_of(alpha, level)
    resamples, seed = check_draws(resamples, seed, "a bootstrap")
    x, y = paired_columns(baseline, treatment)
    differences = y - x  # (n,)
    n = len(differences)
    found = moments(differences, largest=max(float(abs(x).max()), float(abs(y).max())))
    error = math.sqrt(found.variance / n)
    if error == 0.0:
        raise DegenerateSample(f"all {n} differences are {found.mean:.6g} up to rounding: nothing to resample")
    sizes = _paired_sizes(differences, found.mean, resamples, seed)  # (resamples,)
    p, width = _p_and_width(sizes, abs(found.mean / error), level, f"the {n} differences", "too few pairs differ")
    return TestResult(
        name="bootstrap",
        statistic=found.mean / error,
        p=p,
        difference=found.mean,
        interval=Interval(found.mean - width * error, found.mean + width * error, level, "symmetric bootstrap-t"),
        effect=cohens_dz(found, level=level),
        n=n,
        counts={"pairs": n, "ties": int((differences == 0).sum()), "resamples": resamples},
        assumptions=(
            "the two scores of a pair belong to the same item, and the items are independent of each other",
            f"{n} items are enough to stand for all items",
        ),
        method=(
            f"paired bootstrap-t test and symmetric bootstrap-t interval ({resamples} resamples, seed {seed}), "
            "Cohen's dz with non-central t interval; chosen by the caller"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
    )


@needs_stats
def bootstrap_independent(
    baseline: Scores,
    treatment: Scores,
    *,
    alpha: float = 0.05,
    level: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> TestResult:
    """Compare two columns of scores of different items by resampling each column on its own.

    The p-value and the interval come from the same |t*|, so that they agree with each other.

    Args:
        baseline: Scores, at least two.
        treatment: Scores of other items, at least two.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.
        resamples: How often to resample, at least 100.
        seed: Seed of the resampling; the same seed gives the same result.

    Raises:
        StatsError: A score is no finite number, or there are too few resamples.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: The scores vary too little: too many resamples have no spread.

    Source:
        Symmetric bootstrap-t: Hall (1988), JRSS B 50(1):35-45; two samples: Efron & Tibshirani (1993), section 16.2.
    """
    level = level_of(alpha, level)
    resamples, seed = check_draws(resamples, seed, "a bootstrap")
    x, y = independent_columns(baseline, treatment)
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if base.variance == treated.variance == 0.0:
        raise DegenerateSample("neither column varies: nothing to resample")
    error, df = welch_error(base, treated)
    difference = treated.mean - base.mean
    sizes = _independent_sizes(x, y, resamples, seed)  # (resamples,)
    n, m = base.n, treated.n
    p, width = _p_and_width(sizes, abs(difference / error), level, f"the {n} and {m} scores", "too few scores differ")
    return TestResult(
        name="bootstrap_independent",
        statistic=difference / error,
        p=p,
        difference=difference,
        interval=Interval(difference - width * error, difference + width * error, level, "symmetric bootstrap-t"),
        effect=hedges_g(base, treated, df=df, level=level),
        n=n + m,
        counts={"baseline": n, "treatment": m, "resamples": resamples},
        assumptions=(
            "all scores are independent of each other: no item is in both columns, and none twice in one",
            f"{n} and {m} scores are enough to stand for all",
        ),
        method=(
            f"bootstrap-t test of two independent samples and symmetric bootstrap-t interval ({resamples} resamples, "
            f"seed {seed}), Hedges' g on the average variance with non-central t interval; chosen by the caller"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=base.mean,
        treatment_mean=treated.mean,
    )


def _p_and_width(sizes: FloatArray, t: float, level: float, what: str, why: str) -> tuple[float, float]:
    """Return the p-value, and the half-width of the interval in standard errors."""
    import numpy as np

    resamples = len(sizes)
    width = float(np.sort(sizes)[min(resamples - 1, math.ceil(level * (resamples + 1)) - 1)])
    if not math.isfinite(width):
        flat = int(np.isinf(sizes).sum())
        raise DegenerateSample(f"{flat} of {resamples} resamples of {what} have no spread: {why}")
    return (1 + int((sizes >= t).sum())) / (resamples + 1), width


def _paired_sizes(differences: FloatArray, mean: float, resamples: int, seed: int) -> FloatArray:
    """Return |t*| of each resample, infinite where it has no spread."""
    import numpy as np

    random = np.random.default_rng(seed)
    sizes = np.empty(resamples)
    for start, count in _blocks(resamples, len(differences)):
        drawn = _draw(differences, count, random)  # (count, n)
        error = drawn.std(axis=1, ddof=1) / math.sqrt(len(differences))
        sizes[start : start + count] = _studentised(np.abs(drawn.mean(axis=1) - mean), error, np.abs(drawn).max(axis=1))
    return sizes


def _independent_sizes(x: FloatArray, y: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Return |t*| of each resample, infinite where neither column of it has spread."""
    import numpy as np

    random = np.random.default_rng(seed)
    difference = float(y.mean() - x.mean())
    sizes = np.empty(resamples)
    for start, count in _blocks(resamples, len(x) + len(y)):
        base, treated = _draw(x, count, random), _draw(y, count, random)  # (count, n), (count, m)
        error = np.sqrt(base.var(axis=1, ddof=1) / len(x) + treated.var(axis=1, ddof=1) / len(y))
        shift = np.abs(treated.mean(axis=1) - base.mean(axis=1) - difference)
        largest = np.maximum(np.abs(base).max(axis=1), np.abs(treated).max(axis=1))
        sizes[start : start + count] = _studentised(shift, error, largest)
    return sizes


def _blocks(resamples: int, n: int) -> list[tuple[int, int]]:
    """Return start and length of each block of resamples of `n` scores."""
    block = max(1, _BLOCK // n)
    return [(start, min(block, resamples - start)) for start in range(0, resamples, block)]


def _draw(values: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    return values[random.integers(0, len(values), size=(count, len(values)))]


def _studentised(shift: FloatArray, error: FloatArray, largest: FloatArray) -> FloatArray:
    import numpy as np

    flat = error <= 1e-13 * largest  # what looks like spread is rounding
    with np.errstate(over="ignore"):  # beyond the largest double it is infinite, as without spread
        return np.where(flat, np.inf, shift / np.where(flat, 1.0, error))
