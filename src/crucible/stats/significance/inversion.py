"""What arrangements of the same scores say of the observed difference: a p-value, and the shifts that it excludes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from crucible.ir import Interval

if TYPE_CHECKING:
    from crucible.stats.significance.arrangements import Arrangements

__all__ = ["INVERTED", "inverted_interval", "share_as_large"]

INVERTED = "inverted permutation test"
"""Method of an interval that `inverted_interval` returned."""

_ROUNDING = 1e-12  # relative to the largest difference: arrangements that agree so far are ties


def share_as_large(arranged: Arrangements, difference: float) -> float:
    """Return the share of arrangements that differ as much as the observed one, or more: the p-value, never 0.

    Args:
        arranged: All arrangements, or drawn ones, to which the observed one is added.
        difference: The observed one.

    Source:
        Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9(1):39.
    """
    sizes = abs(arranged.differences)
    as_large = int((sizes >= abs(difference) - _ROUNDING * float(sizes.max())).sum())
    extra = 0 if arranged.is_complete else 1
    return (as_large + extra) / (len(sizes) + extra)


def inverted_interval(arranged: Arrangements, difference: float, level: float) -> Interval | None:
    """Return the shifts that the test does not find at 1 - level; None where it finds none, however large.

    Once a shift is taken out of the treatment, an arrangement differs as much as the observed one for all shifts
    between two limits around the observed difference. So the p-value of a shift is the share of arrangements whose
    limits hold it, and the interval is read off the sorted limits: no search, and the arrangements of the p-value.

    Args:
        arranged: As for `share_as_large`.
        difference: The observed one.
        level: Coverage of the interval, at least, if the treatment shifts every score alike.

    Source:
        Garthwaite (1996), Biometrics 52(4):1387-1393, searches these limits; here they are solved for.
    """
    import numpy as np

    shown, kept = arranged.differences, arranged.kept
    with np.errstate(divide="ignore", invalid="ignore"):
        first: Any = np.where(kept < 1.0 - 1e-12, (difference - shown) / (1.0 - kept), -math.inf)
        second: Any = np.where(kept > 1e-12 - 1.0, (difference + shown) / (1.0 + kept), -math.inf)
    low, high = np.minimum(first, second), np.maximum(first, second)
    high[~np.isfinite(low)] = math.inf  # as observed, or all exchanged: as large whatever the shift
    count = len(low)
    needed = math.ceil((1.0 - level) * (count if arranged.is_complete else count + 1) - 1e-9)
    place = needed - (1 if arranged.is_complete else 2)
    if place < 0:
        return None
    left, right = float(np.partition(low, place)[place]), float(np.partition(high, -1 - place)[-1 - place])
    if not (math.isfinite(left) and math.isfinite(right)):
        return None
    scale = _ROUNDING * float(abs(shown).max())
    left, right = (0.0 if abs(limit) <= scale else limit for limit in (left, right))
    return Interval(min(left, difference), max(right, difference), level, INVERTED)
