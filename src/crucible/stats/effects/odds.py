"""Ratios of two shares: odds ratio and risk ratio of independent samples, the odds ratio of pairs.

Above 1 where the treatment succeeds more often. A ratio with nothing in a cell is 0 or infinite, which no interval on
paper can hold: what is given in its place, or that nothing is, stands in each function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.proportion import clopper_pearson
from crucible.stats.result import Effect
from crucible.stats.sample import check_rates
from crucible.stats.whole_number import wholes

__all__ = ["matched_odds_ratio", "odds_ratio", "risk_ratio"]

_MOST_EXACT = 2000  # trials up to which the conditional estimate takes less than a second


@needs_stats
def odds_ratio(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    exact: bool = False,
    level: float = 0.95,
) -> Effect:
    """Return the odds of success under the treatment over those under the baseline, independent samples.

    Where one cell of the table is empty, the table is smoothed towards independence first (2 observations are shared
    out as the margins say), and the interval's `method` says so: estimate and limits stay finite.

    Args:
        baseline_successes: Count of successes of the baseline.
        baseline_trials: Trials of the baseline, at least 1.
        treatment_successes: Count of successes of the treatment.
        treatment_trials: Trials of the treatment, at least 1.
        exact: Whether to give the conditional estimate and the exact interval that go with Fisher's test, as R's
            `fisher.test` does; up to 2,000 trials, no cell empty.
        level: Coverage of the interval.

    Raises:
        StatsError: The counts or the level are out of range, or the exact interval cannot be had.
        TooFewSamples: There are no trials on one side.
        DegenerateSample: Every trial of both sides succeeds, or none does: there are no odds.

    Source:
        Interval: Miettinen & Nurminen (1985), Statistics in Medicine 4(2):213-226; empty cells: Agresti (1999),
        Biometrics 55(2):597-602; both recommended by Fagerland, Lydersen & Laake (2015), Statistical Methods in Medical
        Research 24(2):224-254. Exact: Cornfield (1956), by `scipy.stats.contingency.odds_ratio`.
    """
    x, n, y, m = _checked(baseline_successes, baseline_trials, treatment_successes, treatment_trials, level)
    if x + y in (0, n + m):
        which = "none of the trials succeeds" if x + y == 0 else "every trial succeeds"
        raise DegenerateSample(f"{which} on either side: there are no odds to compare; use newcombe_difference()")
    cells = (x, n - x, y, m - y)
    if exact:
        return _conditional(cells, level)
    if 0 in cells:
        return _smoothed(cells, level)
    value = y * (n - x) / ((m - y) * x)

    def excess(logarithm: float) -> float:
        return _score_of_odds(x, n, y, m, math.exp(logarithm)) - _chi2(level) * (n + m) / (n + m - 1.0)

    low, high = _roots(excess, math.log(value))
    return Effect("odds_ratio", value, Interval(low, high, level, "Miettinen-Nurminen score"))


def _conditional(cells: tuple[int, int, int, int], level: float) -> Effect:
    import numpy as np
    from scipy.stats import contingency

    x, not_x, y, not_y = cells
    if 0 in cells:
        raise StatsError("a cell of the table is empty: the exact interval has no end there; leave out exact=True")
    if sum(cells) > _MOST_EXACT:
        raise StatsError(f"{sum(cells)} trials are too many for the exact interval (up to {_MOST_EXACT})")
    found: Any = contingency.odds_ratio(np.array([[y, not_y], [x, not_x]]), kind="conditional")
    interval = found.confidence_interval(level)
    limits = float(interval.low), float(interval.high)
    return Effect("odds_ratio", float(found.statistic), Interval(*limits, level, "exact conditional"))


def _smoothed(cells: tuple[int, int, int, int], level: float) -> Effect:
    x, not_x, y, not_y = cells
    total = sum(cells)
    rows, columns = (x + not_x, y + not_y), (x + y, not_x + not_y)
    a, b, c, d = (
        cell + 2.0 * rows[place // 2] * columns[place % 2] / total**2 for place, cell in enumerate((x, not_x, y, not_y))
    )
    logarithm = math.log(c * b / (d * a))
    width = math.sqrt(_chi2(level) * (1 / a + 1 / b + 1 / c + 1 / d))
    limits = math.exp(logarithm - width), math.exp(logarithm + width)
    method = "independence-smoothed logit (a cell is empty)"
    return Effect("odds_ratio", math.exp(logarithm), Interval(*limits, level, method))


def _score_of_odds(x: int, n: int, y: int, m: int, odds: float) -> float:
    """Squared score statistic under this odds ratio, the baseline's share at its maximum likelihood."""
    b = m * odds + n - (x + y) * (odds - 1.0)
    p = 2.0 * (x + y) / (b + math.sqrt(b * b + 4.0 * n * (odds - 1.0) * (x + y)))
    q = odds * p / (1.0 - p + odds * p)
    return (y - m * q) ** 2 * (1.0 / (m * q * (1.0 - q)) + 1.0 / (n * p * (1.0 - p)))


