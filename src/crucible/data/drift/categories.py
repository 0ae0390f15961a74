"""Categories and bins: a two-row table of counts, tested by dealing all values anew to the two samples.

The p-value is that of a permutation test, so it holds at any n and with empty cells, where the chi-squared
distribution does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = ["OTHER", "counted", "permuted_p", "psi_of_counts"]

OTHER: Final = "(any other)"
_MOST: Final = 50  # categories; the rarest are counted together
_AT_ONCE: Final = 2_000_000  # cells of tables that are held at once


def counted(reference: Sequence[Any], current: Sequence[Any]) -> tuple[list[str], Counts]:
    """Return the categories, most frequent first, and a table of counts.

    Args:
        reference: Values; each is a category by its text.
        current: Values.

    Returns:
        Names of k categories, at most 50 and one for all others; counts of shape (2, k), reference first.
    """
    import numpy as np

    first, second = Counter(map(str, reference)), Counter(map(str, current))
    both = first + second
    names = sorted(both, key=lambda name: (-both[name], name))
    kept = names[:_MOST]
    rows = [[side[name] for name in kept] for side in (first, second)]
    if len(names) > _MOST:
        rows = [[*row, side.total() - sum(row)] for row, side in zip(rows, (first, second), strict=True)]
        kept = [*kept, OTHER]
    return kept, np.array(rows, dtype=np.int64)


def permuted_p(table: Counts, statistic: str, resamples: int, seed: Sequence[int]) -> tuple[float, float]:
    """Return a statistic of a two-row table and its p-value.

    Args:
        table: Counts of shape (2, k) without an empty column.
        statistic: `chi_square`: Pearson's. `g`: twice the log likelihood ratio. `psi`: the population stability index
            of smoothed shares.
        resamples: Tables to draw with the same margins.
        seed: Of the draw.

    Returns:
        The statistic, and (1 + tables as extreme) / (1 + resamples), never 0.

    Source:
        Tables under exchangeability are multivariate hypergeometric. Phipson & Smyth (2010), Statistical Applications
        in Genetics and Molecular Biology 9(1):39, for the 1 in the p-value.
    """
    import numpy as np

    totals = table.sum(axis=0)  # (k,)
    n = int(table[0].sum())
    observed = float(_statistics(table[:1], totals, statistic)[0])
    rng = np.random.default_rng(list(seed))
    as_extreme, left, step = 0, resamples, max(1, _AT_ONCE // len(totals))
    while left:
        size = min(step, left)
        drawn = rng.multivariate_hypergeometric(totals, n, size=size)  # (size, k)
        found = _statistics(drawn, totals, statistic)
        as_extreme += int((found >= observed * (1.0 - 1e-12) - 1e-300).sum())
        left -= size
    return observed, (1.0 + as_extreme) / (1.0 + resamples)


def psi_of_counts(reference: Counts, current: Counts) -> Floats:
    """Return the population stability index of counts, over the last axis.

    Half a count is added to each cell, or one empty bin would make it infinite.
    """
    import numpy as np

    k = reference.shape[-1]
    p = (reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + 0.5 * k)
    q = (current + 0.5) / (current.sum(axis=-1, keepdims=True) + 0.5 * k)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1), dtype=np.float64)


def _statistics(first: Counts, totals: Counts, statistic: str) -> Floats:
    """Return the statistic of each table that has this first row and these column totals."""
    import numpy as np

    second = totals - first  # (size, k)
    if statistic == "psi":
        return psi_of_counts(first, second)
    found = np.zeros(len(first))
    total = totals.sum()
    for side in (first, second):
        expected = totals * (side[0].sum() / total)  # (k,)
        if statistic == "chi_square":
            found += ((side - expected) ** 2 / expected).sum(axis=1)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                found += 2.0 * np.where(side > 0, side * np.log(side / expected), 0.0).sum(axis=1)
    return found
