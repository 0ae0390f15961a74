"""Cochran's Q: do three or more columns of right and wrong on the same items differ at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import DegenerateSample, StatsError
from crucible.stats.groups.box_share import share_within_items
from crucible.stats.groups.omnibus_tests import Found, with_interval
from crucible.stats.result import Effect
from crucible.stats.sample import is_binary

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["cochran_q"]


def cochran_q(columns: list[FloatArray], level: float) -> Found:
    """Return Cochran's Q test.

    On zeros and ones it is Friedman's test, by another name; with two columns it would be McNemar's without correction.

    Args:
        columns: At least 3, of zeros and ones, of the same items in the same order, shape (n,) each.
        level: Of the effect's interval.

    Raises:
        StatsError: There are fewer than 3 columns, or a score is neither 0 nor 1.
        DegenerateSample: All columns agree on every item.

    Source:
        Cochran (1950), Biometrika 37(3/4):256-266; effect: Serlin, Carr & Marascuilo (1982), Psychological Bulletin
        92(3):786-790, which is Kendall's W here.
    """
    import numpy as np
    from scipy import special

    k, n = len(columns), len(columns[0])
    if k < 3:
        raise StatsError(f"not applicable: {k} groups; Cochran's Q needs 3, McNemar's test compares 2")
    if not is_binary(*columns):
        raise StatsError("not applicable: Cochran's Q needs scores that are all 0 or 1; use friedman for others")
    table = np.stack(columns, axis=1)  # (n, k)
    by_column, by_item = table.sum(axis=0), table.sum(axis=1)
    spread = float((by_item * (k - by_item)).sum())
    if spread == 0.0:
        raise DegenerateSample(f"all groups agree on each of the {n} items: there is nothing to test")
    q = (k - 1) * k * float(((by_column - by_column.mean()) ** 2).sum()) / spread
    differing = int(((by_item > 0) & (by_item < k)).sum())
    effect = Effect("kendalls_w", q / (n * (k - 1)), share_within_items(table, level))
    return Found(
        statistic=q,
        p=float(special.chdtrc(k - 1, q)),
        effect=effect,
        assumptions=(
            "the items are independent of each other",
            f"{differing} items on which groups differ are enough for the chi-squared p-value",
        ),
        method=(
            "Cochran's Q test with chi-squared p-value, Kendall's W (Serlin, Carr & Marascuilo 1982) "
            + with_interval(effect)
        ),
    )
