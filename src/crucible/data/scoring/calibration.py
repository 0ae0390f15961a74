"""Does a confidence of 80 % come true in 80 % of cases: calibration error by bins, with what chance alone would show.

Confidences lie between 0 and 1, and an answer is right or wrong. Bins and gaps are those of `stats.calibration`; here
are the intervals and what chance does. The Brier score is in `brier`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from crucible.errors import DataError, StatsError, require
from crucible.ir import Interval
from crucible.stats import calibration
from crucible.stats.calibration import CalibrationBin

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

__all__ = ["Calibration", "CalibrationBin", "calibration_error", "ece", "forecasts"]

Binning = Literal["width", "mass"]
_BLOCK = 1 << 20  # doubles held at once


class Calibration(msgspec.Struct, frozen=True):
    """A calibration error.

    Args:
        name: `ECE`, or `root mean square calibration error, debiased`.
        value: 0 (calibrated) to 1. It is never 0 by chance: see `floor`.
        interval: Percentile bootstrap over the answers; None where all answers are the same. It inherits the bias of
            `value`, upwards, and is no test of calibration.
        floor: What `value` comes to on average for a perfectly calibrated model with these confidences.
        p: Share of such models whose error is at least `value`, itself counted: small if chance does not explain it.
        n: Answers.
        bins: The bins that hold an answer, in order.
        method: How it was made.
    """

    name: str
    value: float
    interval: Interval | None
    floor: float
    p: float
    n: int
    bins: tuple[CalibrationBin, ...]
    method: str


def forecasts(confidences: Iterable[float], correct: Iterable[Any]) -> tuple[FloatArray, FloatArray]:
    """Read confidences and verdicts.

    Returns:
        Two arrays of shape (n,), n >= 1: confidences in [0, 1]; 1.0 for right and 0.0 for wrong.

    Raises:
        DataError: There is none, the lengths differ, a confidence lies outside of 0 to 1, or a verdict is neither.
        MissingExtra: numpy is not installed.
    """
    require("numpy", extra="stats", feature="calibration")
    try:
        return calibration.forecasts(list(confidences), list(correct), name="correct")
    except StatsError as error:
        raise DataError(str(error)) from error


def ece(
    confidences: Iterable[float],
    correct: Iterable[Any],
    *,
    bins: int = 15,
    binning: Binning = "width",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Return the expected calibration error: the mean gap between confidence and accuracy over bins, by their size.

    Args:
        confidences: One an answer, 0 to 1.
        correct: Whether each answer is right.
        bins: How many, at least 1.
        binning: `width`: of equal width, (0, 1/bins], (1/bins, 2/bins] …; `mass`: of about equally many answers, equal
            confidences always in one bin.
        level: Coverage of the intervals.
        resamples: Draws of the interval, of `floor` and of `p`, at least 100.
        seed: Of the draws.

    Raises:
        DataError: The input or an option is out of range.
        MissingExtra: numpy or scipy is not installed.

    Source:
        Guo et al. (2017), "On Calibration of Modern Neural Networks", ICML; equal mass: Nixon et al. (2019), "Measuring
        Calibration in Deep Learning". `floor` and `p`: the consistency resampling of Bröcker & Smith (2007), Weather
        and Forecasting 22(3):651-661.
    """
    return _measured("ECE", confidences, correct, bins, binning, level, resamples, seed)


def calibration_error(
    confidences: Iterable[float],
    correct: Iterable[Any],
    *,
    bins: int = 15,
    binning: Binning = "mass",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Return the root mean square calibration error over bins, without the share that chance puts into each bin.

    Of each bin's squared gap the variance of its accuracy, a(1-a)/(n-1), is taken off; a bin of one answer tells
    nothing of its own variance and is taken off whole. A sum below 0 counts as 0.

    Args:
        confidences: One an answer, 0 to 1.
        correct: Whether each answer is right.
        bins: How many, at least 1.
        binning: `mass` or `width`; see `ece`.
        level: Coverage of the intervals.
        resamples: Draws of the interval, of `floor` and of `p`, at least 100.
        seed: Of the draws.

    Raises:
        DataError: The input or an option is out of range.
        MissingExtra: numpy or scipy is not installed.

    Source:
        Kumar, Liang & Ma (2019), "Verified Uncertainty Calibration", NeurIPS, definition 4.1 (the debiased estimator).
    """
    name = "root mean square calibration error, debiased"
    return _measured(name, confidences, correct, bins, binning, level, resamples, seed)


def _measured(
    name: str,
    confidences: Iterable[float],
    correct: Iterable[Any],
    bins: int,
    binning: Binning,
    level: float,
    resamples: int,
    seed: int,
) -> Calibration:
    if bins < 1 or resamples < 100 or not 0 < level < 1 or binning not in ("width", "mass"):
        raise DataError(
            "calibration needs at least 1 bin, 100 resamples, a level between 0 and 1 and binning width or mass; "
            f"got {bins}, {resamples}, {level}, {binning!r}"
        )
    p, y = forecasts(confidences, correct)  # (n,), (n,)
    import numpy as np

    edges = _edges(p, bins, binning)
    place = calibration.places_of(p, edges)  # (n,)
    error = _debiased if name != "ECE" else calibration.mean_gap
    value = float(error(p[None], y[None], place[None], len(edges) - 1)[0])
    random = np.random.default_rng(seed)
    drawn, chance = np.empty(resamples), np.empty(resamples)
    step = max(1, _BLOCK // len(p))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        chosen = random.integers(0, len(p), size=(rows, len(p)))
        drawn[start : start + rows] = error(p[chosen], y[chosen], place[chosen], len(edges) - 1)
        fair = (random.random((rows, len(p))) < p).astype(np.float64)
        chance[start : start + rows] = error(
            np.broadcast_to(p, fair.shape), fair, np.broadcast_to(place, fair.shape), len(edges) - 1
        )
    low, high = (float(each) for each in np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
    method = f"percentile bootstrap, {resamples} resamples, seed {seed}"
    return Calibration(
        name=name,
        value=value,
        interval=Interval(low, high, level, method) if high > low else None,
        floor=float(chance.mean()),
        p=float((1 + (chance >= value - 1e-12).sum()) / (1 + resamples)),
        n=len(p),
        bins=calibration.calibration_bins(p, y, place, edges, level),
        method=f"{bins} bins of equal {binning}, edges kept in resamples; {resamples} draws, seed {seed}",
    )


def _edges(p: FloatArray, bins: int, binning: Binning) -> FloatArray:
    """Return the edges of the bins, from 0 to 1: (bins + 1,) or fewer."""
    import numpy as np

    if binning == "width":
        return calibration.widths(bins)
    inner = np.quantile(p, np.arange(1, bins) / bins, method="inverted_cdf")  # values of p: ties stay together
    return np.unique(np.concatenate([[0.0], inner[(inner > 0.0) & (inner < 1.0)], [1.0]]))


def _debiased(p: FloatArray, y: FloatArray, place: Any, bins: int) -> FloatArray:
    import numpy as np

    count, confidence, right = calibration.bin_sums(p, y, place, bins)
    safe = np.maximum(count, 1.0)
    accuracy = right / safe
    gap2 = (confidence / safe - accuracy) ** 2
    noise = np.where(count > 1, accuracy * (1.0 - accuracy) / np.maximum(count - 1.0, 1.0), gap2)
    return np.sqrt(np.maximum(0.0, (count * (gap2 - noise)).sum(axis=1) / p.shape[1]))
