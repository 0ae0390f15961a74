"""Where the variation of repeated scores comes from: between items, or between repeats of one item.

It says what a larger evaluation would buy: more repeats only reduce the part within items.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.clustered import Clusters, codes_of
from crucible.stats.parameters import takes_numbers
from crucible.stats.plain_data import plain
from crucible.stats.sample import Scores, is_by_id, one_column

__all__ = ["VarianceParts", "variance_parts"]


class VarianceParts(msgspec.Struct, frozen=True):
    """The variance of a score, split into that of items and that of repeats.

    Args:
        between: Variance of the items' true scores, at least 0, in squared units of the score.
        within: Variance of the repeats of one item, at least 0.
        items: Items.
        repeats: Scores of an item; the harmonic mean where items have different numbers of them.
    """

    between: float
    within: float
    items: int
    repeats: float

    @property
    def share_between(self) -> float:
        """The share of a single score's variance that is between items (intraclass correlation), 0 to 1."""
        return self.between / (self.between + self.within)

    @takes_numbers
    def standard_error(self, items: int, repeats: float) -> float:
        """Return the standard error that the mean of so many items with so many repeats would have.

        Args:
            items: Items, at least 1.
            repeats: Repeats of each, at least 1; `math.inf` for the limit that no number of repeats gets below.

        Raises:
            StatsError: A number is below 1.
        """
        if items < 1 or not repeats >= 1:
            raise StatsError(f"expected at least 1 item and 1 repeat, got {items} and {repeats}")
        return math.sqrt((self.between + self.within / repeats) / items)

    @property
    def wording(self) -> str:
        """What adding repeats and what adding items would do, in one sentence."""
        now = self.standard_error(self.items, self.repeats)
        limit = self.standard_error(self.items, math.inf)
        doubled = self.standard_error(self.items, 2 * self.repeats)
        return (
            f"{100 * self.share_between:.3g} % of the variance of a score is between items; the standard error of the "
            f"mean of {self.items} items with {self.repeats:.4g} repeats is {now:.4g}: twice the repeats would make it "
            f"{doubled:.4g} and any number of them not less than {limit:.4g}, twice the items {now / math.sqrt(2):.4g}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `share_between` and `wording` included."""
        return {**plain(self), "share_between": self.share_between, "wording": self.wording}


@needs_stats
def variance_parts(values: Scores, items: Clusters) -> VarianceParts:
    """Split the variance of repeated scores into that between items and that within them.

    Args:
        values: Scores by position, or a mapping of them by id.
        items: The item of each score, given the same way; at least 2 items, at least one of them with 2 scores.

    Returns:
        The parts. A part between items that the estimate puts below 0 is 0: the items differ no more than their repeats
        would make them.

    Raises:
        StatsError: A value is no finite number, or has no item.
        TooFewSamples: There are fewer than 2 items, or none has repeats.
        DegenerateSample: All values are the same.

    Source:
        One-way random effects, moment estimates: Searle, Casella & McCulloch (1992), Variance Components, section 3.6;
        what repeats can do: Miller (2024), arXiv:2411.00640.
    """
    import numpy as np

    x = one_column(values)  # (n,)
    ids = list(values) if is_by_id(values) else None
    code = codes_of(items, ids, len(x))
    sizes = np.bincount(code)  # (k,)
    n, k = len(x), len(sizes)
    if k < 2 or n == k:
        raise TooFewSamples(f"{n} scores of {k} items: the split needs at least 2 items, and repeats of one")
    shifted = x - x[0]
    largest = float(abs(x).max())
    if float(abs(shifted).max()) <= 1e-13 * largest:
        raise DegenerateSample(f"all {n} scores are {float(x[0]):.6g}: there is no variance to split")
    means = np.bincount(code, weights=shifted) / sizes
    within = float(((shifted - means[code]) ** 2).sum()) / (n - k)
    among = float((sizes * (means - float(shifted.mean())) ** 2).sum()) / (k - 1)
    typical = (n - float((sizes.astype(np.float64) ** 2).sum()) / n) / (k - 1)
    return VarianceParts(max(0.0, (among - within) / typical), within, k, k / float((1.0 / sizes).sum()))
