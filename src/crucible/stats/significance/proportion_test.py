"""Shares of successes by their counts: one against a fixed share, exactly; two against each other, by the z-test."""

from __future__ import annotations

import math

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.effects.effect import cohens_h
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.intervals.proportion import clopper_pearson, newcombe_difference
from crucible.stats.result import TestResult
from crucible.stats.significance.attainable import attainable_size, no_likelier
from crucible.stats.whole_number import wholes

__all__ = ["one_proportion", "two_proportions"]

_MOST_COUNTED = 100_000  # trials up to which the attainable size is counted out


@needs_stats
def one_proportion(
    successes: int, trials: int, share: float = 0.5, *, alpha: float = 0.05, level: float | None = None
) -> TestResult:
    """Compare a share of successes with a fixed one by the exact binomial test.

    Args:
        successes: Count of successes, 0 <= successes <= trials.
        trials: Independent trials, at least 1.
        share: The fixed share, strictly between 0 and 1.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.

    Returns:
        The result; its statistic is `successes`, its difference the share of successes minus the fixed one.

    Raises:
        StatsError: The counts do not fit together, or the share is no probability between 0 and 1.
        TooFewSamples: There are no trials.

    Source:
        Clopper & Pearson (1934), Biometrika 26(4):404-413; two-sided p-value: all outcomes that are no likelier than
        the one seen, by `scipy.stats.binomtest`.
    """
    from scipy import stats

    level = level_of(alpha, level)
    if not 0.0 < share < 1.0:
        raise StatsError(f"the fixed share must lie between 0 and 1, got {share!r}")
    successes, trials = wholes(successes=successes, trials=trials)
    exact = clopper_pearson(successes, trials, level=level)  # refuses counts that do not fit
    found = successes / trials
    return TestResult(
        name="binomial",
        statistic=float(successes),
        p=min(1.0, float(stats.binomtest(successes, trials, share).pvalue)),
        difference=found - share,
        interval=Interval(exact.low - share, exact.high - share, level, exact.method),
        effect=cohens_h(share, found),
        n=trials,
        counts={"scores": trials, "successes": successes},
        assumptions=("the trials are independent of each other and have the same chance of success",),
        method=(
            "exact binomial test (statistic: successes), Clopper-Pearson interval of the share minus the fixed one, "
            "Cohen's h without interval; called by name"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=share,
        treatment_mean=found,
        baseline=f"the fixed value {share:.12g}",
        attainable=_binomial_size(trials, share, alpha),
    )


@needs_stats
def two_proportions(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    alpha: float = 0.05,
    level: float | None = None,
) -> TestResult:
    """Compare two independent shares of successes by the z-test with the pooled share.

    It is Pearson's chi-squared test of the two-by-two table without correction for continuity, the statistic with its
    sign. For small counts Fisher's exact test is safer, and `compare` chooses that one.

    Args:
        baseline_successes: Count of successes of the baseline.
        baseline_trials: Trials of the baseline, at least 1.
        treatment_successes: Count of successes of the treatment.
        treatment_trials: Trials of the treatment, at least 1.
        alpha: Type-I error rate of the verdict.
        level: Level of the intervals; None: 1 - alpha.

    Raises:
        StatsError: The counts do not fit together.
        TooFewSamples: There are no trials on one side.
        DegenerateSample: Every trial succeeded, or none did: the pooled share has no variance.

    Source:
        Pearson (1900); as `prop.test(correct = FALSE)` of R and `proportions_ztest` of statsmodels.
    """
    from scipy import special

    level = level_of(alpha, level)
    a, n, b, m = wholes(
        baseline_successes=baseline_successes,
        baseline_trials=baseline_trials,
        treatment_successes=treatment_successes,
        treatment_trials=treatment_trials,
    )
    interval = newcombe_difference(a, n, b, m, level=level)  # refuses counts that do not fit
    pooled = (a + b) / (n + m)
    if a + b in (0, n + m):
        raise DegenerateSample(
            f"{'no' if a + b == 0 else 'every'} trial of {n} and {m} succeeded: the z-test needs a share that varies; "
            "use Fisher's exact test"
        )
    difference = b / m - a / n
    z = difference / math.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
    least = min(n, m) * min(pooled, 1.0 - pooled)
    return TestResult(
        name="two_proportion_z",
        statistic=z,
        p=min(1.0, 2.0 * float(special.ndtr(-abs(z)))),
        difference=difference,
        interval=interval,
        effect=cohens_h(a / n, b / m, trials=(n, m), level=level),
        n=n + m,
        counts={"baseline": n, "treatment": m, "baseline_successes": a, "treatment_successes": b},
        assumptions=(
            "all scores are independent of each other: no item is in both columns, and none twice in one",
            f"the counts are large enough for the normal approximation: the smallest expected one is {least:.3g}, and "
            "5 is the customary least",
        ),
        method=(
            "z-test of two proportions with the pooled share, without correction for continuity, Newcombe hybrid score "
            "interval, Cohen's h with arcsine interval; called by name"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=a / n,
        treatment_mean=b / m,
    )


def _binomial_size(trials: int, share: float, alpha: float) -> float | None:
    """Return the size that the exact test attains; None for more trials than are worth counting out."""
    import numpy as np
    from scipy import stats

    if trials > _MOST_COUNTED:
        return None
    probabilities = stats.binom.pmf(np.arange(trials + 1), trials, share)
    return attainable_size(probabilities, no_likelier(probabilities), alpha)
