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
from crucible.stats.effects.effect import cohens_dz
from crucible.stats.extra import needs_stats, versions
from crucible.stats.finite import finite
from crucible.stats.intervals.level import level_of
from crucible.stats.names import TEST_TITLES, canonical_test
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, is_binary, paired_columns
from crucible.stats.significance.bootstrap import bootstrap_paired
from crucible.stats.significance.checks import checks_of
from crucible.stats.significance.mcnemar import mcnemar_of_columns
from crucible.stats.significance.permutation import permutation_paired
from crucible.stats.significance.rank import wilcoxon
from crucible.stats.significance.sign import sign_of_equal_columns, sign_test
from crucible.stats.significance.tdist import critical_t, moments, two_sided_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["NEED_SPREAD", "PAIRED_TESTS", "compare_paired"]

PAIRED_TESTS = ("auto", "mcnemar", "paired_ttest", "wilcoxon", "bootstrap", "permutation", "sign", "mcnemar_midp")
"""Canonical names of the tests that `compare_paired` executes; `ttest` means `paired_ttest` here."""

NEED_SPREAD = ("paired_ttest", "wilcoxon", "bootstrap", "permutation")
"""Those that cannot be made where all differences are 0."""

_SAME_ITEMS = "the two scores of a pair belong to the same item, and the items are independent of each other"


@needs_stats
def compare_paired(
    baseline: Scores,
    treatment: Scores,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
    is_share: bool = True,
    checks: bool = False,
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
        level: Level of the intervals; None: 1 - alpha.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers, such as counts, of which these
            happen to be 0 or 1.
        checks: Whether to show checks of normality of the differences beside the result; they choose nothing.

    Returns:
        The result; its difference and effect are treatment minus baseline.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or the test is unknown.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: The scores do not vary where the test needs it.
    """
    level = level_of(alpha, level)
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
    result = finite(_made(name, x, y, why, alpha, level))
    if checks and not is_binary(x, y):
        result = msgspec.structs.replace(result, checks=checks_of({"differences": y - x}))
    return result


def _made(name: str, x: FloatArray, y: FloatArray, why: str, alpha: float, level: float) -> TestResult:
    if name in ("mcnemar", "mcnemar_midp"):
        return mcnemar_of_columns((x, y), why, alpha, level, mid_p=name == "mcnemar_midp")
    if name in ("bootstrap", "permutation"):
        return (bootstrap_paired if name == "bootstrap" else permutation_paired)(x, y, alpha=alpha, level=level)
    if name == "sign" and bool((x == y).all()):
        return sign_of_equal_columns(x, y, why, alpha, level)
    of_means = _paired_t(x, y, why, alpha, level)
    if name == "paired_ttest":
        return of_means
    return {"wilcoxon": wilcoxon, "sign": sign_test}[name](of_means, x, y, why)


def _choose(x: FloatArray, y: FloatArray, *, is_share: bool) -> tuple[str, str]:
    if is_share and is_binary(x, y):
        return "mcnemar", "chosen because every score is 0 or 1"
    if bool((x == y).all()):
        return "sign", "chosen because all differences are 0, so that no test of means can be made"
    if is_binary(x, y):
        return "paired_ttest", "chosen because the scores are numbers, of which these happen to be 0 or 1"
    return "paired_ttest", "chosen because the scores are not all 0 or 1"


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
