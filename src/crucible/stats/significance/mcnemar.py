"""Two shares of successes on the same items: McNemar's test, exact or with the mid-p-value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crucible.errors import StatsError
from crucible.stats.effects.effect import cohens_g, cohens_h
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.intervals.proportion import tango_difference
from crucible.stats.result import TestResult
from crucible.stats.sample import is_binary
from crucible.stats.significance.attainable import binomial_size
from crucible.stats.whole_number import wholes

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["mcnemar", "mcnemar_of_columns"]

_SAME_ITEMS = "the two scores of a pair belong to the same item, and the items are independent of each other"
_MID_P = (
    "the mid-p-value holds the error rate nearly and not strictly: it stayed at or below alpha in all 9595 cases that "
    "Fagerland, Lydersen & Laake (2013) looked at"
)


@needs_stats
def mcnemar(
    baseline_only: int,
    treatment_only: int,
    pairs: int,
    *,
    mid_p: bool = False,
    alpha: float = 0.05,
    level: float | None = None,
) -> TestResult:
    """Return McNemar's conditional test of two proportions measured on the same items.

    Args:
        baseline_only: Pairs in which only the baseline succeeded.
        treatment_only: Pairs in which only the treatment succeeded.
        pairs: All pairs, those that agree included; at least 1.
        mid_p: Whether the outcome itself counts half, which is less careful than the exact test and finds more.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.

    Returns:
        The result; its statistic is `treatment_only`, binomial with probability 1/2 if there is no difference.

    Raises:
        StatsError: The counts do not fit together.
        TooFewSamples: There are no pairs.

    Source:
        McNemar (1947), Psychometrika 12(2):153-157; exact p-value by `scipy.stats.binomtest`; mid-p-value: Fagerland,
        Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
    """
    level = level_of(alpha, level)
    b, c, n = wholes(baseline_only=baseline_only, treatment_only=treatment_only, pairs=pairs)
    return _mcnemar((b, c, n), "called by name", alpha, level, mid_p=mid_p)


def mcnemar_of_columns(
    columns: tuple[FloatArray, FloatArray], why: str, alpha: float, level: float, *, mid_p: bool = False
) -> TestResult:
    """Return McNemar's test of two columns of zeros and ones, shape (n,) each, baseline first.

    Raises:
        StatsError: A score is neither 0 nor 1.
    """
    x, y = columns
    if not is_binary(x, y):
        raise StatsError("McNemar's test needs scores that are all 0 or 1; use the paired t-test for others")
    only_x, only_y, both = (int(cells.sum()) for cells in (x > y, x < y, (x == 1) & (y == 1)))
    result = _mcnemar((only_x, only_y, len(x)), why, alpha, level, mid_p=mid_p)
    counts = {**result.counts, "both": both, "neither": len(x) - both - only_x - only_y}
    return msgspec.structs.replace(result, counts=counts, baseline_mean=float(x.mean()), treatment_mean=float(y.mean()))


def _mcnemar(counts: tuple[int, int, int], why: str, alpha: float, level: float, *, mid_p: bool) -> TestResult:
    b, c, n = counts
    interval = tango_difference(b, c, n, level=level)
    p, effect, attained = 1.0, cohens_h(0.5, 0.5), 0.0
    sizes = "Cohen's h (no pair differs, so that Cohen's g does not exist)"
    if b + c > 0:
        p, effect, attained = _p_value(b, c, mid_p=mid_p), cohens_g(b, c, level=level), binomial_size(b + c, alpha)
        sizes = "Cohen's g with Clopper-Pearson interval"
    title = "mid-p conditional" if mid_p else "exact conditional"
    return TestResult(
        name="mcnemar_midp" if mid_p else "mcnemar",
        statistic=float(c),
        p=p,
        difference=(c - b) / n,
        interval=interval,
        effect=effect,
        n=n,
        counts={"pairs": n, "baseline_only": b, "treatment_only": c},
        assumptions=(_SAME_ITEMS, _MID_P) if mid_p else (_SAME_ITEMS,),
        method=(f"McNemar's {title} test (binomial on the pairs that differ), Tango score interval, {sizes}; {why}"),
        alpha=alpha,
        versions=versions(),
        attainable=None if mid_p else attained,
    )


def _p_value(b: int, c: int, *, mid_p: bool) -> float:
    from scipy import stats

    exact = min(1.0, float(stats.binomtest(c, b + c, 0.5).pvalue))
    if not mid_p:
        return exact
    of_outcome = float(stats.binom.pmf(c, b + c, 0.5))
    return 1.0 - of_outcome / 2.0 if b == c else exact - of_outcome
