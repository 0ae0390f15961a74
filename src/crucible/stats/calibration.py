"""Confidences against what came true: the Brier score, bins of confidence, and the gap of each. Computed only here.

Pictures (`stats.plots`) and scores with intervals (`data.scoring`) stand on it, so that the two never differ.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from crucible.errors import StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.intervals.proportion import wilson
from crucible.stats.sample import Scores, one_column

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

    Places: TypeAlias = npt.NDArray[np.intp]

__all__ = [
    "CalibrationBin",
    "bin_sums",
    "brier_score",
    "calibration_bins",
    "forecasts",
    "mean_gap",
    "places_of",
    "widths",
]


class CalibrationBin(msgspec.Struct, frozen=True):
    """Answers of about the same confidence.

    Args:
        low: Lower edge, not in the bin (0.0 is in the first).
        high: Upper edge, in the bin.
        n: Answers, at least 1.
        right: How many of them are right.
        confidence: Their mean confidence.
        accuracy: Share that is right.
        interval: Of the share, Wilson's.
    """

    low: float
    high: float
    n: int
    right: int
    confidence: float
    accuracy: float
    interval: Interval


def forecasts(confidences: Scores, right: Scores, *, name: str = "right") -> tuple[FloatArray, FloatArray]:
    """Read confidences and verdicts.

    Args:
        confidences: One an answer, 0 to 1.
        right: Whether each answer is right: True or False, 1 or 0.
        name: What the verdicts are called in an error.

    Returns:
        Two arrays of shape (n,), n >= 1: confidences in [0, 1]; 1.0 for right and 0.0 for wrong.

    Raises:
        StatsError: The lengths differ, a confidence lies outside of 0 to 1, or a verdict is neither.
        TooFewSamples: There are no answers.
    """
    p, hit = one_column(confidences, "confidences", keeps_tiny=True), one_column(right, name)  # (n,) each
    if len(p) != len(hit) or not len(p):
        kind = StatsError if len(p) != len(hit) else TooFewSamples
        raise kind(f"calibration needs one verdict a confidence; got {len(p)} confidences, {len(hit)} verdicts")
    outside, neither = (p < 0.0) | (p > 1.0), (hit != 0.0) & (hit != 1.0)
    if outside.any():
        place = int(outside.argmax())
        raise StatsError(f"confidences[{place}] is {float(p[place])}, expected a number from 0 to 1")
    if neither.any():
        place = int(neither.argmax())
        raise StatsError(f"{name}[{place}] is {float(hit[place])}, expected True or False (1 or 0)")
    return p, hit


def brier_score(p: FloatArray, hit: FloatArray) -> tuple[float, FloatArray]:
    """Return the Brier score, 0 to 1, and the squared distances that it is the mean of, (n,).

    Source:
        Brier (1950), Monthly Weather Review 78(1):1-3.
    """
    squares = (p - hit) ** 2
    return math.fsum(squares) / len(p), squares


def widths(bins: int) -> FloatArray:
    """Return the edges of bins of equal width, (bins + 1,)."""
    import numpy as np

    return np.linspace(0.0, 1.0, bins + 1)


def places_of(p: FloatArray, edges: FloatArray) -> Places:
    """Return the bin of each confidence, from 0, (n,): the one whose upper edge it does not exceed."""
    import numpy as np

    return np.clip(np.searchsorted(edges, p, side="left") - 1, 0, len(edges) - 2)


def bin_sums(p: FloatArray, hit: FloatArray, places: Places, bins: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return counts, sums of confidence and of right answers by bin, each (rows, bins).

    Args:
        p: Confidences, (rows, n): one row a data set.
        hit: Verdicts, (rows, n).
        places: Bin of each, (rows, n).
        bins: How many bins there are.
    """
    import numpy as np

    rows = len(p)
    flat = (places + bins * np.arange(rows)[:, None]).ravel()

    def by_bin(weights: Any) -> FloatArray:
        return np.bincount(flat, weights, rows * bins).reshape(rows, bins).astype(np.float64)

    return by_bin(None), by_bin(p.ravel()), by_bin(hit.ravel())


def mean_gap(p: FloatArray, hit: FloatArray, places: Places, bins: int) -> FloatArray:
    """Return the expected calibration error of each row, (rows,), 0 to 1: the mean gap over bins, by their answers.

    Args:
        p: As for `bin_sums`, and so are the others.
        hit: Verdicts.
        places: Bin of each.
        bins: How many bins there are.

    Source:
        Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    import numpy as np

    _, confidence, right = bin_sums(p, hit, places, bins)
    return np.abs(confidence - right).sum(axis=1) / p.shape[1]


def calibration_bins(
    p: FloatArray, hit: FloatArray, places: Places, edges: FloatArray, level: float
) -> tuple[CalibrationBin, ...]:
    """Return the bins that hold an answer, in order.

    Args:
        p: Confidences, (n,).
        hit: Verdicts, (n,).
        places: Bin of each, (n,).
        edges: Of the bins, (bins + 1,).
        level: Of the intervals.
    """
    counts, confidence, right = (one[0] for one in bin_sums(p[None], hit[None], places[None], len(edges) - 1))
    return tuple(
        CalibrationBin(
            float(edges[place]),
            float(edges[place + 1]),
            n := int(counts[place]),
            hits := int(right[place]),
            float(confidence[place]) / n,
            hits / n,
            wilson(hits, n, level=level),
        )
        for place in counts.nonzero()[0].tolist()
    )
