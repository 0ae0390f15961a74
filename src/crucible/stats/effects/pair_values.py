"""The k-th smallest of all pairwise sums of two columns, without ever holding all of them.

What Hodges and Lehmann's estimates need: Walsh averages of one column, differences of two. Both are sums of two sorted
columns; bisection narrows the k-th down until few enough pairs are left to be looked at one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

__all__ = ["PairSums", "differences_of", "walsh_sums"]

_HELD = 1 << 13  # pairs held at once


class PairSums(msgspec.Struct, frozen=True):
    """All sums of a value of one column and a value of another, each distinct value with how often it comes.

    Args:
        left: Distinct values, rising, shape (n,).
        right: Distinct values, rising, shape (m,).
        left_counts: How often each comes.
        right_counts: How often each comes.
        is_one_column: Whether both are the same column, and each pair of its rows counts once, also with itself.
    """

    left: FloatArray
    right: FloatArray
    left_counts: npt.NDArray[np.int64]
    right_counts: npt.NDArray[np.int64]
    is_one_column: bool

    @property
    def total(self) -> int:
        """How many pairs there are."""
        n, m = int(self.left_counts.sum()), int(self.right_counts.sum())
        return n * (n + 1) // 2 if self.is_one_column else n * m

    def smallest(self, rank: int) -> float:
        """Return the sum of this rank, 1 to `total`, in a time that grows as n log n; some MB are held.

        Args:
            rank: 1 for the smallest.
        """
        import numpy as np

        low, high = float(self.left[0] + self.right[0]), float(self.left[-1] + self.right[-1])
        start, stop = self._starts(), np.full(len(self.left), len(self.right))
        while int((stop - start).sum()) > _HELD:
            middle = low + (high - low) / 2.0
            if not low < middle < high:
                return high
            cut = np.clip(np.searchsorted(self.right, middle - self.left, side="right"), start, stop)
            if self._below(cut) >= rank:
                high, stop = middle, cut
            else:
                low, start = middle, cut
        return self._among(start, stop, rank - self._below(start))

    def _starts(self) -> npt.NDArray[np.intp]:
        import numpy as np

        return np.arange(len(self.left)) if self.is_one_column else np.zeros(len(self.left), dtype=np.intp)

    def _below(self, cut: npt.NDArray[np.intp]) -> int:
        """Return how many pairs lie before the cuts, one cut a row."""
        import numpy as np

        sums = np.concatenate([[0], np.cumsum(self.right_counts)])
        starts = self._starts()
        pairs = self.left_counts * (sums[cut] - sums[starts])
        if self.is_one_column:  # of c equal values there are c (c + 1) / 2 pairs, not c^2
            own = self.left_counts
            pairs -= np.where(cut > starts, own * (own - 1) // 2, 0)
        return int(pairs.sum())

    def _among(self, start: npt.NDArray[np.intp], stop: npt.NDArray[np.intp], rank: int) -> float:
        """Return the sum of this rank among the pairs between the cuts."""
        import numpy as np

        widths = stop - start
        row = np.repeat(np.arange(len(self.left)), widths)
        column = np.arange(len(row)) - np.repeat(np.cumsum(widths) - widths, widths) + np.repeat(start, widths)
        values = self.left[row] + self.right[column]
        weights = self.left_counts[row] * self.right_counts[column]
        if self.is_one_column:
            own = self.left_counts[row]
            weights -= np.where(row == column, own * (own - 1) // 2, 0)
        order = np.argsort(values, kind="stable")
        at = int(np.searchsorted(np.cumsum(weights[order]), rank))
        return float(values[order[at]])


def walsh_sums(values: FloatArray) -> PairSums:
    """Return the sums of all pairs of a column, each value with itself included: twice its Walsh averages."""
    import numpy as np

    distinct, counts = np.unique(values, return_counts=True)
    return PairSums(distinct, distinct, counts, counts, is_one_column=True)


def differences_of(baseline: FloatArray, treatment: FloatArray) -> PairSums:
    """Return all differences of a treatment's value minus a baseline's."""
    import numpy as np

    minus, minus_counts = np.unique(-baseline, return_counts=True)
    plus, plus_counts = np.unique(treatment, return_counts=True)
    return PairSums(minus, plus, minus_counts, plus_counts, is_one_column=False)
