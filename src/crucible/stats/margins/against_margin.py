"""One-sided tests of a difference against a margin on either side: by t, by Tango's score, by Newcombe's interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from crucible.errors import DegenerateSample
from crucible.stats.comparing.independent import compare
from crucible.stats.comparing.paired import compare_paired
from crucible.stats.intervals.proportion import newcombe_difference, tango_difference
from crucible.stats.planning.tango import tango_score
from crucible.stats.result import TestResult
from crucible.stats.significance.tdist import critical_t

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["Sides", "against_newcombe", "against_t", "against_tango"]

_LEAST_P = 1e-15  # a level nearer to 1 is none


class Sides(NamedTuple):
    """A comparison, and its one-sided tests against either margin.

    Args:
        of: The comparison, with its interval at level 1 - 2 alpha.
        test: The one-sided test.
        why: Why this one.
        below: P-value and statistic of the test against a difference at or below -margin.
        above: Those against a difference at or above +margin.
    """

    of: TestResult
    test: str
    why: str
    below: tuple[float, float]
    above: tuple[float, float]


def against_t(x: FloatArray, y: FloatArray, test: str, margin: float, level: float) -> Sides:
    """Return the one-sided t-tests against both margins.

    Args:
        x: Baseline, shape (n,).
        y: Treatment, shape (m,); of the same items for the paired test.
        test: `paired_ttest`, `welch` or `student`.
        margin: Above 0.
        level: Level of the interval.

    Raises:
        DegenerateSample: Nothing varies.
    """
    from scipy import special

    if test == "paired_ttest":
        of = compare_paired(x, y, test=test, level=level)
    else:
        of = compare(x, y, test=test, level=level, is_share=False)
    if of.name != test or of.df is None:
        raise DegenerateSample(
            f"all {of.n} differences are 0: a t-test has no standard error to set against the margin of {margin:g}; it "
            "takes items some of which differ"
        )
    if abs(of.statistic) > 1e-6:
        error = of.difference / of.statistic
    else:  # as good as no difference: from the width, which then loses no digits
        error = (of.interval.high - of.interval.low) / 2.0 / critical_t(of.df, level)
    low, high = (of.difference + margin) / error, (of.difference - margin) / error
    p_low, p_high = float(special.stdtr(of.df, -low)), float(special.stdtr(of.df, high))
    return Sides(of, test, "", (p_low, low), (p_high, high))


def against_tango(x: FloatArray, y: FloatArray, margin: float, level: float) -> Sides:
    """Return Tango's score tests of two columns of 0 and 1 of the same items against both margins, below 1."""
    from scipy import special

    of = compare_paired(x, y, test="mcnemar", level=level)
    lost, won, n = int((x > y).sum()), int((x < y).sum()), len(x)
    of = msgspec.structs.replace(of, interval=tango_difference(lost, won, n, level=level))
    low, high = (float(tango_score(lost, won, n, end)) for end in (-margin, margin))
    return Sides(of, "tango", "", (float(special.ndtr(-low)), low), (float(special.ndtr(high)), high))


def against_newcombe(x: FloatArray, y: FloatArray, margin: float, level: float) -> Sides:
    """Return the tests of two columns of 0 and 1 of different items that Newcombe's interval makes, inverted."""
    from scipy import special

    of = compare(x, y, test="fisher", level=level)
    counts = (int(x.sum()), len(x), int(y.sum()), len(y))
    of = msgspec.structs.replace(of, interval=newcombe_difference(*counts, level=level))
    swapped = (
        counts[2],
        counts[3],
        counts[0],
        counts[1],
    )  # the upper test is the lower one of baseline minus treatment
    p_low, p_high = _newcombe_p(counts, -margin), _newcombe_p(swapped, -margin)
    low, high = -float(special.ndtri(p_low)), float(special.ndtri(p_high))
    return Sides(of, "newcombe", "", (p_low, low), (p_high, high))


def _newcombe_p(counts: tuple[int, int, int, int], tested: float) -> float:
    """Return the one-sided p-value against a difference at or below `tested`: where an end of the interval meets it."""
    from scipy import optimize

    a, n, b, m = counts
    is_above = b / m - a / n > tested

    def gap(log_alpha: float) -> float:
        interval = newcombe_difference(a, n, b, m, level=1.0 - 2.0 * math.exp(log_alpha))
        return (interval.low if is_above else interval.high) - tested

    least, most = math.log(_LEAST_P), math.log(0.5) - 1e-9
    if (gap(most) > 0.0) != is_above or gap(most) == 0.0:  # the difference is the one that is tested, up to rounding
        return 0.5
    if (gap(least) > 0.0) == is_above:  # even the widest interval leaves it out
        return _LEAST_P if is_above else 1.0 - _LEAST_P
    p = math.exp(optimize.brentq(gap, least, most, xtol=1e-13, rtol=1e-14))
    return p if is_above else 1.0 - p
