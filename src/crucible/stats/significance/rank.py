"""Tests and effects on ranks: Wilcoxon's for pairs, Mann and Whitney's for independent samples.

The p-value is the rank test's. Difference and interval stay those of the means, as in every result of this room, and
`method` says so; the two answer different questions and can disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import DegenerateSample
from crucible.stats.result import Effect, TestResult
from crucible.stats.significance.attainable import as_far, attainable_size
from crucible.stats.significance.exact_ranks import (
    MOST_PAIRS,
    MOST_STEPS,
    rank_sum_distribution,
    signed_rank_distribution,
    steps_of_rank_sum,
)

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = [
    "Ranked",
    "mann_whitney",
    "rank_biserial",
    "rank_biserial_paired",
    "rounded_differences",
    "signed_ranks",
    "wilcoxon",
]

_EXACT_BELOW = 50  # scores a column without ties, as in R's wilcox.test

_DIGITS = 12  # of the largest score: differences that agree so far are ties, not ranks made of rounding


def wilcoxon(of_means: TestResult, x: FloatArray, y: FloatArray, why: str) -> TestResult:
    """Return Wilcoxon's signed-rank test of the pairs.

    The p-value is exact up to 100 pairs that differ, ties or not, and by the normal approximation beyond.

    Args:
        of_means: The paired t-test of the same columns; its means, difference and interval are kept.
        x: Baseline, shape (n,).
        y: Treatment, shape (n,); some pairs differ.
        why: Why this test is made.

    Raises:
        DegenerateSample: No pair differs by more than rounding.

    Source:
        Wilcoxon (1945), Biometrics Bulletin 1(6):80-83 (pairs that agree are left out); p-value by
        `scipy.stats.wilcoxon`, with ties as in `exact_ranks`.
    """
    differences = rounded_differences(x, y)
    found = signed_ranks(differences, of_means.alpha)
    n = len(differences)
    return msgspec.structs.replace(
        of_means,
        name="wilcoxon",
        statistic=found.statistic,
        df=None,
        p=found.p,
        effect=rank_biserial_paired(x, y),
        counts={"pairs": n, "ties": int((differences == 0).sum())},
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, the differences are spread symmetrically around 0",
            "the interval is that of the mean, by the paired t distribution, and not the rank test's",
        ),
        method=(
            f"Wilcoxon signed-rank test (statistic: the smaller sum of ranks; {found.how}), paired t interval of the "
            f"mean difference, matched-pairs rank-biserial correlation without interval; {why}"
        ),
        attainable=found.attainable,
    )


class Ranked(msgspec.Struct, frozen=True):
    """What a test of ranks finds; `how` says how its p-value came about."""

    statistic: float
    p: float
    how: str
    attainable: float | None


def signed_ranks(differences: FloatArray, alpha: float) -> Ranked:
    """Return Wilcoxon's signed-rank test of differences.

    Args:
        differences: Shape (n,); those of 0 are left out.
        alpha: Type-I error rate of the verdict, for the attainable size.

    Raises:
        DegenerateSample: All differences are 0.
    """
    from scipy import stats

    kept = differences[differences != 0]
    n = len(kept)
    if not n:
        raise DegenerateSample(f"all {len(differences)} differences are 0 up to rounding: there is nothing to rank")
    ranks: Any = stats.rankdata(abs(kept))
    rising, falling = float(ranks[kept > 0].sum()), float(ranks[kept < 0].sum())
    smaller = min(rising, falling)
    if n > MOST_PAIRS:
        found: Any = stats.wilcoxon(kept, correction=False)  # the normal approximation, whatever a version calls it
        how = f"normal approximation with the variance of ties, {n} pairs differ"
        return Ranked(smaller, min(1.0, float(found.pvalue)), how, None)
    probabilities = signed_rank_distribution(ranks)
    p_values = as_far(probabilities, rising + falling)  # of doubled sums
    p, how = min(1.0, float(p_values[round(2.0 * smaller)])), f"exact p-value, counting all signs of {n} tied ranks"
    if len(set(ranks.tolist())) == n:
        p, how = min(1.0, float(stats.wilcoxon(kept, method="exact").pvalue)), "exact p-value"
    return Ranked(smaller, p, how, attainable_size(probabilities, p_values, alpha))


def mann_whitney(of_means: TestResult, x: FloatArray, y: FloatArray, why: str) -> TestResult:
    """Return Mann and Whitney's test of two independent samples.

    The p-value is exact where both columns have fewer than 50 scores without ties, or few enough with ties (about 28
    each), and by the normal approximation, corrected for ties and continuity, beyond.

    Args:
        of_means: Welch's t-test of the same columns; its means, difference and interval are kept.
        x: Baseline, shape (n,).
        y: Treatment, shape (m,).
        why: Why this test is made.

    Source:
        Mann & Whitney (1947), Annals of Mathematical Statistics 18(1):50-60; by `scipy.stats.mannwhitneyu`, with ties
        as in `exact_ranks`.
    """
    found = _rank_sums(x, y, of_means.alpha)
    return msgspec.structs.replace(
        of_means,
        name="mannwhitney",
        statistic=found.statistic,
        df=None,
        p=found.p,
        effect=rank_biserial(x, y),
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, both columns have the same distribution",
            "the interval is that of the means, by Welch's t distribution, and not the rank test's",
        ),
        method=(
            f"Mann-Whitney test (statistic: U of the treatment; {found.how}), Welch t interval of the difference of "
            f"means, rank-biserial correlation without interval; {why}"
        ),
        attainable=found.attainable,
    )


def _rank_sums(x: FloatArray, y: FloatArray, alpha: float) -> Ranked:
    import numpy as np
    from scipy import stats

    ranks: Any = stats.rankdata(np.concatenate((x, y)))
    n, m = len(x), len(y)
    u = float(ranks[n:].sum()) - m * (m + 1) / 2
    is_tied = len(set(ranks.tolist())) < n + m
    drawn, own = (m, ranks[n:]) if m <= n else (n, ranks[:n])  # the smaller column: fewer sums to count
    attained = p = None
    if steps_of_rank_sum(n + m, drawn) <= MOST_STEPS:
        probabilities = rank_sum_distribution(ranks, drawn)
        p_values = as_far(probabilities, drawn * (n + m + 1.0))  # of doubled sums
        attained = attainable_size(probabilities, p_values, alpha)
        p = float(p_values[round(2.0 * float(own.sum()))])
    if is_tied and p is not None:
        return Ranked(u, min(1.0, p), "exact p-value, counting all divisions of the tied ranks", attained)
    how, method = "normal approximation with corrections for ties and continuity", "asymptotic"
    if not is_tied and max(n, m) < _EXACT_BELOW:
        how, method = "exact p-value", "exact"
    found: Any = stats.mannwhitneyu(y, x, alternative="two-sided", method=method)
    return Ranked(u, min(1.0, float(found.pvalue)), how, attained if method == "exact" else None)


def rank_biserial(x: FloatArray, y: FloatArray) -> Effect:
    """Return how often a treatment's score beats a baseline's, minus how often it loses, -1 to 1 (Cliff's delta).

    Source:
        Kerby (2014), Comprehensive Psychology 3:1; Cliff (1993), Psychological Bulletin 114(3):494-509.
    """
    import numpy as np
    from scipy import stats

    ranks: Any = stats.rankdata(np.concatenate((x, y)))
    n, m = len(x), len(y)
    u = float(ranks[n:].sum()) - m * (m + 1) / 2
    return Effect("rank_biserial", 2.0 * u / (n * m) - 1.0)


def rank_biserial_paired(x: FloatArray, y: FloatArray) -> Effect:
    """Return the share of the ranks of pairs that rise minus the share of those that fall, -1 to 1.

    Raises:
        DegenerateSample: No pair differs by more than rounding.

    Source:
        King & Minium (2008); Kerby (2014), Comprehensive Psychology 3:1.
    """
    from scipy import stats

    differences = rounded_differences(x, y)
    differences = differences[differences != 0]
    if not len(differences):
        raise DegenerateSample(f"all {len(x)} differences are 0 up to rounding: there is nothing to rank")
    ranks: Any = stats.rankdata(abs(differences))
    rising, falling = float(ranks[differences > 0].sum()), float(ranks[differences < 0].sum())
    return Effect("rank_biserial", (rising - falling) / (rising + falling))


def rounded_differences(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return differences in units of the largest score, so that .3 - .2 and .2 - .1 tie."""
    largest = max(float(abs(x).max()), float(abs(y).max())) or 1.0
    return ((y - x) / largest).round(_DIGITS)
