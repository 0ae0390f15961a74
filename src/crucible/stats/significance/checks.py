"""Assumption checks that are shown beside a result: they choose nothing, gate nothing, and are computed on request.

Choosing a test by a check of the same data changes the error rate of what follows, so that the written rules of this
room never ask them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from crucible.stats.extra import needs_stats
from crucible.stats.sample import Scores, is_binary, one_column
from crucible.stats.wording import show_number, show_p

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["Check", "assumption_checks", "checks_of"]

_SHAPIRO = (3, 5000)  # scores; Royston (1995) approximated its p-value in that range
_ANDERSON = 8  # scores; Stephens (1986), table 4.9, begins there
_ROUNDING = 1e-13  # relative to the largest score


class Check(msgspec.Struct, frozen=True):
    """What a check of an assumption found.

    Args:
        name: `shapiro_wilk`, `anderson_darling` or `levene`.
        statistic: W, A squared or F; None where it cannot be computed, and `wording` says why.
        p: P-value of the assumption, 0 to 1; None as for `statistic`.
        wording: One clause. A large p-value does not show that the assumption holds.
    """

    name: str
    statistic: float | None
    p: float | None
    wording: str


@needs_stats
def assumption_checks(columns: Mapping[str, Scores]) -> tuple[Check, ...]:
    """Check columns of scores for a normal distribution, each by itself, and for equal variances where there are two.

    Shapiro and Wilk's and Anderson and Darling's test of normality; Levene's test of equal variances in Brown and
    Forsythe's form, around the medians. None of them says anything of scores that are all 0 or 1: there are none then.

    Args:
        columns: Scores by what they are called; of pairs, the differences.

    Raises:
        StatsError: A score is no finite number.

    Source:
        Shapiro & Wilk (1965) with Royston (1995), by `scipy.stats.shapiro`; Anderson & Darling (1954) with the p-value
        of Stephens (1986), by `statsmodels.stats.diagnostic.normal_ad`; Brown & Forsythe (1974), by
        `scipy.stats.levene`.
    """
    return checks_of({label: one_column(values, label) for label, values in columns.items()})


def checks_of(columns: Mapping[str, FloatArray]) -> tuple[Check, ...]:
    """Return the checks of `assumption_checks`, of columns that were read."""
    if is_binary(*columns.values()):
        return ()
    found = [
        check for label, values in columns.items() for check in (_shapiro(values, label), _anderson(values, label))
    ]
    return (*found, _levene(columns)) if len(columns) > 1 else tuple(found)


def _shapiro(values: FloatArray, label: str) -> Check:
    from scipy import stats

    n, title = len(values), f"Shapiro-Wilk on {label} ({len(values)} scores)"
    least, most = _SHAPIRO
    if not least <= n <= most:
        return Check("shapiro_wilk", None, None, f"{title}: not computed, its p-value is known for {least} to {most}")
    if _is_flat(values):
        return Check("shapiro_wilk", None, None, f"{title}: not computed, the scores do not vary")
    found: Any = stats.shapiro(_scaled(values))
    return _normality("shapiro_wilk", f"{title}: W", float(found.statistic), float(found.pvalue))


def _anderson(values: FloatArray, label: str) -> Check:
    from statsmodels.stats import diagnostic

    n, title = len(values), f"Anderson-Darling on {label} ({len(values)} scores)"
    if n < _ANDERSON:
        return Check("anderson_darling", None, None, f"{title}: not computed, it needs {_ANDERSON}")
    if _is_flat(values):
        return Check("anderson_darling", None, None, f"{title}: not computed, the scores do not vary")
    statistic, p = cast("Any", diagnostic).normal_ad(_scaled(values))  # untyped there
    return _normality("anderson_darling", f"{title}: A squared", float(statistic), float(p))


def _normality(name: str, title: str, statistic: float, p: float) -> Check:
    p = min(1.0, max(0.0, p))
    text = f"{title} = {show_number(statistic, 4)}, {show_p(p)}; a small p speaks against a normal distribution"
    return Check(name, statistic, p, text)


def _levene(columns: Mapping[str, FloatArray]) -> Check:
    import numpy as np
    from scipy import stats

    title = f"Levene (Brown-Forsythe) on {', '.join(columns)}"
    if min(map(len, columns.values())) < 2:
        return Check("levene", None, None, f"{title}: not computed, it needs 2 scores a column")
    largest = max(float(np.abs(values).max()) for values in columns.values()) or 1.0
    scaled = [values / largest for values in columns.values()]
    distances = [np.abs(values - np.median(values)) for values in scaled]
    if all(_is_flat(distance) or float(distance.max()) <= _ROUNDING for distance in distances):
        return Check("levene", None, None, f"{title}: not computed, the distances from the medians do not vary")
    found: Any = stats.levene(*scaled, center="median")
    statistic, p = float(found.statistic), float(found.pvalue)
    text = f"{title}: F = {show_number(statistic, 4)}, {show_p(p)}; a small p speaks against equal variances"
    return Check("levene", statistic, p, text)


def _is_flat(values: FloatArray) -> bool:
    return bool(abs(values - values[0]).max() <= _ROUNDING * abs(values).max())


def _scaled(values: FloatArray) -> FloatArray:
    """Return scores in units of their spread around one of them, so that no scale is too large or too small."""
    centered = values - values[0]
    return centered / abs(centered).max()
