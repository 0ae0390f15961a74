"""Comparing scores of items that come in clusters: t-tests whose standard error is that of clusters.

Questions on one passage succeed and fail together, so that a hundred of them are less than a hundred items. Every item
still counts once in the mean; what changes is how sure the mean is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.result import Effect, TestResult
from crucible.stats.sample import independent_columns, paired_columns
from crucible.stats.significance.tdist import critical_t, moments, two_sided_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["CLUSTERED_TESTS", "ClusteredMean", "cluster_robust_mean", "clustered_independent", "clustered_paired"]

CLUSTERED_TESTS = ("auto", "clustered_ttest")
"""Names of the tests that these comparisons execute; `ttest` means the second."""

_MEANT = {"ttest": "clustered_ttest", "t_test": "clustered_ttest"}
_FEW_CLUSTERS = 10


class ClusteredMean(msgspec.Struct, frozen=True):
    """A mean with the standard error of clusters.

    Args:
        mean: Of all values, each with the same weight.
        error: Its standard error.
        df: Degrees of freedom of error, for the t distribution.
        clusters: How many.
    """

    mean: float
    error: float
    df: float
    clusters: int


@needs_stats
def cluster_robust_mean(values: FloatArray, clusters: list[str]) -> ClusteredMean:
    """Return a mean with its bias-reduced cluster-robust standard error and Satterthwaite degrees of freedom.

    Where all clusters have the same size, the two are those of a t-test of the clusters' means.

    Args:
        values: Shape (n,).
        clusters: Of each value, n of them.

    Raises:
        TooFewSamples: All values are in one cluster.

    Source:
        Bell & McCaffrey (2002), Survey Methodology 28(2):169-181 (CR2); in closed form for a mean, whose hat matrix is
        1/n everywhere. Recommended for few clusters by Imbens & Kolesar (2016), Rev. Econ. Stat. 98(4):701-712.
    """
    import numpy as np

    _, place = np.unique(np.asarray(clusters), return_inverse=True)  # (n,)
    sizes = np.bincount(place)  # (g,)
    if len(sizes) < 2:
        raise TooFewSamples(f"all {len(values)} items are in one cluster: a clustered comparison needs at least 2")
    mean = float(values.mean())
    share = sizes / len(values)  # (g,)
    sums = np.bincount(place, weights=values - mean)  # (g,) residuals
    variance = float((sums**2 / (1.0 - share)).sum()) / len(values) ** 2
    u = share**2 / (1.0 - share)
    df = 1.0 / float((share**2).sum() + u.sum() ** 2 - (u**2).sum())
    return ClusteredMean(mean, math.sqrt(variance), df, len(sizes))


@needs_stats
def clustered_paired(
    baseline: Mapping[str, float],
    treatment: Mapping[str, float],
    clusters: Mapping[str, str],
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
) -> TestResult:
    """Compare two columns of scores of the same items, which come in clusters.

    Args:
        baseline: Score by item id.
        treatment: Score by item id, of the same items.
        clusters: Cluster by item id.
        test: `auto`, or one of `CLUSTERED_TESTS`.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.

    Raises:
        StatsError: A score is no finite number, ids do not match, or the test is not for clusters.
        TooFewSamples: There are fewer than two items or clusters.
        DegenerateSample: The differences do not vary between clusters.
    """
    level = level_of(alpha, level)
    _check_test(test)
    x, y = paired_columns(baseline, treatment)  # (n,) each
    differences = y - x
    n, largest = len(x), max(float(abs(x).max()), float(abs(y).max()))
    found = cluster_robust_mean(differences, [clusters[item] for item in baseline])
    spread = moments(differences, largest=largest)
    _check_spread(found.error, largest, f"the {n} differences, {found.mean:.6g} on average,")
    t, width = found.mean / found.error, critical_t(found.df, level) * found.error
    return TestResult(
        name="clustered_ttest",
        statistic=t,
        df=found.df,
        p=two_sided_p(t, found.df),
        difference=found.mean,
        interval=Interval(found.mean - width, found.mean + width, level, "cluster-robust t (CR2)"),
        effect=Effect("cohens_dz", found.mean / math.sqrt(spread.variance)),
        n=n,
        counts={"pairs": n, "ties": int((differences == 0).sum()), "clusters": found.clusters},
        assumptions=(
            "the two scores of a pair belong to the same item, and items of different clusters are independent",
            *_enough(found.clusters),
        ),
        method=(
            f"t-test of the paired differences of {n} items in {found.clusters} clusters, with cluster-robust (CR2) "
            "standard error and Satterthwaite degrees of freedom, Cohen's dz without interval; "
            "chosen because the items come in clusters"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
    )


@needs_stats
def clustered_independent(
    baseline: Mapping[str, float],
    treatment: Mapping[str, float],
    clusters: tuple[Mapping[str, str], Mapping[str, str]],
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
) -> TestResult:
    """Compare two columns of scores of different items, which come in clusters.

    Args:
        baseline: Score by item id.
        treatment: Score by item id, of other items.
        clusters: Cluster by item id, of the baseline's items and of the treatment's.
        test: `auto`, or one of `CLUSTERED_TESTS`.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.

    Raises:
        StatsError: A score is no finite number, or the test is not for clusters.
        TooFewSamples: A side has fewer than two items or clusters.
        DegenerateSample: Neither side varies between clusters.
    """
    level = level_of(alpha, level)
    _check_test(test)
    x, y = independent_columns(list(baseline.values()), list(treatment.values()))  # (n,), (m,)
    base = cluster_robust_mean(x, [clusters[0][item] for item in baseline])
    treated = cluster_robust_mean(y, [clusters[1][item] for item in treatment])
    largest = max(float(abs(x).max()), float(abs(y).max()))
    error = math.hypot(base.error, treated.error)
    _check_spread(error, largest, f"the {len(x)} and {len(y)} scores")
    share = (base.error / error) ** 2
    df = 1.0 / (share**2 / base.df + (1.0 - share) ** 2 / treated.df)
    difference = treated.mean - base.mean
    t, width = difference / error, critical_t(df, level) * error
    average = math.sqrt((float(x.var(ddof=1)) + float(y.var(ddof=1))) / 2.0)
    return TestResult(
        name="clustered_ttest",
        statistic=t,
        df=df,
        p=two_sided_p(t, df),
        difference=difference,
        interval=Interval(difference - width, difference + width, level, "cluster-robust t (CR2)"),
        effect=Effect("cohens_d", difference / average),
        n=len(x) + len(y),
        counts={
            "baseline": len(x),
            "treatment": len(y),
            "baseline_clusters": base.clusters,
            "treatment_clusters": treated.clusters,
        },
        assumptions=(
            "items of different clusters are independent, and so are the two sides; where they share clusters, the "
            "true p-value tends to be smaller than this one",
            *_enough(min(base.clusters, treated.clusters)),
        ),
        method=(
            f"t-test of means with cluster-robust (CR2) standard errors ({base.clusters} and {treated.clusters} "
            "clusters) and Welch-Satterthwaite degrees of freedom, Cohen's d on the average variance without interval; "
            "chosen because the items come in clusters"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=base.mean,
        treatment_mean=treated.mean,
    )


def _check_test(test: str) -> None:
    word = test.strip().lower().replace("-", "_").replace(" ", "_")
    if _MEANT.get(word, word) not in CLUSTERED_TESTS:
        raise StatsError(
            f'test "{test}" takes no account of clusters; available for them: {", ".join(CLUSTERED_TESTS)}; leave the '
            "clusters away if the items are independent"
        )


def _check_spread(error: float, largest: float, what: str) -> None:
    if error <= 1e-13 * largest:
        raise DegenerateSample(f"{what} do not vary between clusters: a t-test needs clusters that differ")


def _enough(clusters: int) -> tuple[str, ...]:
    told = f"the means of clusters are roughly normal, or {clusters} clusters are enough for their mean to be"
    if clusters >= _FEW_CLUSTERS:
        return (told,)
    return (
        told,
        f"{clusters} clusters are few: the interval is wide for that reason, and more items do not shorten it",
    )
