"""The Brier score: the mean squared distance of a confidence from what came true, and the parts it is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from crucible.data.scoring.calibration import forecasts
from crucible.errors import DataError, DegenerateSample, TooFewSamples
from crucible.ir import Interval
from crucible.stats import mean_interval
from crucible.stats.calibration import brier_score, places_of, widths

__all__ = ["Brier", "brier"]


class Brier(msgspec.Struct, frozen=True):
    """A Brier score and its parts: score = reliability - resolution + uncertainty + within.

    Args:
        score: 0 (certain and right) to 1 (certain and wrong); 0.25 for always 0.5.
        interval: Student's t over the answers' squared distances, cut to 0 to 1; None where they do not vary.
        reliability: How far confidences lie from what comes true in their group; 0 is calibrated.
        resolution: How far the groups' accuracies lie from the overall one; more is better.
        uncertainty: a(1-a) of the overall accuracy; no model changes it.
        within: What the three leave over because confidences differ within a group; 0 for groups of equal ones.
        skill: 1 - score / uncertainty: over always saying the overall accuracy; None where all answers are alike.
        n: Answers.
        groups: Groups that the parts were computed over.
    """

    score: float
    interval: Interval | None
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    skill: float | None
    n: int
    groups: int


def brier(
    confidences: Iterable[float], correct: Iterable[Any], *, bins: int | None = None, level: float = 0.95
) -> Brier:
    """Return the Brier score with Murphy's decomposition.

    Args:
        confidences: One an answer, 0 to 1.
        correct: Whether each answer is right.
        bins: Groups of equal width for the parts; None: one group for each confidence that occurs. Where all differ,
            that makes groups of one, and the parts say nothing: give bins.
        level: Coverage of the interval.

    Raises:
        DataError: The input or an option is out of range.
        MissingExtra: numpy or scipy is not installed.

    Source:
        Brier (1950), Monthly Weather Review 78(1):1-3; Murphy (1973), J. Applied Meteorology 12(4):595-600; the part
        within groups: Stephenson, Coelho & Jolliffe (2008), Weather and Forecasting 23(4):752-757.
    """
    if bins is not None and bins < 1:
        raise DataError(f"a decomposition needs at least 1 bin, got {bins}")
    p, y = forecasts(confidences, correct)  # (n,), (n,)
    import numpy as np

    score, squares = brier_score(p, y)
    if bins is None:
        _, group = np.unique(p, return_inverse=True)
    else:
        group = places_of(p, widths(bins))
    count = np.bincount(group)  # (groups,)
    filled = count > 0
    count = count[filled]
    confidence = np.bincount(group, p)[filled] / count
    accuracy = np.bincount(group, y)[filled] / count
    n, overall = len(p), float(y.mean())
    reliability = float((count * (confidence - accuracy) ** 2).sum() / n)
    resolution = float((count * (accuracy - overall) ** 2).sum() / n)
    uncertainty = overall * (1.0 - overall)
    try:
        t = mean_interval(squares, level)
        interval = Interval(max(0.0, t.low), min(1.0, t.high), level, f"{t.method}, cut to 0 to 1")
    except (TooFewSamples, DegenerateSample):
        interval = None
    return Brier(
        score=score,
        interval=interval,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=0.0 if bins is None else score - (reliability - resolution + uncertainty),
        skill=1.0 - score / uncertainty if uncertainty else None,
        n=n,
        groups=len(count),
    )
