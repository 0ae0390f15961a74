"""Posteriors of differences measured on the same items: of two shares, and of two means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Interval
from crucible.stats.bayes.posterior import Posterior, limits_of, rope_of
from crucible.stats.bayes.shares import integral_over_beta
from crucible.stats.extra import needs_stats
from crucible.stats.sample import Scores, check_rates, paired_columns
from crucible.stats.significance.tdist import moments
from crucible.stats.whole_number import wholes

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["paired", "paired_shares"]

_LEAST = 1e-300  # a share that is not 0, so that one can divide by it


@needs_stats
def paired_shares(
    baseline_only: int,
    treatment_only: int,
    pairs: int,
    *,
    prior: float = 1.0,
    rope: float | tuple[float, float] | None = None,
    level: float = 0.95,
) -> Posterior:
    """Return the posterior of the difference of two shares of the same items, treatment minus baseline.

    It is to McNemar's test what `beta_binomial_difference` is to Fisher's.

    Args:
        baseline_only: Pairs in which only the baseline succeeded.
        treatment_only: Pairs in which only the treatment succeeded.
        pairs: All pairs, those that agree included.
        prior: Parameter of the symmetric Dirichlet prior of the four cells (both, either, neither), above 0.
        rope: Differences that are too small to matter: two ends, or a half-width about 0.
        level: Probability inside the equal-tailed interval.

    Raises:
        StatsError: The counts, the prior, the region or the level are out of range.

    Source:
        Dirichlet posterior of a 2x2 table: Gelman et al. (2013), Bayesian Data Analysis, section 3.4. The share of the
        pairs that differ and the treatment's part of them are independent beta variables.
    """
    import numpy as np
    from scipy import special

    check_rates(0.5, level)
    baseline_only, treatment_only, pairs = wholes(
        baseline_only=baseline_only, treatment_only=treatment_only, pairs=pairs
    )
    if min(baseline_only, treatment_only) < 0 or baseline_only + treatment_only > pairs:
        raise StatsError(f"{baseline_only} and {treatment_only} pairs differ of {pairs}: counts that do not fit")
    if not prior > 0.0:
        raise StatsError(f"the parameter of a Dirichlet prior must be above 0, got {prior}")
    won, lost = prior + treatment_only, prior + baseline_only
    agree = 2.0 * prior + pairs - baseline_only - treatment_only

    def below(difference: float) -> float:
        if difference == 0.0:
            return float(special.betainc(won, lost, 0.5))

        def part_below(shares: FloatArray) -> FloatArray:  # given the share of pairs that differ
            parts = (1.0 + difference / np.maximum(shares, _LEAST)) / 2.0
            return special.betainc(won, lost, np.clip(parts, 0.0, 1.0))

        parts = [float(special.betaincinv(won, lost, tail)) for tail in (1e-13, 1e-6, 0.05, 0.5, 0.95, 1.0 - 1e-6)]
        turns = [difference / (2.0 * part - 1.0) for part in parts if part != 0.5]
        return integral_over_beta(part_below, won + lost, agree, [abs(difference), *turns])

    return Posterior(
        quantity="difference of shares",
        mean=(won - lost) / (won + lost + agree),
        interval=Interval(*limits_of(below, -1.0, 1.0, level), level, "equal-tailed posterior"),
        prior=f"Dirichlet({prior:.6g}) prior of the four cells",
        n=pairs,
        p_above_zero=1.0 - below(0.0),
        rope=rope_of(rope, below),
    )


@needs_stats
def paired(
    baseline: Scores,
    treatment: Scores,
    *,
    rope: float | tuple[float, float] | None = None,
    correlation: float = 0.0,
    level: float = 0.95,
) -> Posterior:
    """Return the posterior of the mean difference of paired scores, treatment minus baseline: a Student t distribution.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        rope: Differences that are too small to matter: two ends, or a half-width about 0.
        correlation: Of the differences with each other, 0 to below 1; for k-fold cross-validation 1 / k, as the folds'
            training sets overlap; 0 for independent items.
        level: Probability inside the interval.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or an option is out of range.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: The differences do not vary.

    Source:
        Benavoli, Corani, Demsar & Zaffalon (2017), Journal of Machine Learning Research 18(77):1-36, section 3; prior:
        flat in the mean and in the logarithm of the variance, so that the interval is that of the t-test.
    """
    from scipy import special

    check_rates(0.5, level)
    if not 0.0 <= correlation < 1.0:
        raise StatsError(f"the correlation must be at least 0 and below 1, got {correlation!r}")
    x, y = paired_columns(baseline, treatment)
    found = moments(y - x, largest=max(float(abs(x).max()), float(abs(y).max())))
    if found.variance == 0.0:
        raise DegenerateSample(
            f"all {found.n} differences are {found.mean:.6g} up to rounding: the posterior would have no width"
        )
    scale = math.sqrt(found.variance * (1.0 / found.n + correlation / (1.0 - correlation)))
    df = found.n - 1.0

    def below(difference: float) -> float:
        return float(special.stdtr(df, (difference - found.mean) / scale))

    width = float(special.stdtrit(df, (1.0 + level) / 2.0)) * scale
    named = f", correlation {correlation:.4g} of the differences" if correlation else ""
    return Posterior(
        quantity="mean difference",
        mean=found.mean,
        interval=Interval(found.mean - width, found.mean + width, level, "Student t posterior"),
        prior=f"flat prior{named}",
        n=found.n,
        p_above_zero=float(special.stdtr(df, found.mean / scale)),
        rope=rope_of(rope, below),
    )
