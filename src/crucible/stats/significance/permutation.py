"""Permutation tests: the same scores dealt anew, in every way where the ways are few, at random otherwise.

The interval inverts the test: it holds every shift of the treatment that the test, of the same arrangements, would not
find. Both come without a formula for a distribution.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample
from crucible.ir import Interval
from crucible.stats.comparing.stratum import standardised, strata_of
from crucible.stats.effects.effect import cohens_dz, hedges_g
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, independent_columns, paired_columns
from crucible.stats.significance.arrangements import Arrangements, deals, flips
from crucible.stats.significance.inversion import INVERTED, inverted_interval, share_as_large
from crucible.stats.significance.tdist import critical_t, moments, welch_error
from crucible.stats.whole_number import check_draws

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["permutation_independent", "permutation_paired"]


@needs_stats
def permutation_paired(
    baseline: Scores,
    treatment: Scores,
    *,
    alpha: float = 0.05,
    level: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> TestResult:
    """Compare two columns of scores of the same items by exchanging the scores of pairs.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.
        resamples: How many arrangements to draw, at least 100; up to 16 pairs all of them are named instead.
        seed: Seed of the draw; the same seed gives the same result.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or there are too few resamples.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: All differences are the same. (Where all of them are 0, `compare_paired` has a result.)

    Source:
        Fisher (1935), The Design of Experiments, section 21; p-value and interval: see `inversion`.
    """
    level = level_of(alpha, level)
    resamples, seed = check_draws(resamples, seed, "a permutation test")
    x, y = paired_columns(baseline, treatment)
    differences = y - x  # (n,)
    n = len(differences)
    found = moments(differences, largest=max(float(abs(x).max()), float(abs(y).max())))
    if found.variance == 0.0:
        raise DegenerateSample(f"all {n} differences are {found.mean:.6g} up to rounding: exchanging shows nothing")
    arranged = flips(differences, resamples, seed)
    p = share_as_large(arranged, found.mean)
    half = critical_t(n - 1, level) * math.sqrt(found.variance / n)
    interval = inverted_interval(arranged, found.mean, level) or Interval(
        found.mean - half, found.mean + half, level, "paired t"
    )
    return TestResult(
        name="permutation",
        statistic=found.mean,
        p=p,
        difference=found.mean,
        interval=interval,
        effect=cohens_dz(found, level=level),
        n=n,
        counts={"pairs": n, "ties": int((differences == 0).sum()), "arrangements": len(arranged.kept)},
        assumptions=(
            "the two scores of a pair belong to the same item, and the items are independent of each other",
            "if there is no difference, the two scores of a pair could as well be exchanged",
        ),
        method=(
            f"paired permutation test (statistic: the mean difference; {_how(arranged, seed)}), {_which(interval)}, "
            "Cohen's dz with non-central t interval; chosen by the caller"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
    )


@needs_stats
def permutation_independent(
    baseline: Scores,
    treatment: Scores,
    *,
    strata: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
    alpha: float = 0.05,
    level: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> TestResult:
    """Compare two columns of scores of different items by dealing all scores anew to the two.

    With `strata`, scores are dealt within a stratum only, and the difference is the mean of the strata's differences,
    weighted by n m / (n + m); the means beside it are weighted alike. A stratum with scores on one side only says
    nothing and is left out, which `counts` shows.

    Args:
        baseline: Scores, at least two.
        treatment: Scores of other items, at least two.
        strata: The stratum of each score of the baseline, and of each score of the treatment.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.
        resamples: How many arrangements to draw, at least 100; where there are no more than 100,000, all of them are
            named instead.
        seed: Seed of the draw; the same seed gives the same result.

    Raises:
        StatsError: A score is no finite number, there are too few resamples, or the strata are not one a score.
        TooFewSamples: A column has fewer than two scores, or no stratum has scores on both sides.
        DegenerateSample: The scores do not vary within baseline and treatment (of a stratum).

    Source:
        Pitman (1937), Supplement to JRSS 4(1):119-130; p-value and interval as in `permutation_paired`.
    """
    level = level_of(alpha, level)
    resamples, seed = check_draws(resamples, seed, "a permutation test")
    x, y = independent_columns(baseline, treatment)
    if strata is not None:
        return _stratified(strata_of(x, y, strata), (len(x), len(y)), alpha, level, (resamples, seed))
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if base.variance == treated.variance == 0.0:
        raise DegenerateSample("neither column varies: dealing the scores anew shows nothing")
    error, df = welch_error(base, treated)
    difference = treated.mean - base.mean
    arranged = deals([(x, y)], resamples, seed)
    half = critical_t(df, level) * error
    interval = inverted_interval(arranged, difference, level) or Interval(
        difference - half, difference + half, level, "Welch t"
    )
    return TestResult(
        name="permutation_independent",
        statistic=difference,
        p=share_as_large(arranged, difference),
        difference=difference,
        interval=interval,
        effect=hedges_g(base, treated, df=df, level=level),
        n=base.n + treated.n,
        counts={"baseline": base.n, "treatment": treated.n, "arrangements": len(arranged.kept)},
        assumptions=(
            "all scores are independent of each other: no item is in both columns, and none twice in one",
            "if there is no difference, both columns have the same distribution",
        ),
        method=(
            "permutation test of two independent samples (statistic: the difference of means; "
            f"{_how(arranged, seed)}), {_which(interval)}, Hedges' g on the average variance with non-central t "
            "interval; chosen by the caller"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=base.mean,
        treatment_mean=treated.mean,
    )


def _stratified(
    strata: list[tuple[FloatArray, FloatArray]],
    sizes: tuple[int, int],
    alpha: float,
    level: float,
    draw: tuple[int, int],
) -> TestResult:
    found = standardised(strata, level)
    arranged = deals(strata, *draw)
    interval = inverted_interval(arranged, found.difference, level) or found.interval
    return TestResult(
        name="permutation_stratified",
        statistic=found.difference,
        p=share_as_large(arranged, found.difference),
        difference=found.difference,
        interval=interval,
        effect=found.effect,
        n=found.n,
        counts={
            "baseline": sum(len(x) for x, _ in strata),
            "treatment": sum(len(y) for _, y in strata),
            "strata": len(strata),
            "left_out": sum(sizes) - found.n,
            "arrangements": len(arranged.kept),
        },
        assumptions=(
            "all scores are independent of each other: no item is in both columns, and none twice in one",
            "if there is no difference, baseline and treatment have the same distribution within each stratum",
            "the difference is the same in all strata, or its mean over them is what is asked for",
        ),
        method=(
            f"stratified permutation test (statistic: the weighted difference of means; {_how(arranged, draw[1])}), "
            f"{_which(interval)}; means, difference and effect are those of {len(strata)} strata weighted by "
            "n m / (n + m), the effect in units of the pooled standard deviation within them, without interval; chosen "
            "by the caller"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=found.baseline_mean,
        treatment_mean=found.treatment_mean,
    )


def _how(arranged: Arrangements, seed: int) -> str:
    count = len(arranged.kept)
    return f"all {count} arrangements" if arranged.is_complete else f"{count} arrangements drawn with seed {seed}"


def _which(interval: Interval) -> str:
    if interval.method == INVERTED:
        return "interval of all shifts that this test would not find"
    return f"{interval.method} interval of the difference, for there are too few arrangements for one of this test"
