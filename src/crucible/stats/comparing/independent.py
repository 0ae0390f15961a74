"""Two columns of scores on different items: Fisher's exact test for right or wrong, Welch's t-test otherwise.

`compare` is the front door: mappings by item id are the same items, and go to the paired comparison.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.comparing.paired import compare_paired
from crucible.stats.effects.effect import Moments, hedges_g, pooled_hedges_g
from crucible.stats.extra import needs_stats, versions
from crucible.stats.finite import finite
from crucible.stats.intervals.level import level_of
from crucible.stats.names import canonical_test
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, independent_columns, is_binary, is_by_id
from crucible.stats.significance.bootstrap import bootstrap_independent
from crucible.stats.significance.checks import checks_of
from crucible.stats.significance.fisher import fisher_of_columns
from crucible.stats.significance.permutation import permutation_independent
from crucible.stats.significance.proportion_test import two_proportions
from crucible.stats.significance.rank import mann_whitney
from crucible.stats.significance.tdist import critical_t, moments, two_sided_p, welch_error

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["INDEPENDENT_MEANING", "INDEPENDENT_TESTS", "compare"]

INDEPENDENT_TESTS = (
    "auto",
    "welch",
    "student",
    "fisher",
    "mannwhitney",
    "bootstrap_independent",
    "permutation_independent",
    "two_proportion_z",
)
"""Canonical names of the tests for independent samples; see `INDEPENDENT_MEANING` for words that mean one of them."""

INDEPENDENT_MEANING = {
    "ttest": "welch",
    "bootstrap": "bootstrap_independent",
    "permutation": "permutation_independent",
}
"""What a test that pairs have too is called for independent samples."""

_INDEPENDENT = "all scores are independent of each other: no item is in both columns, and none twice in one"


@needs_stats
def compare(
    baseline: Scores,
    treatment: Scores,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
    is_share: bool = True,
    checks: bool = False,
) -> TestResult:
    """Compare two columns of scores: independent samples, or the same items where both are mappings by id.

    The rule of `test="auto"` for independent samples: every score is 0 or 1: Fisher's exact test. Otherwise Welch's
    t-test, which does not assume equal variances. Where a column has fewer than 5 scores and the other has more, its
    degrees of freedom are those of the smaller column: with Welch's own, it finds a difference where there is none in
    up to 12 % of such data sets (2 scores against 100). Mappings are paired by id, as by `compare_paired`.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way.
        test: `auto`, or one of `INDEPENDENT_TESTS` (for mappings `PAIRED_TESTS`) or an alias, to force a test.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers, such as counts, of which these
            happen to be 0 or 1.
        checks: Whether to show checks of normality and of equal variances beside the result; they choose nothing.

    Returns:
        The result; its difference and effect are treatment minus baseline.

    Raises:
        StatsError: A score is no finite number, ids do not match, or the test is unknown.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: Neither column varies, and the scores are not all 0 or 1.
    """
    level = level_of(alpha, level)
    if is_by_id(baseline) or is_by_id(treatment):
        return compare_paired(
            baseline, treatment, test=test, alpha=alpha, level=level, is_share=is_share, checks=checks
        )
    x, y = independent_columns(baseline, treatment)  # (n,), (m,)
    name = INDEPENDENT_MEANING.get(canonical_test(test), canonical_test(test))
    if name not in INDEPENDENT_TESTS:
        raise StatsError(
            f'test "{test}" is not available for independent scores; available: {", ".join(INDEPENDENT_TESTS)}; '
            "for scores of the same items use compare_paired()"
        )
    why = "named by the caller"
    if name == "auto":
        name, why = _choose(x, y, is_share=is_share)
    result = finite(_made(name, x, y, why, alpha, level))
    if checks and not is_binary(x, y):
        result = msgspec.structs.replace(result, checks=checks_of({"baseline": x, "treatment": y}))
    return result


def _made(name: str, x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    if name == "bootstrap_independent":
        return bootstrap_independent(x, y, alpha=alpha, level=level)
    if name == "permutation_independent":
        return permutation_independent(x, y, alpha=alpha, level=level)
    if name == "two_proportion_z":
        return _two_proportions(x, y, alpha, level)
    if name == "mannwhitney":
        return mann_whitney(_welch(x, y, why, alpha, level), x, y, why)
    if name == _CAREFUL:
        return _welch(x, y, why, alpha, level, is_careful=True)
    return {"fisher": fisher_of_columns, "student": _student, "welch": _welch}[name](x, y, why, alpha, level)


_CAREFUL = "welch with the degrees of freedom of the smaller column"
_FEW = 5  # scores below which Welch's degrees of freedom are too many, if the other column has more


def _choose(x: FloatArray, y: FloatArray, *, is_share: bool) -> tuple[str, str]:
    if is_binary(x, y) and is_share:
        return "fisher", "chosen because every score is 0 or 1"
    name = _CAREFUL if min(len(x), len(y)) < _FEW and len(x) != len(y) else "welch"
    if is_binary(x, y):
        return name, "chosen because the scores are numbers, of which these happen to be 0 or 1"
    return name, "chosen because the scores are not all 0 or 1"


def _two_proportions(x: FloatArray, y: FloatArray, alpha: float, level: float) -> TestResult:
    if not is_binary(x, y):
        raise StatsError("the z-test of proportions needs scores that are all 0 or 1; use Welch's t-test for others")
    return two_proportions(int(x.sum()), len(x), int(y.sum()), len(y), alpha=alpha, level=level)


def _welch(
    x: FloatArray, y: FloatArray, why: str, alpha: float, level: float, *, is_careful: bool = False
) -> TestResult:
    base, treated = _two_moments(x, y)
    error, df = welch_error(base, treated)
    which_df = "Welch-Satterthwaite degrees of freedom"
    if is_careful:  # Mickey & Brown (1966), Annals of Mathematical Statistics 37(3):639-643: a bound for any variances
        df, which_df = (
            min(base.n, treated.n) - 1.0,
            "the degrees of freedom of the smaller column, which has few scores",
        )
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
            f"Welch's t-test, t interval with {which_df}, Hedges' g on the average variance with non-central t "
            f"interval; {why}"
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
