"""Two columns of scores on the same items: McNemar's exact test for right or wrong, the paired t-test otherwise.

The rule that chooses is written in each result's `method`. Columns that agree everywhere are a result (no difference
found, with the difference that could have been missed), not an error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.bootstrap import bootstrap_paired
from crucible.stats.effect import cohens_dz, cohens_g, cohens_h
from crucible.stats.extra import needs_stats, versions
from crucible.stats.names import TEST_TITLES, canonical_test
from crucible.stats.proportion import clopper_pearson, tango_difference
from crucible.stats.rank import wilcoxon
from crucible.stats.result import Effect, TestResult
from crucible.stats.sample import Scores, check_rates, is_binary, paired_columns
from crucible.stats.tdist import critical_t, moments, two_sided_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["NEED_SPREAD", "PAIRED_TESTS", "compare_paired", "mcnemar"]

PAIRED_TESTS = ("auto", "mcnemar", "paired_ttest", "wilcoxon", "bootstrap")
"""Canonical names of the tests that `compare_paired` executes; `ttest` means `paired_ttest` here."""

NEED_SPREAD = ("paired_ttest", "wilcoxon", "bootstrap")
"""Those that cannot be made where all differences are 0."""

_SAME_ITEMS = "the two scores of a pair belong to the same item, and the items are independent of each other"


@needs_stats
def compare_paired(
    baseline: Scores,
    treatment: Scores,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float = 0.95,
    is_share: bool = True,
) -> TestResult:
    """Compare two columns of scores that belong to the same items.

    The rule of `test="auto"`: every score is 0 or 1: McNemar's exact test. Some differences are not 0: the paired
    t-test. All differences are 0: the exact sign test, which finds no difference, with a bound on what was missed.
    Where all differences are 0, a forced test that needs spread gives way to this rule, and `method` says so.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        test: `auto`, or one of `PAIRED_TESTS` or an alias of it, to force a test.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers, such as counts, of which these
            happen to be 0 or 1.

    Returns:
        The result; its difference and effect are treatment minus baseline.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or the test is unknown.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: The scores do not vary where the test needs it.
    """
    check_rates(alpha, level)
    x, y = paired_columns(baseline, treatment)  # (n,) each
    name = canonical_test(test)
    name = "paired_ttest" if name == "ttest" else name
    if name not in PAIRED_TESTS:
        raise StatsError(f'test "{test}" is not available for paired scores; available: {", ".join(PAIRED_TESTS)}')
    why = "named by the caller"
    if name == "auto":
        name, why = _choose(x, y, is_share=is_share)
    elif name in NEED_SPREAD and bool((x == y).all()):
        why = f"in place of the {TEST_TITLES[name]} that was asked for, which cannot be made: all differences are 0"
        name = _choose(x, y, is_share=is_share)[0]
    if name == "mcnemar":
        return _mcnemar_columns(x, y, why, alpha, level)
    if name == "bootstrap":
        return bootstrap_paired(x, y, alpha=alpha, level=level)
    if name == "wilcoxon":
        return wilcoxon(_paired_t(x, y, why, alpha, level), x, y, why)
    return (_identical if name == "sign" else _paired_t)(x, y, why, alpha, level)


@needs_stats
def mcnemar(
    baseline_only: int, treatment_only: int, pairs: int, *, alpha: float = 0.05, level: float = 0.95
) -> TestResult:
    """Return McNemar's exact conditional test of two proportions measured on the same items.

    Args:
        baseline_only: Pairs in which only the baseline succeeded.
        treatment_only: Pairs in which only the treatment succeeded.
        pairs: All pairs, those that agree included; at least 1.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals.

    Returns:
        The result; its statistic is `treatment_only`, binomial with probability 1/2 if there is no difference.

    Raises:
        StatsError: The counts do not fit together.
        TooFewSamples: There are no pairs.

    Source:
        McNemar (1947), Psychometrika 12(2):153-157; exact p-value by `scipy.stats.binomtest`.
    """
    check_rates(alpha, level)
    return _mcnemar((baseline_only, treatment_only, pairs), "called by name", alpha, level)


def _choose(x: FloatArray, y: FloatArray, *, is_share: bool) -> tuple[str, str]:
    if is_share and is_binary(x, y):
        return "mcnemar", "chosen because every score is 0 or 1"
    if bool((x == y).all()):
        return "sign", "chosen because all differences are 0, so that no test of means can be made"
    if is_binary(x, y):
        return "paired_ttest", "chosen because the scores are numbers, of which these happen to be 0 or 1"
    return "paired_ttest", "chosen because the scores are not all 0 or 1"


def _mcnemar_columns(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    if not is_binary(x, y):
        raise StatsError("McNemar's test needs scores that are all 0 or 1; use the paired t-test for others")
    only_x, only_y, both = (int(cells.sum()) for cells in (x > y, x < y, (x == 1) & (y == 1)))
    result = _mcnemar((only_x, only_y, len(x)), why, alpha, level)
    counts = {**result.counts, "both": both, "neither": len(x) - both - only_x - only_y}
    return msgspec.structs.replace(result, counts=counts, baseline_mean=float(x.mean()), treatment_mean=float(y.mean()))


def _mcnemar(counts: tuple[int, int, int], why: str, alpha: float, level: float) -> TestResult:
    from scipy import stats

    b, c, n = counts
    interval = tango_difference(b, c, n, level=level)
    if b + c == 0:
        p, effect = 1.0, cohens_h(0.5, 0.5)
        sizes = "Cohen's h (no pair differs, so that Cohen's g does not exist)"
    else:
        p, effect = float(stats.binomtest(c, b + c, 0.5).pvalue), cohens_g(b, c, level=level)
        sizes = "Cohen's g with Clopper-Pearson interval"
    return TestResult(
        name="mcnemar",
        statistic=float(c),
        p=min(1.0, p),
        difference=(c - b) / n,
        interval=interval,
        effect=effect,
        n=n,
        counts={"pairs": n, "baseline_only": b, "treatment_only": c},
        assumptions=(_SAME_ITEMS,),
        method=(
            "McNemar's exact conditional test (binomial on the pairs that differ), Tango score interval, "
            f"{sizes}; {why}"
        ),
        alpha=alpha,
        versions=versions(),
    )


def _paired_t(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    differences = y - x  # (n,)
    n = len(differences)
    found = moments(differences, largest=max(float(abs(x).max()), float(abs(y).max())))
    error = math.sqrt(found.variance / n)
    if error == 0.0:
        raise DegenerateSample(
            f"all {n} differences are {found.mean:.6g} up to rounding: a t-test needs differences that vary"
        )
    t = found.mean / error
    width = critical_t(n - 1, level) * error
    return TestResult(
        name="paired_ttest",
        statistic=t,
        df=float(n - 1),
        p=two_sided_p(t, n - 1),
        difference=found.mean,
        interval=Interval(found.mean - width, found.mean + width, level, "paired t"),
        effect=cohens_dz(found, level=level),
        n=n,
        counts={"pairs": n, "ties": int((differences == 0).sum())},
        assumptions=(
            _SAME_ITEMS,
            f"the differences are roughly normal, or {n} pairs are enough for their mean to be",
        ),
        method=f"paired t-test, t interval of the mean difference, Cohen's dz with non-central t interval; {why}",
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
    )


def _identical(x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    """All differences are 0: bound the mean difference by how many pairs could differ, times how far they could."""
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
        assumptions=(_SAME_ITEMS, "two scores of one item differ by no more than the range of the scores seen here"),
        method=(
            "exact sign test; interval: the Clopper-Pearson limit on the share of pairs that differ, times the range "
            "of the scores; dominance (share of pairs that rise minus share that fall) with Tango score interval; "
            f"{why}"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(x.mean()),
        treatment_mean=float(y.mean()),
    )
