"""Intervals for shares: of one sample, of two independent ones, and of two measured on the same items.

None of them has zero width: where every trial succeeds, or two columns agree on every item, the interval still says how
large a difference a sample of that size could have missed.
"""

from __future__ import annotations

import math

from crucible.errors import StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.extra import needs_stats
from crucible.stats.sample import check_rates
from crucible.stats.whole_number import wholes

__all__ = ["clopper_pearson", "jeffreys", "newcombe_difference", "tango_difference", "wilson"]


@needs_stats
def wilson(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Return the Wilson score interval for a proportion.

    Stays inside [0, 1] and keeps a width when every trial succeeds.

    Args:
        successes: Count of successes, 0 <= successes <= trials.
        trials: Independent trials, at least 1.
        level: Coverage aimed at, between 0 and 1.

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: `trials` is 0, so no interval exists.

    Source:
        Wilson (1927), JASA 22(158):209-212; computed by `scipy.stats.binomtest`.
    """
    from scipy import stats

    successes, trials = _check_counts(successes, trials, level)
    found = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    return Interval(max(0.0, float(found.low)), min(1.0, float(found.high)), level, "Wilson score")


@needs_stats
def clopper_pearson(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Return the exact (Clopper-Pearson) interval for a proportion; it covers at least `level`.

    Args:
        successes: Count of successes, 0 <= successes <= trials.
        trials: Independent trials, at least 1.
        level: Least coverage, between 0 and 1.

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: `trials` is 0, so no interval exists.

    Source:
        Clopper & Pearson (1934), Biometrika 26(4):404-413; as quantiles of beta distributions, by `scipy.special`.
    """
    from scipy import special

    successes, trials = _check_counts(successes, trials, level)
    tail, failures = (1.0 - level) / 2.0, trials - successes
    low = float(special.betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(special.betainccinv(successes + 1, failures, tail)) if failures else 1.0
    return Interval(low, high, level, "Clopper-Pearson exact")


@needs_stats
def jeffreys(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Return Jeffreys' interval for a proportion: shorter than the exact one, and on average about as sure as `level`.

    Args:
        successes: Count of successes, 0 <= successes <= trials.
        trials: Independent trials, at least 1.
        level: Coverage aimed at, between 0 and 1.

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: `trials` is 0, so no interval exists.

    Source:
        Brown, Cai & DasGupta (2001), Statistical Science 16(2):101-133, section 4.3: quantiles of the beta posterior
        under Jeffreys' prior, ending at 0 without a success and at 1 without a failure.
    """
    from scipy import special

    successes, trials = _check_counts(successes, trials, level)
    tail, failures = (1.0 - level) / 2.0, trials - successes
    low = float(special.betaincinv(successes + 0.5, failures + 0.5, tail)) if successes else 0.0
    high = float(special.betainccinv(successes + 0.5, failures + 0.5, tail)) if failures else 1.0
    return Interval(low, high, level, "Jeffreys")


@needs_stats
def newcombe_difference(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    level: float = 0.95,
) -> Interval:
    """Return Newcombe's hybrid score interval for the difference of two independent proportions.

    Args:
        baseline_successes: Count of successes of the baseline.
        baseline_trials: Trials of the baseline, at least 1.
        treatment_successes: Count of successes of the treatment.
        treatment_trials: Trials of the treatment, at least 1.
        level: Coverage aimed at, between 0 and 1.

    Returns:
        The interval of treatment minus baseline, inside [-1, 1].

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: There are no trials on one side.

    Source:
        Newcombe (1998), Statistics in Medicine 17(8):873-890, method 10.
    """
    baseline_successes, baseline_trials = _check_counts(baseline_successes, baseline_trials, level)
    treatment_successes, treatment_trials = _check_counts(treatment_successes, treatment_trials, level)
    base = wilson(baseline_successes, baseline_trials, level=level)
    treated = wilson(treatment_successes, treatment_trials, level=level)
    p, q = baseline_successes / baseline_trials, treatment_successes / treatment_trials
    low = q - p - math.hypot(q - treated.low, base.high - p)
    high = q - p + math.hypot(treated.high - q, p - base.low)
    return Interval(max(-1.0, low), min(1.0, high), level, "Newcombe hybrid score")


@needs_stats
def tango_difference(baseline_only: int, treatment_only: int, pairs: int, *, level: float = 0.95) -> Interval:
    """Return Tango's score interval for the difference of two proportions of the same items.

    It keeps an honest width where no pair differs: `z^2 / (n + z^2)` to each side. (Newcombe's square-and-add interval
    does not: with half of 20 items right and no pair differing it is +-0.09, where 3/20 is what one cannot rule out.)

    Args:
        baseline_only: Pairs in which only the baseline succeeded.
        treatment_only: Pairs in which only the treatment succeeded.
        pairs: All pairs, at least 1.
        level: Coverage aimed at, between 0 and 1.

    Returns:
        The interval of treatment minus baseline, inside [-1, 1].

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: There are no pairs.

    Source:
        Tango (1998), Statistics in Medicine 17(8):891-908; recommended by Fagerland, Lydersen & Laake (2014),
        Statistics in Medicine 33(16):2850-2875.
    """
    baseline_only, pairs = _check_counts(baseline_only, pairs, level)
    treatment_only, pairs = _check_counts(treatment_only, pairs, level)
    _check_counts(baseline_only + treatment_only, pairs, level)
    low = -_tango_upper(treatment_only, baseline_only, pairs, level)
    high = _tango_upper(baseline_only, treatment_only, pairs, level)
    return Interval(low, high, level, "Tango score")


def _tango_upper(minus: int, plus: int, n: int, level: float) -> float:
    from scipy import optimize, special

    z2 = float(special.ndtri((1.0 + level) / 2.0)) ** 2
    estimate = (plus - minus) / n
    if plus == n:
        return 1.0
    if minus == n:  # the statistic is 0/0 at the estimate; the other root of the quadratic is the limit
        return (z2 - n) / (z2 + n)
    if minus == plus == 0:
        return z2 / (n + z2)

    def excess(delta: float) -> float:
        # squared score minus z^2 times its variance: below 0 inside the interval
        return (plus - minus - n * delta) ** 2 - z2 * n * _score_variance(minus, plus, n, delta)

    root = optimize.brentq(excess, estimate, 1.0, xtol=1e-15, rtol=1e-14)
    return max(estimate, float(root))


def _score_variance(minus: int, plus: int, n: int, delta: float) -> float:
    """Variance of one pair's difference under P(plus) - P(minus) = delta, nuisance at its maximum likelihood."""
    if delta < 0:
        minus, plus, delta = plus, minus, -delta
    b = (2 * n + minus - plus) * delta - (minus + plus)
    c = -minus * delta * (1.0 - delta)
    q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)  # P(minus), the larger root of 2nq^2 + bq + c
    return max(0.0, 2.0 * q + delta * (1.0 - delta))


def _check_counts(successes: int, trials: int, level: float) -> tuple[int, int]:
    check_rates(0.5, level)
    successes, trials = wholes(successes=successes, trials=trials)
    if trials == 0 and successes == 0:
        raise TooFewSamples("no trials: no interval exists")
    if not 0 <= successes <= trials:
        raise StatsError(f"expected 0 <= successes <= trials, got {successes} of {trials}")
    return successes, trials
