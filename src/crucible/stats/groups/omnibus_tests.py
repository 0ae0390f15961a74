"""The tests of all groups at once, each as scipy or statsmodels computes it, with the effect that goes with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import msgspec

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.groups.box_share import share_between_groups, share_within_items
from crucible.stats.groups.variance_share import eta_squared, sums_of_squares
from crucible.stats.result import Effect

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["OMNIBUS", "Found", "varies", "with_interval"]

_FEW = 5  # scores below which the smallest group's degrees of freedom are taken, if another group has more
_INDEPENDENT = "all scores are independent of each other: no item is in two groups, and none twice in one"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one test finds; see `Omnibus` for the fields."""

    statistic: float
    p: float
    effect: Effect
    assumptions: tuple[str, ...]
    method: str
    df_within: float | None = None
    df: float | None = None
    """Degrees of freedom between groups, where they are not the number of groups minus 1."""


def varies(column: FloatArray) -> bool:
    """Return whether the scores differ from their mean by more than rounding."""
    center = column.mean()
    return bool((abs(column - center) > 1e-13 * abs(column).max()).any())


def with_interval(effect: Effect) -> str:
    """Return which interval an effect of all groups has, in words."""
    return (
        f"with {effect.interval.method} interval" if effect.interval else "without interval, which cannot be had here"
    )


def _anova(columns: list[FloatArray], level: float) -> Found:
    from scipy import special

    if not any(map(varies, columns)):
        raise DegenerateSample("no group varies: an analysis of variance needs spread within groups")
    squares = sums_of_squares(_standard(columns)[0])
    df, df_within = squares.groups - 1, squares.n - squares.groups
    f = (squares.between / df) / (squares.within / df_within)
    effect = eta_squared(squares, level=level)
    interval = "with non-central F interval" if effect.interval else "without interval: the distribution gives out"
    return Found(
        statistic=f,
        df_within=float(df_within),
        p=float(special.fdtrc(df, df_within, f)),
        effect=effect,
        assumptions=(
            _INDEPENDENT,
            "each group is roughly normal, or large enough for its mean to be",
            "all groups have the same variance; Welch's analysis of variance does without this",
        ),
        method=f"one-way analysis of variance, eta squared {interval}",
    )


def _welch(columns: list[FloatArray], level: float) -> Found:
    if not all(map(varies, columns)):
        raise DegenerateSample("a group does not vary: Welch's analysis of variance needs spread in every group")
    return _unequal(columns, "unequal", "Welch's analysis of variance", level)


def _brown_forsythe(columns: list[FloatArray], level: float) -> Found:
    if not any(map(varies, columns)):
        raise DegenerateSample("no group varies: an analysis of variance needs spread within groups")
    title = "Brown-Forsythe analysis of variance with the degrees of freedom of Mehrotra (1997)"
    found = _unequal(columns, "bf", title, level)
    least = min(map(len, columns))
    if least >= _FEW or all(len(column) == least for column in columns):
        return found
    from scipy import special

    # as Mickey & Brown (1966) for two groups: no more degrees of freedom than the group has that may decide alone
    p = float(special.fdtrc(found.df or len(columns) - 1.0, least - 1.0, found.statistic))
    title = f"{title} between groups and, within, those of the smallest group, which has few scores"
    return msgspec.structs.replace(
        found, df_within=least - 1.0, p=p, method=f"{title}, eta squared {with_interval(found.effect)}"
    )


def _unequal(columns: list[FloatArray], kind: str, title: str, level: float) -> Found:
    """Return an analysis of variance without equal variances, by statsmodels from means and variances."""
    import numpy as np
    from statsmodels.stats import oneway

    standard, unit = _standard(columns)
    means = np.array([one.mean() for one in standard])  # (groups,)
    own = [(one - one[0]) / unit for one in columns]  # each group around a score of its own
    variances = np.array([one.var(ddof=1) for one in own])  # (groups,)
    sizes = np.array([float(len(one)) for one in columns])
    found: Any = cast("Any", oneway).anova_generic(  # untyped there
        means, variances, sizes, use_var=kind, welch_correction=True
    )
    effect = msgspec.structs.replace(
        eta_squared(sums_of_squares(standard)), interval=share_between_groups(standard, level)
    )
    return Found(
        statistic=float(found.statistic),
        df=float(found.df[0]),
        df_within=float(found.df[1]),
        p=float(found.pvalue),
        effect=effect,
        assumptions=(_INDEPENDENT, "each group is roughly normal, or large enough for its mean to be"),
        method=f"{title}, eta squared {with_interval(effect)}",
    )


def _standard(columns: list[FloatArray]) -> tuple[list[FloatArray], float]:
    """Return the scores minus a typical one of them, in a unit near the largest distance from it, and that unit.

    Scores such as 1e12 + 0.1 can be subtracted exactly, and their means and squares have lost the digits. The fourth
    powers of what is returned neither overflow nor vanish.
    """
    import numpy as np

    together = np.concatenate(columns)
    typical = float(np.partition(together, len(together) // 2)[len(together) // 2])
    centered = [column - typical for column in columns]
    largest = max(float(np.abs(column).max()) for column in centered)
    unit = 2.0 ** math.floor(math.log2(largest))  # a power of two: dividing by it rounds nothing
    return [column / unit for column in centered], unit


def _kruskal(columns: list[FloatArray], level: float) -> Found:
    import numpy as np
    from scipy import stats

    squares = sums_of_squares(columns)  # refuses scores that are all the same
    found: Any = stats.kruskal(*columns)
    h = float(found.statistic)
    ranks = stats.rankdata(np.concatenate(columns))
    ranked = np.split(ranks, np.cumsum([len(column) for column in columns])[:-1])
    effect = Effect("rank_epsilon_squared", h / (squares.n - 1), share_between_groups(ranked, level))
    return Found(
        statistic=h,
        p=float(found.pvalue),
        effect=effect,
        assumptions=(_INDEPENDENT, "if there is no difference, all groups have the same distribution"),
        method=(
            "Kruskal-Wallis test with chi-squared p-value, rank epsilon squared, H / (n - 1) (Tomczak & Tomczak 2014), "
            f"{with_interval(effect)}"
        ),
    )


def _friedman(columns: list[FloatArray], level: float) -> Found:
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
    interval = share_within_items(stats.rankdata(table, axis=1), level)
    effect = Effect("kendalls_w", chi2 / (n * (k - 1)), interval)
    return Found(
        statistic=chi2,
        p=float(found.pvalue),
        effect=effect,
        assumptions=("the items are independent of each other", f"{n} items are enough for the chi-squared p-value"),
        method=("Friedman test with chi-squared p-value, Kendall's W (Kendall & Smith 1939) " + with_interval(effect)),
    )


OMNIBUS = {
    "anova": _anova,
    "welch_anova": _welch,
    "brown_forsythe": _brown_forsythe,
    "kruskal": _kruskal,
    "friedman": _friedman,
}
"""Test by canonical name: columns and the level of the effect's interval to what was found."""
