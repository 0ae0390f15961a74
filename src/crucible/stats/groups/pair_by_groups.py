"""A test of all groups at once on two groups, where it is a test of a pair like any other.

The analyses of variance are then Student's and Welch's t-test with F for t squared, so that the intervals of those
agree with them; Kruskal and Wallis's test is Mann and Whitney's with a chi-squared p-value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crucible.stats.comparing.independent import compare
from crucible.stats.groups.omnibus import omnibus_test
from crucible.stats.result import TestResult

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["pair_by_groups"]

_MEANS = {"anova": "student", "welch_anova": "welch", "brown_forsythe": "welch", "kruskal": "welch"}
_INTERVALS = {
    "student": "Student's t interval of the difference of means",
    "welch": "Welch t interval of the difference of means",
}


def pair_by_groups(
    test: str, columns: tuple[FloatArray, FloatArray], *, effect: str | None, alpha: float, level: float
) -> TestResult:
    """Return a test of all groups at once on two groups of different items.

    Args:
        test: One of `omnibus.OMNIBUS_TESTS`.
        columns: Baseline, shape (n,), and treatment, shape (m,).
        effect: Effect size that was asked for; None: the one that goes with the test.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals.

    Raises:
        StatsError: The test does not apply to such groups.
        TooFewSamples: A group has fewer than two scores.
        DegenerateSample: The scores do not vary where the test, or the interval, needs it.
    """
    found = omnibus_test(
        dict(zip(("baseline", "treatment"), columns, strict=True)), test, effect=effect, alpha=alpha, level=level
    )
    means = _MEANS[test]
    of_means = compare(*columns, test=means, alpha=alpha, level=level)
    own = ("the interval is that of the means, by Welch's t distribution, and not the rank test's",)
    return msgspec.structs.replace(
        of_means,
        name=test,
        statistic=found.statistic,
        df=found.df,
        p=found.p,
        effect=found.effect,
        assumptions=found.assumptions + (own if test == "kruskal" else ()),
        method=f"{found.method}; {_INTERVALS[means]}",
        versions=found.versions,
    )
