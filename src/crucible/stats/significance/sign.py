"""The sign test of pairs: do more of them rise than fall, by however much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample
from crucible.ir import Interval
from crucible.stats.extra import versions
from crucible.stats.intervals.proportion import clopper_pearson, tango_difference
from crucible.stats.result import Effect, TestResult
from crucible.stats.significance.attainable import binomial_size
from crucible.stats.significance.rank import rounded_differences

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["sign_of_equal_columns", "sign_test"]


def sign_test(of_means: TestResult, x: FloatArray, y: FloatArray, why: str) -> TestResult:
    """Return the exact sign test of the pairs.

    Args:
        of_means: The paired t-test of the same columns; its means, difference and interval are kept.
        x: Baseline, shape (n,).
        y: Treatment, shape (n,).
        why: Why this test is made.

    Raises:
        DegenerateSample: No pair differs by more than rounding.

    Source:
        Dixon & Mood (1946), JASA 41(236):557-566 (pairs that agree are left out); p-value by `scipy.stats.binomtest`.
    """
    from scipy import stats

    differences = rounded_differences(x, y)
    n, rising, falling = len(x), int((differences > 0).sum()), int((differences < 0).sum())
    if rising + falling == 0:
        raise DegenerateSample(f"all {n} differences are 0 up to rounding: no pair has a sign")
    level = of_means.interval.level
    return msgspec.structs.replace(
        of_means,
        name="sign",
        statistic=float(rising),
        df=None,
        p=min(1.0, float(stats.binomtest(rising, rising + falling, 0.5).pvalue)),
        effect=Effect("dominance", (rising - falling) / n, tango_difference(falling, rising, n, level=level)),
        counts={"pairs": n, "ties": n - rising - falling, "rising": rising, "falling": falling},
        assumptions=(
            of_means.assumptions[0],
            "if there is no difference, a pair that differs is as likely to rise as to fall",
            "the interval is that of the mean, by the paired t distribution, and not the sign test's",
        ),
        method=(
            "exact sign test (statistic: pairs that rise; binomial on the pairs that differ), paired t interval of the "
            "mean difference, dominance (share of pairs that rise minus share that fall) with Tango score interval; "
            f"{why}"
        ),
        attainable=binomial_size(rising + falling, of_means.alpha),
    )


def sign_of_equal_columns(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    """All differences are 0: bound the mean difference by how many pairs could differ, times how far they could.

    Raises:
        DegenerateSample: All scores of both columns are the same.
    """
    n, reach = len(x), float(x.max() - x.min())
    if reach == 0.0:
        raise DegenerateSample(
            f"all {n} scores of both columns are {float(x[0])!r}: scores that never vary cannot be compared"
        )
    share = clopper_pearson(0, n, level=level).high
    dominance = tango_difference(0, 0, n, level=level)
    return TestResult(
        name="sign",
        statistic=0.0,
        p=1.0,
        difference=0.0,
        interval=Interval(-reach * share, reach * share, level, "share of pairs that could differ, times range"),
        effect=Effect("dominance", 0.0, dominance),
        n=n,
        counts={"pairs": n, "ties": n},
        assumptions=(
            "the two scores of a pair belong to the same item, and the items are independent of each other",
            "two scores of one item differ by no more than the range of the scores seen here",
        ),
        method=(
            "exact sign test; interval: the Clopper-Pearson limit on the share of pairs that differ, times the range "
            "of the scores; dominance (share of pairs that rise minus share that fall) with Tango score interval; "
            f"{why}"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
        attainable=0.0,
    )
