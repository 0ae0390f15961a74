"""The paired bootstrap-t test: resampled pairs, a studentised mean, one distribution for p-value and interval.

Resamples are drawn in blocks, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.effect import cohens_dz
from crucible.stats.extra import needs_stats, versions
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, check_rates, paired_columns
from crucible.stats.tdist import moments

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["bootstrap_paired"]

_BLOCK = 1 << 20  # doubles held at once


@needs_stats
def bootstrap_paired(
    baseline: Scores,
    treatment: Scores,
    *,
    alpha: float = 0.05,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> TestResult:
    """Compare two columns of scores of the same items by resampling the pairs.

    The p-value and the interval come from the same |t*|, so that they agree with each other.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval.
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
    import numpy as np

    check_rates(alpha, level)
    if resamples < 100:
        raise StatsError(f"a bootstrap needs at least 100 resamples, got {resamples}")
    x, y = paired_columns(baseline, treatment)
    differences = y - x  # (n,)
    n = len(differences)
    found = moments(differences, largest=max(float(abs(x).max()), float(abs(y).max())))
    error = math.sqrt(found.variance / n)
    if error == 0.0:
        raise DegenerateSample(f"all {n} differences are {found.mean:.6g} up to rounding: nothing to resample")
    t = found.mean / error
    sizes = _absolute_t(differences, found.mean, resamples, seed)  # (resamples,)
    width = float(np.sort(sizes)[min(resamples - 1, math.ceil(level * (resamples + 1)) - 1)]) * error
    if not math.isfinite(width):
        flat = int(np.isinf(sizes).sum())
        raise DegenerateSample(
            f"{flat} of {resamples} resamples of the {n} differences have no spread: too few pairs differ"
        )
    return TestResult(
        name="bootstrap",
        statistic=t,
        p=(1 + int((sizes >= abs(t)).sum())) / (resamples + 1),
        difference=found.mean,
        interval=Interval(found.mean - width, found.mean + width, level, "symmetric bootstrap-t"),
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


def _absolute_t(differences: FloatArray, mean: float, resamples: int, seed: int) -> FloatArray:
    import numpy as np

    n = len(differences)
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    sizes = np.empty(resamples)
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        drawn = differences[random.integers(0, n, size=(count, n))]  # (count, n)
        error = drawn.std(axis=1, ddof=1) / math.sqrt(n)
        shift = np.abs(drawn.mean(axis=1) - mean)
        flat = error <= 1e-13 * np.abs(drawn).max(axis=1)
        sizes[start : start + count] = np.where(flat, np.inf, shift / np.where(flat, 1.0, error))
    return sizes
