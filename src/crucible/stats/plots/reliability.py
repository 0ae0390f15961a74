"""Does a confidence of 0.8 come true in 80 of 100 cases: shares right by confidence, and the expected gap."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.stats.calibration import (
    CalibrationBin,
    brier_score,
    calibration_bins,
    forecasts,
    mean_gap,
    places_of,
    widths,
)
from crucible.stats.extra import needs_stats
from crucible.stats.plain_data import plain
from crucible.stats.rendering.notebook import shown_in_notebooks
from crucible.stats.sample import Scores, check_rates
from crucible.stats.whole_number import whole
from crucible.stats.wording import show_percent

__all__ = ["Reliability", "reliability"]


@shown_in_notebooks
class Reliability(msgspec.Struct, frozen=True):
    """How well confidences fit what came true.

    Args:
        ece: Expected calibration error: the mean gap between confidence and accuracy over bins, weighted by their
            answers; 0 to 1.
        brier: Mean squared gap between the confidence and what came true, 0 to 1.
        n: Answers.
        bins: Those that hold answers, by confidence.
        planned: How many bins the line from 0 to 1 was cut into.
        label: Whose confidences they are.
    """

    ece: float
    brier: float
    n: int
    bins: tuple[CalibrationBin, ...]
    planned: int
    label: str = "model"

    @property
    def wording(self) -> str:
        """The calibration in one sentence."""
        level = show_percent(self.bins[0].interval.level)
        outside = [one for one in self.bins if not one.interval.low <= one.confidence <= one.interval.high]
        told = f"{len(outside)} of {len(self.bins)} bins have a confidence outside of their {level} interval"
        return (
            f"{self.label}: expected calibration error {self.ece:.3f} and Brier score {self.brier:.3f} over {self.n} "
            f"answers in {self.planned} bins of equal width; {told}; the error is above 0 even where all confidences "
            "are right."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `wording` included."""
        return {**plain(self), "wording": self.wording}


@needs_stats
def reliability(
    confidences: Scores, right: Scores, *, bins: int = 10, level: float = 0.95, label: str = "model"
) -> Reliability:
    """Return how well confidences fit what came true.

    Args:
        confidences: The probability that each answer is right, 0 to 1.
        right: Whether it is, 0 or 1, in the same order.
        bins: Bins of equal width that 0 to 1 is cut into, at least 1.
        level: Of the intervals.
        label: Whose confidences they are.

    Raises:
        StatsError: A confidence is no probability, an outcome is not 0 or 1, or the columns differ in length.
        TooFewSamples: There are no answers.

    Source:
        Expected calibration error: Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML. Brier (1950),
        Monthly Weather Review 78(1):1-3.
    """
    check_rates(0.5, level)
    bins = whole(bins, "bins")
    if bins < 1:
        raise StatsError(f"calibration needs at least 1 bin, got {bins}")
    p, hit = forecasts(confidences, right)  # (n,) each
    edges = widths(bins)
    places = places_of(p, edges)
    gap = float(mean_gap(p[None], hit[None], places[None], bins)[0])
    return Reliability(gap, brier_score(p, hit)[0], len(p), calibration_bins(p, hit, places, edges, level), bins, label)
