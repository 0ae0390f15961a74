"""An effect size that was asked for by name, where it goes with the test that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.comparing.sides import SideScores
from crucible.stats.effects.dominance import dominance, dominance_of_pairs
from crucible.stats.effects.effect import cohens_d, cohens_dz, glass_delta, hedges_g, pooled_cohens_d, pooled_hedges_g
from crucible.stats.effects.odds import matched_odds_ratio, odds_ratio, risk_ratio
from crucible.stats.effects.shift import shift_of_pairs, shift_of_samples
from crucible.stats.names import TEST_TITLES
from crucible.stats.result import Effect
from crucible.stats.sample import independent_columns, paired_columns
from crucible.stats.significance.rank import rounded_differences
from crucible.stats.significance.tdist import moments, welch_error

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["EFFECTS_OF_TESTS", "INDEPENDENT_EFFECTS", "PAIRED_EFFECTS", "effect_named"]

_OF_SAMPLES = ("hedges_g", "cohens_d", "glass_delta", "rank_biserial", "hodges_lehmann")
_OF_RANKS = ("rank_biserial", "hodges_lehmann", "hedges_g", "cohens_d", "glass_delta")
_OF_SHARES = ("cohens_h", "odds_ratio", "risk_ratio")
_OF_PAIRS = ("cohens_dz", "rank_biserial", "hodges_lehmann")
_OF_RIGHT_OR_WRONG_PAIRS = ("cohens_g", "odds_ratio")
_OF_RANKED_PAIRS = ("rank_biserial", "hodges_lehmann", "cohens_dz")
EFFECTS_OF_TESTS = {
    "mcnemar": _OF_RIGHT_OR_WRONG_PAIRS,
    "mcnemar_midp": _OF_RIGHT_OR_WRONG_PAIRS,
    "paired_ttest": _OF_PAIRS,
    "bootstrap": _OF_PAIRS,
    "permutation": _OF_PAIRS,
    "wilcoxon": _OF_RANKED_PAIRS,
    "nemenyi": _OF_RANKED_PAIRS,
    "sign": ("dominance",),
    "fisher": _OF_SHARES,
    "two_proportion_z": _OF_SHARES,
    "welch": _OF_SAMPLES,
    "student": _OF_SAMPLES,
    "tukey": _OF_SAMPLES,
    "games_howell": _OF_SAMPLES,
    "mannwhitney": _OF_RANKS,
    "dunn": _OF_RANKS,
    "bootstrap_independent": _OF_SAMPLES,
    "permutation_independent": _OF_SAMPLES,
    "anova": ("eta_squared", *_OF_SAMPLES),
    "welch_anova": ("eta_squared", *_OF_SAMPLES),
    "brown_forsythe": ("eta_squared", *_OF_SAMPLES),
    "kruskal": ("rank_epsilon_squared", *_OF_SAMPLES),
}
"""Effect sizes that go with each test; the first one is given unless another is asked for."""

PAIRED_EFFECTS = ("cohens_g", "cohens_dz", "rank_biserial", "hodges_lehmann", "odds_ratio")
"""Effect sizes that can be asked for where the columns are of the same items."""

INDEPENDENT_EFFECTS = (
    *("cohens_d", "hedges_g", "glass_delta", "cohens_h", "rank_biserial", "hodges_lehmann", "odds_ratio", "risk_ratio"),
)
"""Effect sizes that can be asked for where they are not."""


def effect_named(name: str, test: str, scores: SideScores, *, level: float) -> Effect:
    """Return an effect size of two columns.

    Args:
        name: Canonical name of the effect size, other than the one that `test` itself gives.
        test: Canonical name of the test that was made.
        scores: Of both sides; the same ids for a paired test.
        level: Coverage that the interval aims at.

    Raises:
        StatsError: The effect size does not go with the test.
        DegenerateSample: The scores are such that it does not exist, as ranks where no pair differs.
    """
    fitting = EFFECTS_OF_TESTS.get(test, ())
    if name not in fitting:
        others = f", which goes with {', '.join(fitting)}" if fitting else ""
        raise StatsError(f"it does not go with {TEST_TITLES.get(test, test)}{others}")
    if fitting in (_OF_PAIRS, _OF_RIGHT_OR_WRONG_PAIRS, _OF_RANKED_PAIRS):
        common = [key for key in scores.baseline if key in scores.treatment]
        pairs = ({key: side[key] for key in common} for side in (scores.baseline, scores.treatment))
        return _paired(name, *paired_columns(*pairs), level)
    columns = independent_columns(list(scores.baseline.values()), list(scores.treatment.values()))
    return _independent(name, test, *columns, level)


def _paired(name: str, x: FloatArray, y: FloatArray, level: float) -> Effect:
    if name == "odds_ratio":
        return matched_odds_ratio(int((x > y).sum()), int((y > x).sum()), level=level)
    if name == "rank_biserial":
        return dominance_of_pairs(rounded_differences(x, y), level=level)
    if name == "hodges_lehmann":
        return shift_of_pairs(x, y, level=level)
    found = moments(y - x, largest=max(float(abs(x).max()), float(abs(y).max())))
    if found.variance == 0.0:
        raise DegenerateSample("the differences do not vary")
    return cohens_dz(found, level=level)


def _independent(name: str, test: str, x: FloatArray, y: FloatArray, level: float) -> Effect:
    if name in ("odds_ratio", "risk_ratio"):
        ratio = odds_ratio if name == "odds_ratio" else risk_ratio
        return ratio(int(x.sum()), len(x), int(y.sum()), len(y), level=level)
    if name == "rank_biserial":
        return dominance(x, y, level=level, name=name)
    if name == "hodges_lehmann":
        return shift_of_samples(x, y, level=level)
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if name == "glass_delta":
        return glass_delta(base, treated, level=level)
    if test in ("student", "tukey", "anova"):
        return (pooled_cohens_d if name == "cohens_d" else pooled_hedges_g)(base, treated, level=level)
    df = welch_error(base, treated)[1]
    return (cohens_d if name == "cohens_d" else hedges_g)(base, treated, df=df, level=level)
