"""Tests and effects on ranks: Wilcoxon's for pairs, Mann and Whitney's for independent samples.

The p-value is the rank test's. Difference and interval stay those of the means, as in every result of this room, and
`method` says so; the two answer different questions and can disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from crucible.errors import DegenerateSample
from crucible.stats.result import Effect, TestResult

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["mann_whitney", "rank_biserial", "rank_biserial_paired", "wilcoxon"]

_DIGITS = 12  # of the largest score: differences that agree so far are ties, not ranks made of rounding


def wilcoxon(of_means: TestResult, x: FloatArray, y: FloatArray, why: str) -> TestResult:
    """Return Wilcoxon's signed-rank test of the pairs.

    Args:
        of_means: The paired t-test of the same columns; its means, difference and interval are kept.
        x: Baseline, shape (n,).
        y: Treatment, shape (n,); some pairs differ.
        why: Why this test is made.

    Raises:
        DegenerateSample: No pair differs by more than rounding.

    Source:
        Wilcoxon (1945), Biometrics Bulletin 1(6):80-83; p-value by `scipy.stats.wilcoxon` (pairs that agree are left
        out).
    """
    from scipy import stats

    differences = _rounded(x, y)
    if not bool(differences.any()):
        raise DegenerateSample(f"all {len(x)} differences are 0 up to rounding: there is nothing to rank")
    found: Any = stats.wilcoxon(differences)
    n = len(differences)
    return msgspec.structs.replace(
        of_means,
        name="wilcoxon",
        statistic=float(found.statistic),
        df=None,
        p=min(1.0, float(found.pvalue)),
        effect=rank_biserial_paired(x, y),
        counts={"pairs": n, "ties": int((differences == 0).sum())},
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, the differences are spread symmetrically around 0",
            "the interval is that of the mean, by the paired t distribution, and not the rank test's",
        ),
        method=(
            "Wilcoxon signed-rank test (statistic: the smaller sum of ranks), paired t interval of the mean "
            f"difference, matched-pairs rank-biserial correlation without interval; {why}"
        ),
    )


def mann_whitney(of_means: TestResult, x: FloatArray, y: FloatArray, why: str) -> TestResult:
    """Return Mann and Whitney's test of two independent samples.

    Args:
        of_means: Welch's t-test of the same columns; its means, difference and interval are kept.
        x: Baseline, shape (n,).
        y: Treatment, shape (m,).
        why: Why this test is made.

    Source:
        Mann & Whitney (1947), Annals of Mathematical Statistics 18(1):50-60; by `scipy.stats.mannwhitneyu`.
    """
    from scipy import stats

    found: Any = stats.mannwhitneyu(y, x, alternative="two-sided")
    return msgspec.structs.replace(
        of_means,
        name="mannwhitney",
        statistic=float(found.statistic),
        df=None,
        p=min(1.0, float(found.pvalue)),
        effect=rank_biserial(x, y),
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, both columns have the same distribution",
            "the interval is that of the means, by Welch's t distribution, and not the rank test's",
        ),
        method=(
            "Mann-Whitney test (statistic: U of the treatment), Welch t interval of the difference of means, "
            f"rank-biserial correlation without interval; {why}"
        ),
    )


def rank_biserial(x: FloatArray, y: FloatArray) -> Effect:
    """Return how often a treatment's score beats a baseline's, minus how often it loses, -1 to 1 (Cliff's delta).

    Source:
        Kerby (2014), Comprehensive Psychology 3:1; Cliff (1993), Psychological Bulletin 114(3):494-509.
    """
    from scipy import stats

    ranks: Any = stats.rankdata([*x, *y])
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

    differences = _rounded(x, y)
    differences = differences[differences != 0]
    if not len(differences):
        raise DegenerateSample(f"all {len(x)} differences are 0 up to rounding: there is nothing to rank")
    ranks: Any = stats.rankdata(abs(differences))
    rising, falling = float(ranks[differences > 0].sum()), float(ranks[differences < 0].sum())
    return Effect("rank_biserial", (rising - falling) / (rising + falling))


def _rounded(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return differences in units of the largest score, so that .3 - .2 and .2 - .1 tie."""
    largest = max(float(abs(x).max()), float(abs(y).max())) or 1.0
    return ((y - x) / largest).round(_DIGITS)
