"""An effect size that was asked for by name, where it goes with the test that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import StatsError
from crucible.stats.effect import Moments, cohens_d, cohens_dz, hedges_g, pooled_cohens_d, pooled_hedges_g
from crucible.stats.names import TEST_TITLES
from crucible.stats.rank import rank_biserial, rank_biserial_paired
from crucible.stats.result import Effect
from crucible.stats.sample import independent_columns, paired_columns
from crucible.stats.sides import SideScores
from crucible.stats.tdist import moments, welch_error

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["EFFECTS_OF_TESTS", "INDEPENDENT_EFFECTS", "PAIRED_EFFECTS", "effect_named"]

_BY_MEANS = ("hedges_g", "cohens_d", "rank_biserial")
EFFECTS_OF_TESTS = {
    "mcnemar": ("cohens_g",),
    "paired_ttest": ("cohens_dz", "rank_biserial"),
    "bootstrap": ("cohens_dz", "rank_biserial"),
    "wilcoxon": ("rank_biserial", "cohens_dz"),
    "sign": ("dominance",),
    "fisher": ("cohens_h",),
    "welch": _BY_MEANS,
    "student": _BY_MEANS,
    "mannwhitney": _BY_MEANS,
    "bootstrap_independent": _BY_MEANS,
    "anova": ("eta_squared", *_BY_MEANS),
    "welch_anova": ("eta_squared", *_BY_MEANS),
    "kruskal": ("epsilon_squared", *_BY_MEANS),
}
"""Effect sizes that go with each test; the first one is given unless another is asked for."""

PAIRED_EFFECTS = ("cohens_g", "cohens_dz", "rank_biserial")
"""Effect sizes that can be asked for where the columns are of the same items."""

INDEPENDENT_EFFECTS = ("cohens_d", "hedges_g", "cohens_h", "rank_biserial")
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
        DegenerateSample: No pair differs by more than rounding, so that there are no ranks.
    """
    fitting = EFFECTS_OF_TESTS[test]
    if name not in fitting:
        raise StatsError(f"it does not go with {TEST_TITLES[test]}, which goes with {', '.join(fitting)}")
    if test in ("paired_ttest", "bootstrap", "wilcoxon"):
        common = [key for key in scores.baseline if key in scores.treatment]
        pairs = ({key: side[key] for key in common} for side in (scores.baseline, scores.treatment))
        return _paired(name, *paired_columns(*pairs), level)
    columns = independent_columns(list(scores.baseline.values()), list(scores.treatment.values()))
    return _independent(name, test, *columns, level)


def _paired(name: str, x: FloatArray, y: FloatArray, level: float) -> Effect:
    if name == "rank_biserial":
        return rank_biserial_paired(x, y)
    largest = max(float(abs(x).max()), float(abs(y).max()))
    return cohens_dz(moments(y - x, largest=largest), level=level)  # the test was made, so the differences vary


def _independent(name: str, test: str, x: FloatArray, y: FloatArray, level: float) -> Effect:
    if name == "rank_biserial":
        return rank_biserial(x, y)
    base, treated = (moments(column, largest=float(abs(column).max())) for column in (x, y))
    if test in ("student", "anova"):
        return (pooled_cohens_d if name == "cohens_d" else pooled_hedges_g)(base, treated, level=level)
    df = _welch_df(base, treated)
    return (cohens_d if name == "cohens_d" else hedges_g)(base, treated, df=df, level=level)


def _welch_df(base: Moments, treated: Moments) -> float:
    return welch_error(base, treated)[1]
