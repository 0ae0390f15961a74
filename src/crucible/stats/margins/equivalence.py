"""Is it no worse, is it the same for all that matters: two one-sided tests (TOST) and non-inferiority.

A margin has to be chosen before the scores are seen, by whoever knows what matters; nothing here chooses one. What is
not shown is not denied: two conditions whose equivalence was not shown may well differ by less than the margin.
"""

from __future__ import annotations

import math

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.extra import needs_stats
from crucible.stats.margins.against_margin import Sides, against_newcombe, against_t, against_tango
from crucible.stats.margins.result import EquivalenceResult
from crucible.stats.sample import Scores, independent_columns, is_binary, is_by_id, paired_columns

__all__ = ["MARGIN_TESTS", "non_inferiority", "tost"]

MARGIN_TESTS = ("auto", "paired_ttest", "tango", "welch", "student", "newcombe")
"""Tests against a margin: `paired_ttest` and `tango` for the same items, the others for different ones."""


@needs_stats
def tost(
    baseline: Scores,
    treatment: Scores,
    *,
    margin: float,
    paired: bool = False,
    test: str = "auto",
    alpha: float = 0.05,
    is_share: bool = True,
) -> EquivalenceResult:
    """Test whether two conditions differ by less than a margin, by two one-sided tests.

    The rule of `test="auto"`: scores that are all 0 or 1 go to Tango's score test (same items) or Newcombe's score
    interval (different items), all others to the paired t-test or Welch's.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way; mappings are paired by id.
        margin: The difference that does not matter any more, above 0, in units of the score; chosen beforehand.
        paired: Whether two columns are of the same items, by position.
        test: `auto`, or one of `MARGIN_TESTS`, to force a test.
        alpha: Type-I error rate of each one-sided test, below 1/2.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers that happen to be.

    Returns:
        The result. Equivalence is shown where the whole interval at level 1 - 2 alpha lies inside the margin.

    Raises:
        StatsError: The margin is not above 0, alpha is out of range, a score is no finite number, or ids do not match.
        TooFewSamples: There are fewer than two scores or pairs.
        DegenerateSample: Nothing varies, so that a t-test has no standard error.

    Source:
        Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15(6):657-680; shares of the same items:
        Tango (1998), Statistics in Medicine 17(8):891-908; of different items: Newcombe (1998), Statistics in Medicine
        17(8):873-890, method 10.
    """
    made = _made((baseline, treatment), (margin, alpha), test, is_paired=paired, is_share=is_share)
    (low, statistic_low), (high, statistic_high) = made.below, made.above
    p, statistic = (low, statistic_low) if low >= high else (high, statistic_high)
    return _result("tost", made, margin, alpha, p=p, statistic=statistic, p_low=low, p_high=high)


@needs_stats
def non_inferiority(
    baseline: Scores,
    treatment: Scores,
    *,
    margin: float,
    higher_is_better: bool = True,
    paired: bool = False,
    test: str = "auto",
    alpha: float = 0.05,
    is_share: bool = True,
) -> EquivalenceResult:
    """Test whether a treatment is no worse than the baseline by a margin or more, by one one-sided test.

    The rule of `test="auto"` is that of `tost`. It says nothing of whether the treatment is better.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way; mappings are paired by id.
        margin: How much worse would not matter, above 0, in units of the score; chosen beforehand.
        higher_is_better: Whether a higher score is the better one; False for a loss, a latency or a cost.
        paired: Whether two columns are of the same items, by position.
        test: `auto`, or one of `MARGIN_TESTS`, to force a test.
        alpha: Type-I error rate of the one-sided test, below 1/2.
        is_share: Whether scores that are all 0 or 1 are right or wrong; False: numbers that happen to be.

    Returns:
        The result; its interval at level 1 - 2 alpha has the end that decides on the side of the margin.

    Raises:
        StatsError: As for `tost`.
        TooFewSamples: There are fewer than two scores or pairs.
        DegenerateSample: Nothing varies, so that a t-test has no standard error.

    Source:
        Piaggio, Elbourne, Pocock, Evans & Altman (2012), CONSORT extension, JAMA 308(24):2594-2604; tests as for
        `tost`.
    """
    made = _made((baseline, treatment), (margin, alpha), test, is_paired=paired, is_share=is_share)
    p, statistic = made.below if higher_is_better else made.above
    low, high = (p, None) if higher_is_better else (None, p)
    found = _result("non_inferiority", made, margin, alpha, p=p, statistic=statistic, p_low=low, p_high=high)
    return msgspec.structs.replace(found, higher_is_better=higher_is_better)


