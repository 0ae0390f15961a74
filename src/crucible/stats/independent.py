"""Two columns of scores on different items: Fisher's exact test for right or wrong, Welch's t-test otherwise.

`compare` is the front door: mappings by item id are the same items, and go to the paired comparison.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.effect import cohens_h, hedges_g
from crucible.stats.extra import needs_stats, versions
from crucible.stats.names import canonical_test
from crucible.stats.paired import compare_paired
from crucible.stats.proportion import newcombe_difference
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, check_rates, independent_columns, is_binary, is_by_id
from crucible.stats.tdist import critical_t, moments, two_sided_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["INDEPENDENT_TESTS", "compare"]

INDEPENDENT_TESTS = ("auto", "welch", "fisher")
"""Canonical names of the tests for independent samples; `ttest` means `welch` here."""

_INDEPENDENT = "all scores are independent of each other: no item is in both columns, and none twice in one"


@needs_stats
def compare(
    baseline: Scores, treatment: Scores, *, test: str = "auto", alpha: float = 0.05, level: float = 0.95
) -> TestResult:
    """Compare two columns of scores: independent samples, or the same items where both are mappings by id.

    The rule of `test="auto"` for independent samples: every score is 0 or 1: Fisher's exact test. Otherwise Welch's
    t-test, which does not assume equal variances. Mappings are paired by id, as by `compare_paired`.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way.
        test: `auto`, or one of `INDEPENDENT_TESTS` (for mappings `PAIRED_TESTS`) or an alias, to force a test.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals.

    Returns:
        The result; its difference and effect are treatment minus baseline.

    Raises:
        StatsError: A score is no finite number, ids do not match, or the test is unknown.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: Neither column varies, and the scores are not all 0 or 1.
    """
    if is_by_id(baseline) or is_by_id(treatment):
        return compare_paired(baseline, treatment, test=test, alpha=alpha, level=level)
    check_rates(alpha, level)
    x, y = independent_columns(baseline, treatment)  # (n,), (m,)
    name = canonical_test(test)
    name = "welch" if name == "ttest" else name
    if name not in INDEPENDENT_TESTS:
        raise StatsError(
            f'test "{test}" is not available for independent scores; available: {", ".join(INDEPENDENT_TESTS)}; '
            "for scores of the same items use compare_paired()"
        )
    why = "named by the caller"
    if name == "auto":
        binary = is_binary(x, y)
        name = "fisher" if binary else "welch"
        why = f"chosen because {'every score is' if binary else 'the scores are not all'} 0 or 1"
    return (_fisher if name == "fisher" else _welch)(x, y, why, alpha, level)


def _fisher(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    import numpy as np
    from scipy import stats

    if not is_binary(x, y):
        raise StatsError("Fisher's test needs scores that are all 0 or 1; use Welch's t-test for others")
    n, m, a, b = len(x), len(y), int(x.sum()), int(y.sum())
    p = float(stats.fisher_exact(np.array([[b, m - b], [a, n - a]])).pvalue)
    return TestResult(
        name="fisher",
        statistic=float(b),
        p=min(1.0, p),
        difference=b / m - a / n,
        interval=newcombe_difference(a, n, b, m, level=level),
        effect=cohens_h(a / n, b / m, trials=(n, m), level=level),
        n=n + m,
        counts={"baseline": n, "treatment": m, "baseline_successes": a, "treatment_successes": b},
        assumptions=(_INDEPENDENT,),
        method=f"Fisher's exact test, Newcombe hybrid score interval, Cohen's h with arcsine interval; {why}",
        alpha=alpha,
        versions=versions(),
        baseline_mean=a / n,
        treatment_mean=b / m,
    )


def _welch(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    base = moments(x, largest=float(abs(x).max()))
    treated = moments(y, largest=float(abs(y).max()))
    a, b = base.variance / base.n, treated.variance / treated.n
    error = math.sqrt(a + b)
    if error == 0.0:
        raise DegenerateSample(
            f"neither column varies: all {base.n} baseline scores are {base.mean:.6g} and all {treated.n} treatment "
            f"scores are {treated.mean:.6g}; a t-test needs spread"
        )
    share = a / (a + b)  # keeps the squares of Welch and Satterthwaite in range
    df = 1.0 / (share**2 / (base.n - 1) + (1.0 - share) ** 2 / (treated.n - 1))
    difference = treated.mean - base.mean
    t, width = difference / error, critical_t(df, level) * error
    assumptions = [_INDEPENDENT, f"each column is roughly normal, or {base.n} and {treated.n} scores are enough"]
    if base.variance == 0.0 or treated.variance == 0.0:
        which = "baseline" if base.variance == 0.0 else "treatment"
        assumptions.append(f"the {which} does not vary at all: its variance is taken as 0, which may be too small")
    return TestResult(
        name="welch",
        statistic=t,
        df=df,
        p=two_sided_p(t, df),
        difference=difference,
        interval=Interval(difference - width, difference + width, level, "Welch t"),
        effect=hedges_g(base, treated, df=df, level=level),
        n=base.n + treated.n,
        counts={"baseline": base.n, "treatment": treated.n},
        assumptions=tuple(assumptions),
        method=(
            "Welch's t-test, t interval with Welch-Satterthwaite degrees of freedom, Hedges' g on the average variance "
            f"with non-central t interval; {why}"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=base.mean,
        treatment_mean=treated.mean,
    )
