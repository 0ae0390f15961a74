"""Two columns of scores on different items: Fisher's exact test for right or wrong, Welch's t-test otherwise.

`compare` is the front door: mappings by item id are the same items, and go to the paired comparison.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.bootstrap import bootstrap_independent
from crucible.stats.effect import Moments, cohens_h, hedges_g, pooled_hedges_g
from crucible.stats.extra import needs_stats, versions
from crucible.stats.names import canonical_test
from crucible.stats.paired import compare_paired
from crucible.stats.proportion import newcombe_difference
from crucible.stats.rank import mann_whitney
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, check_rates, independent_columns, is_binary, is_by_id
from crucible.stats.tdist import critical_t, moments, two_sided_p, welch_error

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["INDEPENDENT_TESTS", "compare"]

INDEPENDENT_TESTS = ("auto", "welch", "student", "fisher", "mannwhitney", "bootstrap_independent")
"""Canonical names of the tests for independent samples; `ttest` means `welch` here, `bootstrap` the last one."""

_MEANT = {"ttest": "welch", "bootstrap": "bootstrap_independent"}

_INDEPENDENT = "all scores are independent of each other: no item is in both columns, and none twice in one"


@needs_stats
def compare(
    baseline: Scores,
    treatment: Scores,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float = 0.95,
    is_share: bool = True,
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
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers, such as counts, of which these
            happen to be 0 or 1.

    Returns:
        The result; its difference and effect are treatment minus baseline.

    Raises:
        StatsError: A score is no finite number, ids do not match, or the test is unknown.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: Neither column varies, and the scores are not all 0 or 1.
    """
    if is_by_id(baseline) or is_by_id(treatment):
        return compare_paired(baseline, treatment, test=test, alpha=alpha, level=level, is_share=is_share)
    check_rates(alpha, level)
    x, y = independent_columns(baseline, treatment)  # (n,), (m,)
    name = _MEANT.get(canonical_test(test), canonical_test(test))
    if name not in INDEPENDENT_TESTS:
        raise StatsError(
            f'test "{test}" is not available for independent scores; available: {", ".join(INDEPENDENT_TESTS)}; '
            "for scores of the same items use compare_paired()"
        )
    why = "named by the caller"
    if name == "auto":
        name, why = _choose(x, y, is_share=is_share)
    if name == "bootstrap_independent":
        return bootstrap_independent(x, y, alpha=alpha, level=level)
    if name == "mannwhitney":
        return mann_whitney(_welch(x, y, why, alpha, level), x, y, why)
    return {"fisher": _fisher, "student": _student, "welch": _welch}[name](x, y, why, alpha, level)


def _choose(x: FloatArray, y: FloatArray, *, is_share: bool) -> tuple[str, str]:
    if not is_binary(x, y):
        return "welch", "chosen because the scores are not all 0 or 1"
    if is_share:
        return "fisher", "chosen because every score is 0 or 1"
    return "welch", "chosen because the scores are numbers, of which these happen to be 0 or 1"


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
    base, treated = _two_moments(x, y)
    error, df = welch_error(base, treated)
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


def _student(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    base, treated = _two_moments(x, y)
    df = base.n + treated.n - 2.0
    variance = ((base.n - 1) * base.variance + (treated.n - 1) * treated.variance) / df
    error = math.sqrt(variance * (1.0 / base.n + 1.0 / treated.n))
    difference = treated.mean - base.mean
    t, width = difference / error, critical_t(df, level) * error
    return TestResult(
        name="student",
        statistic=t,
        df=df,
        p=two_sided_p(t, df),
        difference=difference,
        interval=Interval(difference - width, difference + width, level, "Student's t"),
        effect=pooled_hedges_g(base, treated, level=level),
        n=base.n + treated.n,
        counts={"baseline": base.n, "treatment": treated.n},
        assumptions=(
            _INDEPENDENT,
            f"each column is roughly normal, or {base.n} and {treated.n} scores are enough",
            "both columns have the same variance; Welch's t-test does without this",
        ),
        method=(
            "Student's t-test, t interval with the pooled variance, Hedges' g on the pooled variance with non-central "
            f"t interval; {why}"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=base.mean,
        treatment_mean=treated.mean,
    )


def _two_moments(x: FloatArray, y: FloatArray) -> tuple[Moments, Moments]:
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if base.variance == treated.variance == 0.0:
        raise DegenerateSample(
            f"neither column varies: all {base.n} baseline scores are {base.mean:.6g} and all {treated.n} treatment "
            f"scores are {treated.mean:.6g}; a t-test needs spread"
        )
    return base, treated