def _result(  # one line a field
    name: str,
    made: Sides,
    margin: float,
    alpha: float,
    *,
    p: float,
    statistic: float,
    p_low: float | None,
    p_high: float | None,
) -> EquivalenceResult:
    of = made.of
    method = "two one-sided tests" if name == "tost" else "one-sided test against the margin"
    return EquivalenceResult(
        name=name,
        test=made.test,
        statistic=statistic,
        p=p,
        p_low=p_low,
        p_high=p_high,
        difference=of.difference,
        interval=of.interval,
        effect=of.effect,
        n=of.n,
        counts=of.counts,
        margin=margin,
        higher_is_better=True,
        assumptions=(*of.assumptions, "the margin was chosen before the scores were seen"),
        method=f"{method} ({_WAYS[made.test]}), interval at level 1 - 2 alpha; {made.why}",
        alpha=alpha,
        versions=of.versions,
        df=of.df if made.test in ("paired_ttest", "welch", "student") else None,
        baseline_mean=of.baseline_mean,
        treatment_mean=of.treatment_mean,
    )


_WAYS = {
    "paired_ttest": "paired t-test",
    "welch": "Welch's t-test",
    "student": "Student's t-test",
    "tango": "Tango's score test of two shares of the same items",
    "newcombe": "Newcombe's hybrid score interval, inverted",
}


def _made(
    columns: tuple[Scores, Scores], numbers: tuple[float, float], test: str, *, is_paired: bool, is_share: bool
) -> Sides:
    margin, alpha = numbers
    if not (math.isfinite(margin) and margin > 0.0):
        raise StatsError(f"margin must be a finite number above 0, in units of the score, got {margin!r}")
    if not 0.0 < alpha < 0.5:
        raise StatsError(f"alpha of a one-sided test must lie between 0 and 1/2, got {alpha!r}")
    if test not in MARGIN_TESTS:
        raise StatsError(f'unknown test "{test}"{did_you_mean(test, MARGIN_TESTS)}; known: {", ".join(MARGIN_TESTS)}')
    is_paired = is_paired or is_by_id(columns[0]) or is_by_id(columns[1])
    x, y = (paired_columns if is_paired else independent_columns)(*columns)
    available = MARGIN_TESTS[1:3] if is_paired else MARGIN_TESTS[3:]
    is_counted, why = is_binary(x, y), "named by the caller"
    if test == "auto" and is_counted and is_share:
        test, why = "tango" if is_paired else "newcombe", "chosen because every score is 0 or 1"
    elif test == "auto":
        test, why = available[0], "chosen because the scores are numbers"
    if test not in available:
        which = "the same items" if is_paired else "different items"
        raise StatsError(f'test "{test}" is not for scores of {which}; available: {", ".join(available)}')
    level = round(1.0 - 2.0 * alpha, 12)
    if test not in ("tango", "newcombe"):
        return against_t(x, y, test, margin, level)._replace(why=why)
    if not is_counted:
        raise StatsError(f'test "{test}" needs scores that are all 0 or 1; use {available[0]}')
    if margin >= 1.0:
        raise StatsError(f"no difference of shares reaches a margin of {margin:g}: choose one below 1")
    return (against_tango if is_paired else against_newcombe)(x, y, margin, level)._replace(why=why)
