"""Sizes of effect of two columns of scores, each with its interval: what to call without making a test.

Every one is treatment minus baseline. Those of counts are in `odds`, the shift of Hodges and Lehmann is in `shift`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.effects import effect
from crucible.stats.effects.dominance import dominance, dominance_of_pairs
from crucible.stats.effects.effect import Moments
from crucible.stats.extra import needs_stats
from crucible.stats.groups import variance_share
from crucible.stats.intervals.proportion import wilson
from crucible.stats.result import Effect
from crucible.stats.sample import Scores, check_rates, independent_columns, is_by_id, one_column, paired_columns
from crucible.stats.significance.rank import rounded_differences
from crucible.stats.significance.tdist import moments, welch_error
from crucible.stats.whole_number import wholes

if TYPE_CHECKING:
    from crucible.stats.groups.variance_share import SumsOfSquares
    from crucible.stats.sample import FloatArray

__all__ = [
    "cliffs_delta",
    "cohens_d",
    "cohens_dz",
    "cohens_h",
    "epsilon_squared",
    "eta_squared",
    "glass_delta",
    "hedges_g",
    "omega_squared",
    "rank_biserial",
]

Groups = Mapping[str, Scores] | Sequence[Scores]


@needs_stats
def cohens_d(baseline: Scores, treatment: Scores, *, pooled: bool = True, level: float = 0.95) -> Effect:
    """Return Cohen's d of independent samples: the difference of means in standard deviations.

    Args:
        baseline: Scores, at least two.
        treatment: Scores of other items, at least two.
        pooled: Whether the deviation is the pooled one, which assumes equal variances and fits Student's test; False:
            the root of the average variance, which fits Welch's.
        level: Coverage that the interval, by the non-central t distribution, aims at.

    Raises:
        StatsError: A score is no finite number, or the level is out of range.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: Neither column varies.

    Source:
        Cohen (1988), section 2.2; Delacre, Lakens, Ley, Liu & Leys (2021) without equal variances.
    """
    base, treated = _two(baseline, treatment, level)
    if pooled:
        return effect.pooled_cohens_d(base, treated, level=level)
    return effect.cohens_d(base, treated, df=welch_error(base, treated)[1], level=level)


@needs_stats
def hedges_g(baseline: Scores, treatment: Scores, *, pooled: bool = True, level: float = 0.95) -> Effect:
    """Return Hedges' g of independent samples: Cohen's d without its bias, by the exact gamma correction.

    Args:
        baseline: Scores, at least two.
        treatment: Scores of other items, at least two.
        pooled: As for `cohens_d`.
        level: Coverage that the interval, by the non-central t distribution, aims at.

    Raises:
        StatsError: A score is no finite number, or the level is out of range.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: Neither column varies.

    Source:
        Hedges (1981), Journal of Educational Statistics 6(2):107-128.
    """
    base, treated = _two(baseline, treatment, level)
    if pooled:
        return effect.pooled_hedges_g(base, treated, level=level)
    return effect.hedges_g(base, treated, df=welch_error(base, treated)[1], level=level)


@needs_stats
def glass_delta(baseline: Scores, treatment: Scores, *, level: float = 0.95) -> Effect:
    """Return Glass' delta of independent samples: the difference of means in standard deviations of the baseline.

    Args:
        baseline: Scores, at least two, that vary: the reference.
        treatment: Scores of other items, at least two.
        level: Coverage that the interval aims at.

    Raises:
        StatsError: A score is no finite number, or the level is out of range.
        TooFewSamples: A column has fewer than two scores.
        DegenerateSample: The baseline does not vary.

    Source:
        Glass (1976), Educational Researcher 5(10):3-8; `crucible.stats.effects.effect.glass_delta` for the
        interval.
    """
    base, treated = _two(baseline, treatment, level)
    return effect.glass_delta(base, treated, level=level)


@needs_stats
def cohens_dz(baseline: Scores, treatment: Scores, *, level: float = 0.95) -> Effect:
    """Return Cohen's dz of pairs: the mean difference in standard deviations of the differences.

    Args:
        baseline: Scores by position, or a mapping of them by item id.
        treatment: Scores of the same items, given the same way.
        level: Coverage that the interval, by the non-central t distribution, aims at.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or the level is out of range.
        TooFewSamples: There are fewer than two pairs.
        DegenerateSample: The differences do not vary.

    Source:
        Cohen (1988), section 2.3.5.
    """
    check_rates(0.5, level)
    x, y = paired_columns(baseline, treatment)
    found = moments(y - x, largest=max(float(abs(x).max()), float(abs(y).max())))
    if found.variance == 0.0:
        raise DegenerateSample(f"all {found.n} differences are {found.mean:.6g} up to rounding: they have no spread")
    return effect.cohens_dz(found, level=level)


@needs_stats
def cliffs_delta(baseline: Scores, treatment: Scores, *, level: float = 0.95) -> Effect:
    """Return Cliff's delta of independent samples: P(treatment is higher) minus P(baseline is higher), -1 to 1.

    Args:
        baseline: Scores, at least two.
        treatment: Scores of other items, at least two.
        level: Coverage that the interval aims at.

    Raises:
        StatsError: A score is no finite number, or the level is out of range.
        TooFewSamples: A column has fewer than two scores.

    Source:
        Cliff (1993); Feng & Cliff (2004), as for `crucible.stats.effects.dominance.dominance`.
    """
    check_rates(0.5, level)
    return dominance(*independent_columns(baseline, treatment), level=level)


@needs_stats
def rank_biserial(baseline: Scores, treatment: Scores, *, paired: bool = False, level: float = 0.95) -> Effect:
    """Return the rank-biserial correlation: of independent samples it is Cliff's delta, of pairs that of their ranks.

    Args:
        baseline: Scores, or a mapping of them by item id.
        treatment: Scores, given the same way; mappings by id are paired.
        paired: Whether scores at the same position belong to the same item.
        level: Coverage that the interval aims at.

    Raises:
        StatsError: A score is no finite number, lengths or ids do not match, or the level is out of range.
        TooFewSamples: There are fewer than two pairs, or two scores a column.
        DegenerateSample: No pair differs by more than rounding.

    Source:
        Kerby (2014), Comprehensive Psychology 3:1; intervals as for `crucible.stats.effects.dominance`.
    """
    check_rates(0.5, level)
    if paired or is_by_id(baseline) or is_by_id(treatment):
        return dominance_of_pairs(rounded_differences(*paired_columns(baseline, treatment)), level=level)
    return dominance(*independent_columns(baseline, treatment), level=level, name="rank_biserial")


@needs_stats
def cohens_h(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    level: float = 0.95,
) -> Effect:
    """Return Cohen's h of two independent shares: their difference on the arcsine scale, -pi to pi.

    Args:
        baseline_successes: Count of successes of the baseline.
        baseline_trials: Trials of the baseline, at least 1.
        treatment_successes: Count of successes of the treatment.
        treatment_trials: Trials of the treatment, at least 1.
        level: Coverage that the interval aims at; it is approximate near shares of 0 and 1.

    Raises:
        StatsError: The counts or the level are out of range.
        TooFewSamples: There are no trials on one side.

    Source:
        Cohen (1988), chapter 6.
    """
    x, n, y, m = wholes(
        baseline_successes=baseline_successes,
        baseline_trials=baseline_trials,
        treatment_successes=treatment_successes,
        treatment_trials=treatment_trials,
    )
    for counts in ((x, n), (y, m)):
        wilson(*counts, level=level)  # refuses counts that are none
    return effect.cohens_h(x / n, y / m, trials=(n, m), level=level)


@needs_stats
def eta_squared(groups: Groups, *, level: float = 0.95) -> Effect:
    """Return eta squared: the share of the variation of these scores that the groups explain, 0 to 1, biased upwards.

    Args:
        groups: At least two columns of scores, or a mapping of them by label.
        level: Coverage that the interval, by the non-central F distribution, aims at; it assumes equal variances.

    Raises:
        StatsError: A score is no finite number, or there are fewer than two groups.
        TooFewSamples: A group is empty, or none has more than one score.
        DegenerateSample: All scores are the same.

    Source:
        Cohen (1988), chapter 8; Steiger (2004), Psychological Methods 9(2):164-182.
    """
    return variance_share.eta_squared(_squares(groups, level), level=level)


@needs_stats
def omega_squared(groups: Groups, *, level: float = 0.95) -> Effect:
    """Return omega squared: an estimate, less biased than eta squared, of the share that the groups explain.

    Where the formula falls below 0, it is 0, as the share and its interval are never below it.

    Args:
        groups: As for `eta_squared`.
        level: As for `eta_squared`; the interval is that of the share in the population, as for the other two.

    Raises:
        StatsError: As for `eta_squared`.
        TooFewSamples: As for `eta_squared`.
        DegenerateSample: All scores are the same.

    Source:
        Hays (1963); Steiger (2004); 0 for less than 0 as in R's effectsize (since 0.8.2) and rstatix.
    """
    return variance_share.omega_squared(_squares(groups, level), level=level)


@needs_stats
def epsilon_squared(groups: Groups, *, level: float = 0.95) -> Effect:
    """Return epsilon squared: eta squared with both variances estimated without bias; at least 0, as omega squared.

    The effect beside `kruskal` is another quantity: the rank epsilon squared, H / (n - 1).

    Args:
        groups: As for `eta_squared`.
        level: As for `omega_squared`.

    Raises:
        StatsError: As for `eta_squared`.
        TooFewSamples: As for `eta_squared`.
        DegenerateSample: All scores are the same.

    Source:
        Kelley (1935), Proceedings of the National Academy of Sciences 21(9):554-559; Steiger (2004).
    """
    return variance_share.epsilon_squared(_squares(groups, level), level=level)


def _two(baseline: Scores, treatment: Scores, level: float) -> tuple[Moments, Moments]:
    check_rates(0.5, level)
    x, y = independent_columns(baseline, treatment)
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if base.variance == treated.variance == 0.0:
        raise DegenerateSample(
            f"neither column varies: all {base.n} baseline scores are {base.mean:.6g} and all {treated.n} treatment "
            f"scores are {treated.mean:.6g}; a standardised difference needs spread"
        )
    return base, treated


def _squares(groups: Groups, level: float) -> SumsOfSquares:
    check_rates(0.5, level)
    named = groups.items() if isinstance(groups, Mapping) else ((f"group {i}", one) for i, one in enumerate(groups))
    columns: list[FloatArray] = []
    for label, scores in named:
        columns.append(one_column(scores, label))
        if not len(columns[-1]):
            raise TooFewSamples(f'"{label}" has no scores')
    if len(columns) < 2:
        raise StatsError(f"a share of the variance needs at least 2 groups, got {len(columns)}")
    return variance_share.sums_of_squares(columns)
