"""The tests of all groups at once, each as scipy or statsmodels computes it, with the effect that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.result import Effect
from crucible.stats.variance_share import eta_squared, sums_of_squares

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["OMNIBUS", "Found", "varies"]

_INDEPENDENT = "all scores are independent of each other: no item is in two groups, and none twice in one"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one test finds; see `Omnibus` for the fields."""

    statistic: float
    p: float
    effect: Effect
    assumptions: tuple[str, ...]
    method: str
    df_within: float | None = None


def varies(column: FloatArray) -> bool:
    """Return whether the scores differ from their mean by more than rounding."""
    center = column.mean()
    return bool((abs(column - center) > 1e-13 * abs(column).max()).any())


def _anova(columns: list[FloatArray], level: float) -> Found:
    from scipy import stats

    if not any(map(varies, columns)):
        raise DegenerateSample("no group varies: an analysis of variance needs spread within groups")
    found: Any = stats.f_oneway(*columns)
    squares = sums_of_squares(columns)
    effect = eta_squared(squares, level=level)
    interval = "with non-central F interval" if effect.interval else "without interval: the distribution gives out"
    return Found(
        statistic=float(found.statistic),
        df_within=float(squares.n - squares.groups),
        p=float(found.pvalue),
        effect=effect,
        assumptions=(
            _INDEPENDENT,
            "each group is roughly normal, or large enough for its mean to be",
            "all groups have the same variance; Welch's analysis of variance does without this",
        ),
        method=f"one-way analysis of variance, eta squared {interval}",
    )


def _welch(columns: list[FloatArray], level: float) -> Found:  # noqa: ARG001  # no interval
    from statsmodels.stats import oneway

    if not all(map(varies, columns)):
        raise DegenerateSample("a group does not vary: Welch's analysis of variance needs spread in every group")
    found: Any = cast("Any", oneway).anova_oneway(columns, use_var="unequal", welch_correction=True)  # untyped there
    return Found(
        statistic=float(found.statistic),
        df_within=float(found.df[1]),
        p=float(found.pvalue),
        effect=eta_squared(sums_of_squares(columns)),
        assumptions=(_INDEPENDENT, "each group is roughly normal, or large enough for its mean to be"),
        method="Welch's analysis of variance, eta squared without interval (the known one assumes equal variances)",
    )


def _kruskal(columns: list[FloatArray], level: float) -> Found:  # noqa: ARG001  # no interval
    from scipy import stats

    squares = sums_of_squares(columns)  # refuses scores that are all the same
    found: Any = stats.kruskal(*columns)
    h = float(found.statistic)
    return Found(
        statistic=h,
        p=float(found.pvalue),
        effect=Effect("epsilon_squared", h / (squares.n - 1)),
        assumptions=(_INDEPENDENT, "if there is no difference, all groups have the same distribution"),
        method=(
            "Kruskal-Wallis test with chi-squared p-value, epsilon squared (Kelley 1935; Tomczak & Tomczak 2014) "
            "without interval"
        ),
    )


def _friedman(columns: list[FloatArray], level: float) -> Found:  # noqa: ARG001  # no interval
    import numpy as np
    from scipy import stats

    k, n = len(columns), len(columns[0])
    if k < 3:
        raise StatsError(f"not applicable: {k} groups; Friedman's test needs 3, a paired test compares 2")
    table = np.stack(columns, axis=1)  # (n, k)
    if bool((table == table[:, :1]).all()):
        raise DegenerateSample(f"all groups agree on each of the {n} items: there is nothing to rank")
    found: Any = stats.friedmanchisquare(*columns)
    chi2 = float(found.statistic)
    return Found(
        statistic=chi2,
        p=float(found.pvalue),
        effect=Effect("kendalls_w", chi2 / (n * (k - 1))),
        assumptions=("the items are independent of each other", f"{n} items are enough for the chi-squared p-value"),
        method="Friedman test with chi-squared p-value, Kendall's W (Kendall & Smith 1939) without interval",
    )


OMNIBUS = {"anova": _anova, "welch_anova": _welch, "kruskal": _kruskal, "friedman": _friedman}
"""Test by canonical name: columns and the level of the effect's interval to what was found."""
