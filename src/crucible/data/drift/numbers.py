"""Two samples of numbers: scipy's Kolmogorov-Smirnov and Mann-Whitney tests, energy distance by permutation, bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from crucible.data.drift.categories import permuted_p, psi_of_counts
from crucible.data.drift.rules import DriftRules

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

__all__ = ["numeric_test", "psi"]

_EXACT_UP_TO: Final = 500  # values a side for the exact distribution of the KS statistic
_BINS: Final = 10
_AT_ONCE: Final = 4_000_000  # cells of permutations that are held at once


def numeric_test(reference: Floats, current: Floats, rules: DriftRules, seed: Sequence[int]) -> tuple[float, float]:
    """Return statistic and two-sided p-value of the rules' test.

    Args:
        reference: Shape (n,), finite.
        current: Shape (m,), finite; not all of both are one number.
        rules: Which test.
        seed: Of permutations.

    Source:
        `scipy.stats.ks_2samp` (exact up to 500 values a side; with ties its p-value is too large, never too small),
        `scipy.stats.mannwhitneyu` (normal, with ties and continuity corrected for), Székely & Rizzo (2004) for the
        energy distance, which is `scipy.stats.energy_distance`.
    """
    import numpy as np
    from scipy import stats

    if rules.method == "ks":
        exact = max(len(reference), len(current)) <= _EXACT_UP_TO
        found: Any = stats.ks_2samp(reference, current, method="exact" if exact else "asymp")
        return float(found.statistic), min(1.0, float(found.pvalue))
    if rules.method == "mannwhitney":
        found = stats.mannwhitneyu(current, reference, method="asymptotic")
        return float(found.statistic), min(1.0, float(found.pvalue))
    if rules.method == "energy":
        return _energy(reference, current, rules.resamples, seed)
    edges = _edges(np.concatenate([reference, current]))
    table = np.stack([_binned(values, edges) for values in (reference, current)])
    table = table[:, table.sum(axis=0) > 0]
    return permuted_p(table, rules.method, rules.resamples, seed)


def psi(reference: Floats, current: Floats) -> float:
    """Return the population stability index over ten bins of equal shares of the reference; a figure, no verdict.

    The first bin reaches down and the last one up without end, so that the reference's maximum, and what lies beyond,
    is in a bin. Half a count is added to each bin.

    Args:
        reference: Shape (n,), n >= 1; its quantiles are the bins' edges.
        current: Shape (m,), m >= 1.
    """
    edges = _edges(reference)
    return float(psi_of_counts(_binned(reference, edges), _binned(current, edges)))


def _edges(values: Floats) -> Floats:
    """Return the inner edges of ten bins of equal shares; fewer where values are tied."""
    import numpy as np

    return np.unique(np.quantile(values, np.arange(1, _BINS) / _BINS, method="inverted_cdf"))


def _binned(values: Floats, edges: Floats) -> Counts:
    """Return how many values lie in each bin; an edge belongs to the bin below it."""
    import numpy as np

    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def _energy(reference: Floats, current: Floats, resamples: int, seed: Sequence[int]) -> tuple[float, float]:
    import numpy as np

    n, m = len(reference), len(current)
    pooled = np.concatenate([reference, current])
    order = np.argsort(pooled, kind="stable")
    widths = np.diff(pooled[order])  # (n + m - 1,)
    widths /= widths.max()
    steps = np.where(order < n, 1.0 / n, -1.0 / m)  # what each value adds to F - G
    observed = float((np.cumsum(steps)[:-1] ** 2) @ widths)
    rng = np.random.default_rng(list(seed))
    as_extreme, left, at_once = 0, resamples, max(1, _AT_ONCE // (n + m))
    while left:
        size = min(at_once, left)
        dealt = rng.permuted(np.broadcast_to(steps, (size, n + m)), axis=1)  # (size, n + m)
        found = (np.cumsum(dealt, axis=1)[:, :-1] ** 2) @ widths
        as_extreme += int((found >= observed * (1.0 - 1e-9)).sum())
        left -= size
    scale = float(np.diff(pooled[order]).max())
    return float(np.sqrt(2.0 * observed * scale)), (1.0 + as_extreme) / (1.0 + resamples)
