"""One column of scores against a fixed value, such as chance or a published figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.effects.effect import cohens_dz
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.names import TEST_TITLES, canonical_test
from crucible.stats.result import TestResult
from crucible.stats.sample import Scores, is_binary, one_column
from crucible.stats.significance.checks import checks_of
from crucible.stats.significance.proportion_test import one_proportion
from crucible.stats.significance.rank import rank_biserial_paired, rounded_differences, signed_ranks
from crucible.stats.significance.tdist import critical_t, moments, two_sided_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["ONE_SAMPLE_TESTS", "one_sample"]

ONE_SAMPLE_TESTS = ("auto", "one_sample_ttest", "one_sample_wilcoxon", "binomial")
"""Canonical names of the tests against a fixed value; `ttest` means the first one here, `wilcoxon` the second."""

_MEANT = {"ttest": "one_sample_ttest", "wilcoxon": "one_sample_wilcoxon"}


@needs_stats
def one_sample(
    scores: Scores,
    mu: float,
    *,
    test: str = "auto",
    alpha: float = 0.05,
    level: float | None = None,
    is_share: bool = True,
    checks: bool = False,
) -> TestResult:
    """Compare one column of scores with a fixed value.

    The rule of `test="auto"`: every score is 0 or 1 and `mu` lies between: the exact binomial test. Otherwise Student's
    one-sample t-test.

    Args:
        scores: At least two, or a mapping of them by item id.
        mu: The fixed value, in units of the score; it is no estimate and has no error of its own.
        test: `auto`, or one of `ONE_SAMPLE_TESTS` or an alias, to force a test.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers that happen to be.
        checks: Whether to show checks of normality beside the result; they choose nothing.

    Returns:
        The result; its difference and effect are the scores' minus `mu`, which stands as `baseline_mean`.

    Raises:
        StatsError: A score or `mu` is no finite number, or the test is unknown.
        TooFewSamples: There are fewer than two scores.
        DegenerateSample: The scores do not vary, and the test needs it.

    Source:
        Student (1908), Biometrika 6(1):1-25; ranks: Wilcoxon (1945), by `scipy.stats.wilcoxon`.
    """
    level = level_of(alpha, level)
    x = one_column(scores, "scores")  # (n,)
    if not math.isfinite(mu) or abs(mu) > 1e150:
        raise StatsError(f"the fixed value must be a finite number that can be squared, got {mu!r}")
    if len(x) < 2:
        raise TooFewSamples(f"a comparison with a fixed value needs at least 2 scores, got {len(x)}")
    name = _MEANT.get(canonical_test(test), canonical_test(test))
    if name not in ONE_SAMPLE_TESTS:
        raise StatsError(f'test "{test}" is not available for one column; available: {", ".join(ONE_SAMPLE_TESTS)}')
    why = "named by the caller"
    if name == "auto":
        name, why = _choose(x, mu, is_share=is_share)
    if name == "binomial":
        return _binomial(x, mu, why, alpha, level)
    result = _t(x, mu, why, alpha, level)
    if name == "one_sample_wilcoxon":
        result = _wilcoxon(result, x, mu, why)
    if checks and not is_binary(x):
        result = msgspec.structs.replace(result, checks=checks_of({"scores": x}))
    return result


def _choose(x: FloatArray, mu: float, *, is_share: bool) -> tuple[str, str]:
    if not is_binary(x):
        return "one_sample_ttest", "chosen because the scores are not all 0 or 1"
    if is_share and 0.0 < mu < 1.0:
        return "binomial", "chosen because every score is 0 or 1"
    if is_share:
        return "one_sample_ttest", f"chosen because no share can be tested against {mu:.12g}, only one between 0 and 1"
    return "one_sample_ttest", "chosen because the scores are numbers, of which these happen to be 0 or 1"


def _binomial(x: FloatArray, mu: float, why: str, alpha: float, level: float) -> TestResult:
    if not is_binary(x):
        raise StatsError("the binomial test needs scores that are all 0 or 1; use the t-test for others")
    result = one_proportion(int(x.sum()), len(x), mu, alpha=alpha, level=level)
    return msgspec.structs.replace(result, method=result.method.replace("called by name", why))


def _t(x: FloatArray, mu: float, why: str, alpha: float, level: float) -> TestResult:
    n = len(x)
    found = moments(x - mu, largest=max(float(abs(x).max()), abs(mu)))
    error = math.sqrt(found.variance / n)
    if error == 0.0:
        raise DegenerateSample(f"all {n} scores are {float(x[0]):.6g} up to rounding: a t-test needs scores that vary")
    t, width = found.mean / error, critical_t(n - 1, level) * error
    return TestResult(
        name="one_sample_ttest",
        statistic=t,
        df=float(n - 1),
        p=two_sided_p(t, n - 1),
        difference=found.mean,
        interval=Interval(found.mean - width, found.mean + width, level, "Student's t"),
        effect=msgspec.structs.replace(cohens_dz(found, level=level), name="cohens_d"),
        n=n,
        counts={"scores": n, "ties": int((x == mu).sum())},
        assumptions=(
            "the scores are independent of each other",
            f"they are roughly normal, or {n} scores are enough for their mean to be",
            "the fixed value is known and not estimated from data; else compare with those data",
        ),
        method=(
            "one-sample t-test, t interval of the mean minus the fixed value, Cohen's d of one sample with non-central "
            f"t interval; {why}"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=mu,
        treatment_mean=float(x.mean()),
        baseline=f"the fixed value {mu:.12g}",
    )


def _wilcoxon(of_mean: TestResult, x: FloatArray, mu: float, why: str) -> TestResult:
    import numpy as np

    fixed = np.full(len(x), mu)
    differences = rounded_differences(fixed, x)
    found = signed_ranks(differences, of_mean.alpha)
    return msgspec.structs.replace(
        of_mean,
        name="one_sample_wilcoxon",
        statistic=found.statistic,
        df=None,
        p=found.p,
        effect=rank_biserial_paired(fixed, x),
        counts={"scores": len(x), "ties": int((differences == 0).sum())},
        assumptions=(
            of_mean.assumptions[0],
            "if there is no difference, the scores are spread symmetrically around the fixed value",
            "the interval is that of the mean, by Student's t distribution, and not the rank test's",
            of_mean.assumptions[2],
        ),
        method=(
            f"{TEST_TITLES['one_sample_wilcoxon']} (statistic: the smaller sum of ranks; {found.how}), t interval of "
            f"the mean minus the fixed value, matched-pairs rank-biserial correlation without interval; {why}"
        ),
        attainable=found.attainable,
    )