@needs_stats
def risk_ratio(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    level: float = 0.95,
) -> Effect:
    """Return the treatment's share of successes over the baseline's, independent samples.

    Args:
        baseline_successes: Count of successes of the baseline, at least 1.
        baseline_trials: Trials of the baseline.
        treatment_successes: Count of successes of the treatment; with 0 the ratio is 0, and its interval begins there.
        treatment_trials: Trials of the treatment, at least 1.
        level: Coverage aimed at.

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: There are no trials on one side.
        DegenerateSample: No trial of the baseline succeeds: the ratio is infinite.

    Source:
        Koopman (1984), Biometrics 40(2):513-517.
    """
    x, n, y, m = _checked(baseline_successes, baseline_trials, treatment_successes, treatment_trials, level)
    if x == 0:
        raise DegenerateSample(f"0 of {n} trials of the baseline succeed: the ratio is infinite; use odds_ratio()")

    def excess(logarithm: float) -> float:
        return _score_of_risks(x, n, y, m, math.exp(logarithm)) - _chi2(level)

    value = y * n / (m * x)
    if y == 0:
        high = _root_above(excess, math.log(0.5 * n / (m * x)))
        return Effect("risk_ratio", 0.0, Interval(0.0, high, level, "Koopman score"))
    low, high = _roots(excess, math.log(value))
    return Effect("risk_ratio", value, Interval(low, high, level, "Koopman score"))


def _score_of_risks(x: int, n: int, y: int, m: int, ratio: float) -> float:
    """Squared score statistic under this risk ratio, the baseline's share at its maximum likelihood."""
    b = ratio * (x + m) + y + n
    p = 2.0 * (x + y) / (b + math.sqrt(max(0.0, b * b - 4.0 * ratio * (n + m) * (x + y))))
    q = ratio * p
    base = (x - n * p) ** 2 / (n * p * (1.0 - p)) if p < 1.0 else 0.0
    return base + ((y - m * q) ** 2 / (m * q * (1.0 - q)) if q < 1.0 else 0.0)


@needs_stats
def matched_odds_ratio(baseline_only: int, treatment_only: int, *, level: float = 0.95) -> Effect:
    """Return the odds ratio of pairs: how many only the treatment got right for each that only the baseline did.

    Its exact interval excludes 1 exactly where McNemar's exact test has p < 1 - level.

    Args:
        baseline_only: Pairs in which only the baseline succeeded, at least 1.
        treatment_only: Pairs in which only the treatment succeeded, at least 1.
        level: Least coverage of the interval.

    Raises:
        StatsError: A count is below 0, or the level is out of range.
        DegenerateSample: A count is 0: the ratio is 0 or infinite.

    Source:
        Breslow & Day (1980), Statistical Methods in Cancer Research I, section 5.2; interval: that of Clopper & Pearson
        (1934) for the share, as odds.
    """
    check_rates(0.5, level)
    baseline_only, treatment_only = wholes(baseline_only=baseline_only, treatment_only=treatment_only)
    if min(baseline_only, treatment_only) < 0:
        raise StatsError(f"expected counts of at least 0, got {baseline_only} and {treatment_only}")
    if 0 in (baseline_only, treatment_only):
        raise DegenerateSample(
            f"{baseline_only} and {treatment_only} pairs differ: with a 0 the ratio is 0 or infinite; use Cohen's g"
        )
    share = clopper_pearson(treatment_only, baseline_only + treatment_only, level=level)
    limits = share.low / (1.0 - share.low), share.high / (1.0 - share.high)
    return Effect("odds_ratio", treatment_only / baseline_only, Interval(*limits, level, share.method))


def _roots(excess: Callable[[float], float], start: float) -> tuple[float, float]:
    """Return where a function of the logarithm, below 0 at `start`, becomes 0 on either side, as ratios."""
    return 1.0 / _root_above(lambda value: excess(-value), -start), _root_above(excess, start)


def _root_above(excess: Callable[[float], float], start: float) -> float:
    from scipy import optimize

    step = 0.5
    while excess(start + step) < 0.0:
        step *= 2.0
    return math.exp(float(optimize.brentq(excess, start, start + step, xtol=1e-14, rtol=1e-14)))


def _chi2(level: float) -> float:
    from scipy import special

    return float(special.ndtri((1.0 + level) / 2.0)) ** 2


def _checked(
    baseline_successes: int, baseline_trials: int, treatment_successes: int, treatment_trials: int, level: float
) -> tuple[int, ...]:
    check_rates(0.5, level)
    x, n, y, m = counts = wholes(
        baseline_successes=baseline_successes,
        baseline_trials=baseline_trials,
        treatment_successes=treatment_successes,
        treatment_trials=treatment_trials,
    )
    for name, successes, trials in (("baseline", x, n), ("treatment", y, m)):
        if successes == trials == 0:
            raise TooFewSamples(f"no trials of the {name}: there is no share to compare")
        if not 0 <= successes <= trials:
            raise StatsError(f"{name}: expected 0 <= successes <= trials, got {successes} of {trials}")
    return counts
