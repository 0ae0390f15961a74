"""The mean of scores with known bounds, such as 0 to 1, looked at as often as one likes: betting against every mean.

Exact at every n and for every distribution inside the bounds; no normality, no variance, no large n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from crucible.errors import StatsError
from crucible.stats.extra import needs_stats
from crucible.stats.sequential.confidence_sequence import ConfidenceSequence

__all__ = ["BoundedSequence"]

_CAP = 0.5  # no bet stakes more than half of the capital
_POINTS = 1_000  # means that are bet against: limits are rounded outwards to a thousandth of the range


class BoundedSequence(ConfidenceSequence):
    """Confidence sequence for the mean of scores between two known bounds, by hedged betting.

    Against each possible mean, two gamblers bet on the next score, one on more and one on less, with stakes that only
    the scores before it set. A mean is excluded once a gambler has 2 / alpha times what they began with: if the mean is
    true, the probability that this ever happens is at most alpha (Ville's inequality).

    Args:
        null: Mean that `p` and `stop` speak of. None: 0 where the bounds lie on both sides of it, as those of
            differences do; otherwise halfway between them.
        alpha: Probability of ever being wrong.
        low: Lowest score that can be.
        high: Highest score that can be. For differences of two scores from 0 to 1: low -1, high 1.

    Source:
        Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS-B 86(1):1-27:
        the hedged capital process with predictable plug-in stakes.
    """

    kind: ClassVar[str] = "bounded"

    @needs_stats
    def __init__(self, *, null: float | None = None, alpha: float = 0.05, low: float = 0.0, high: float = 1.0) -> None:
        import numpy as np

        if null is None:
            null = 0.0 if low < 0.0 < high else (low + high) / 2.0
        super().__init__(null=null, alpha=alpha)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise StatsError(f"the bounds must be finite with low < high, got {low!r} and {high!r}")
        if not low < null < high:
            raise StatsError(f"null must lie between the bounds {low:g} and {high:g}, got {null!r}")
        self.low, self.high = float(low), float(high)
        self._n, self._sum, self._spread = 0, 0.0, 0.25
        self._first, self._last = 0, _POINTS  # means not excluded, as indices of the grid
        with np.errstate(divide="ignore"):
            self._grid = np.arange(_POINTS + 1) / _POINTS
            self._rise_cap, self._fall_cap = _CAP / self._grid, _CAP / (1.0 - self._grid)  # stakes at most
        self._rise = np.zeros(_POINTS + 1)  # log capital of who bets that the mean is higher
        self._fall = np.zeros(_POINTS + 1)
        self._null_rise = self._null_fall = 0.0
        self._low, self._high = self.low, self.high

    @property
    def n(self) -> int:
        """How many scores came in."""
        return self._n

    @property
    def estimate(self) -> float:
        """The mean so far; `null` before the first score."""
        return self.low + (self.high - self.low) * self._sum / self._n if self._n else self.null

    def _take(self, value: float) -> None:
        import numpy as np

        if not self.low <= value <= self.high:
            raise StatsError(f"score {self._n + 1} is {value}, outside the bounds {self.low:g} to {self.high:g}")
        x = (value - self.low) / (self.high - self.low)
        t = self._n + 1
        variance = self._spread / t  # of the scores before this one, with one more of 1/4
        stake = math.sqrt(2.0 * math.log(2.0 / self.alpha) / (variance * t * math.log(t + 1.0)))
        null = (self.null - self.low) / (self.high - self.low)
        self._null_rise += math.log1p(min(stake, _CAP / null) * (x - null))
        self._null_fall += math.log1p(-min(stake, _CAP / (1.0 - null)) * (x - null))
        alive = slice(self._first, self._last + 1)
        off = x - self._grid[alive]  # (k,)
        self._rise[alive] += np.log1p(np.minimum(stake, self._rise_cap[alive]) * off)
        self._fall[alive] += np.log1p(-np.minimum(stake, self._fall_cap[alive]) * off)
        self._n, self._sum = t, self._sum + x
        self._spread += (x - (0.5 + self._sum) / (t + 1.0)) ** 2
        kept = np.flatnonzero(np.maximum(self._rise[alive], self._fall[alive]) < math.log(2.0 / self.alpha))
        if len(kept):
            self._first, self._last = self._first + int(kept[0]), self._first + int(kept[-1])
        ends = max(0, self._first - 1), min(_POINTS, self._last + 1)  # excluded, or the bounds themselves
        low, high = (self.low + (self.high - self.low) * end / _POINTS for end in ends)
        self._record(max(self._null_rise, self._null_fall) - math.log(2.0), low, high)

    @property
    def _method(self) -> str:
        return "betting confidence sequence (hedged capital); exact for scores within the bounds"

    @property
    def _about(self) -> str:
        return "the mean"

    def _state(self) -> dict[str, Any]:
        alive = slice(self._first, self._last + 1)
        return {
            "low": self.low,
            "high": self.high,
            "n": self._n,
            "sum": self._sum,
            "spread": self._spread,
            "first": self._first,
            "rise": self._rise[alive].tolist(),
            "fall": self._fall[alive].tolist(),
            "null_capital": [self._null_rise, self._null_fall],
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """Return a sequence with the fields and counts of a state; `from_dict` calls it."""
        sequence = cls(null=state["null"], alpha=state["alpha"], low=state["low"], high=state["high"])
        sequence._n, sequence._sum, sequence._spread = int(state["n"]), float(state["sum"]), float(state["spread"])
        sequence._first = int(state["first"])
        sequence._last = sequence._first + len(state["rise"]) - 1
        alive = slice(sequence._first, sequence._last + 1)
        sequence._rise[alive], sequence._fall[alive] = state["rise"], state["fall"]
        sequence._null_rise, sequence._null_fall = map(float, state["null_capital"])
        return sequence
