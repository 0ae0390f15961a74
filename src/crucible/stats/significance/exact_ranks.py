"""The distribution of a sum of ranks if there is no difference, ties included, by counting every arrangement.

Ties make ranks into halves; of doubled ranks, sums are whole numbers and can be counted one rank at a time. That takes
n times the largest sum in steps where naming all arrangements takes 2 to the n.

Source:
    Streitberg & Roehmel (1986), "Exact distributions for permutation and rank tests: an introduction to some recently
    published algorithms", Statistical Software Newsletter 12(1):10-17 (the shift algorithm).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["MOST_PAIRS", "MOST_STEPS", "rank_sum_distribution", "signed_rank_distribution", "steps_of_rank_sum"]

MOST_PAIRS = 100
"""Pairs that differ up to which Wilcoxon's test is exact: two milliseconds."""

MOST_STEPS = 4_000_000
"""Steps of counting up to which Mann and Whitney's test is exact where there are ties: some milliseconds."""


def signed_rank_distribution(ranks: FloatArray) -> FloatArray:
    """Return the probability of each doubled sum of the ranks that have a plus, from 0 to twice the sum of all.

    Args:
        ranks: Of the absolute differences, shape (n,); halves where there are ties.
    """
    import numpy as np

    doubled = [round(2.0 * rank) for rank in ranks.tolist()]
    probabilities = np.zeros(sum(doubled) + 1)
    probabilities[0] = 1.0
    top = 0  # largest sum so far
    for rank in doubled:
        before = probabilities[: top + 1] / 2.0  # a copy: a plus or a minus, each with probability 1/2
        probabilities[: top + 1] = before
        probabilities[rank : top + rank + 1] += before
        top += rank
    return probabilities


def rank_sum_distribution(ranks: FloatArray, drawn: int) -> FloatArray:
    """Return the probability of each doubled sum of `drawn` of the ranks, from 0 to the largest.

    Args:
        ranks: Of all scores together, shape (n,); halves where there are ties.
        drawn: How many belong to one column, 1 <= drawn < n.
    """
    import numpy as np

    doubled = sorted(round(2.0 * rank) for rank in ranks.tolist())
    counts = np.zeros((drawn + 1, sum(doubled[-drawn:]) + 1))  # (ranks drawn, doubled sum)
    counts[0, 0] = 1.0
    for rank in doubled:
        counts[1:, rank:] += counts[:-1, : counts.shape[1] - rank]  # numpy copies what overlaps
    return counts[drawn] / counts[drawn].sum()


def steps_of_rank_sum(n: int, drawn: int) -> int:
    """Return about how many steps `rank_sum_distribution` takes."""
    return n * drawn * drawn * (2 * n - drawn)
