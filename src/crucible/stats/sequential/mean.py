"""The mean of scores of unknown variance, looked at as often as one likes: the mixture t sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from crucible.errors import StatsError
from crucible.stats.parameters import takes_numbers
from crucible.stats.sequential.confidence_sequence import ConfidenceSequence

__all__ = ["MeanSequence"]

_ROUNDING = 1e-13  # relative to the largest score: below it, what looks like spread is rounding


class MeanSequence(ConfidenceSequence):
    """Confidence sequence for the mean of scores, or of differences of pairs, whose variance is estimated.

    A normal mixture over the effect, in standard deviations (mSPRT). Its guarantee is exact where scores are normal.
    For other scores it is **asymptotic**: it holds in the limit of many scores, as a central limit theorem for all
    times at once says, and at every n its interval contains the asymptotic confidence sequence of Waudby-Smith et al.
    that has the same tuning. For few scores that are far from normal (rare successes, long tails) and known bounds,
    use `BoundedSequence`, which is exact.

    Args:
        null: Mean that `p` and `stop` speak of; 0 for differences.
        alpha: Probability of ever being wrong.
        tuned_for: n at which the interval is meant to be narrowest; valid at every n whatever it is.

    Source:
        Lai (1976), Annals of Statistics 4(2):265-280; Wang & Ramdas (2025), "Anytime-valid t-tests and confidence
        sequences for Gaussian means with unknown variance", Sequential Analysis 44(1):56-110; asymptotics and tuning:
        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52(6):2613-2640.
    """

    kind: ClassVar[str] = "mean"

    @takes_numbers
    def __init__(self, *, null: float = 0.0, alpha: float = 0.05, tuned_for: int = 500) -> None:
        super().__init__(null=null, alpha=alpha)
        if tuned_for < 1:
            raise StatsError(f"tuned_for must be at least 1, got {tuned_for!r}")
        self.tuned_for = int(tuned_for)
        surprise = 2.0 * math.log(1.0 / alpha)
        self._rho2 = (surprise + math.log(1.0 + surprise)) / tuned_for  # variance of the mixture over the effect
        self._n, self._mean, self._squares, self._largest = 0, 0.0, 0.0, 0.0

    @property
    def n(self) -> int:
        """How many scores came in."""
        return self._n

    @property
    def estimate(self) -> float:
        """The mean so far; `null` before the first score."""
        return self._mean if self._n else self.null

    def _take(self, value: float) -> None:
        if abs(value) > 1e150:
            raise StatsError(f"score {self._n + 1} is {value}, too large to square: rescale the scores")
        self._n += 1
        self._largest = max(self._largest, abs(value))
        off = value - self._mean
        self._mean += off / self._n
        self._squares += off * (value - self._mean)
        n, nu = self._n, self._n - 1
        deviation = math.sqrt(self._squares / nu) if nu else 0.0
        if deviation <= _ROUNDING * self._largest:
            return  # too few scores, or none that varies: nothing can be said
        grown = 1.0 + n * self._rho2
        t2 = n * ((self._mean - self.null) / deviation) ** 2
        evidence = -0.5 * math.log(grown) + 0.5 * n * (math.log1p(t2 / nu) - math.log1p(t2 / (nu * grown)))
        reach = math.exp((math.log(grown) - 2.0 * math.log(self.alpha)) / n)
        if reach >= grown:  # no mean can be excluded yet
            self._record(evidence, -math.inf, math.inf)
            return
        width = deviation * math.sqrt(nu * (reach - 1.0) / (1.0 - reach / grown) / n)
        self._record(evidence, self._mean - width, self._mean + width)

    @property
    def _method(self) -> str:
        return "mixture t confidence sequence; exact for normal scores, asymptotic for others"

    @property
    def _about(self) -> str:
        return "the mean"

    def _state(self) -> dict[str, Any]:
        moments = {"n": self._n, "mean": self._mean, "squares": self._squares, "largest": self._largest}
        return {"tuned_for": self.tuned_for, **moments}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """Return a sequence with the fields and counts of a state; `from_dict` calls it."""
        sequence = cls(null=state["null"], alpha=state["alpha"], tuned_for=state["tuned_for"])
        sequence._n, sequence._mean = int(state["n"]), float(state["mean"])
        sequence._squares, sequence._largest = float(state["squares"]), float(state["largest"])
        return sequence
