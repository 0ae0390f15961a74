"""Right or wrong on the same items, looked at as often as one likes: McNemar's test, always valid and exact."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from crucible.errors import StatsError
from crucible.ir import Interval
from crucible.stats.parameters import takes_numbers
from crucible.stats.sequential.confidence_sequence import ConfidenceSequence

__all__ = ["PairedWins"]


class PairedWins(ConfidenceSequence):
    """Confidence sequence for the treatment's share of the pairs in which exactly one of two is right.

    Without a difference this share is 1/2 and each pair that differs is a fair coin: the beta mixture over other coins
    is a martingale, so that `p` and `interval` are exact at every n (no normality, no large n). Pairs that agree change
    neither. `difference` is the sequence for the difference of the two accuracies; it needs how many pairs differ as
    well, and is a little wider.

    Args:
        alpha: Probability of ever being wrong.
        concentration: Of the symmetric beta mixture; 1 is uniform, more looks closer to 1/2. Valid whatever it is.

    Source:
        Robbins (1970), Annals of Mathematical Statistics 41(5):1397-1409; Lindon & Malek (2022), "Anytime-valid
        inference for multinomial count data", NeurIPS 35.
    """

    kind: ClassVar[str] = "paired_wins"
    unit: ClassVar[str] = "pairs"

    @takes_numbers
    def __init__(self, *, alpha: float = 0.05, concentration: float = 1.0) -> None:
        super().__init__(null=0.5, alpha=alpha)
        if not (math.isfinite(concentration) and concentration > 0.0):
            raise StatsError(f"concentration must be a finite number above 0, got {concentration!r}")
        self.concentration = float(concentration)
        self.ties = self.baseline_only = self.treatment_only = 0
        self._low, self._high = 0.0, 1.0

    @property
    def n(self) -> int:
        """How many pairs came in, those that agree included."""
        return self.ties + self.baseline_only + self.treatment_only

    @property
    def estimate(self) -> float:
        """The treatment's share of the pairs that differ; 1/2 before the first of them."""
        differing = self.baseline_only + self.treatment_only
        return self.treatment_only / differing if differing else 0.5

    def _take(self, value: float) -> None:
        if value not in (-1.0, 0.0, 1.0):
            raise StatsError(
                f"pair {self.n + 1} differs by {value:g}: scores must be 0 or 1 (or booleans); use BoundedSequence or "
                "MeanSequence for others"
            )
        if value == 0.0:
            self.ties += 1
            return
        if value > 0.0:
            self.treatment_only += 1
        else:
            self.baseline_only += 1
        won, lost, a = self.treatment_only, self.baseline_only, self.concentration
        mixed = _log_beta(a + won, a + lost) - _log_beta(a, a)  # log of the mixture's likelihood of this order of wins
        evidence = mixed + (won + lost) * math.log(2.0)
        limit = math.log(1.0 / self.alpha)
        self._record(
            evidence,
            *_limits(
                lambda q: mixed - _log_power(q, won) - _log_power(1.0 - q, lost) - limit, self.estimate, (0.0, 1.0)
            ),
        )

    @property
    def difference(self) -> Interval:
        """The sequence's interval for the difference of the two accuracies, treatment minus baseline, at this n.

        The share of pairs that differ is unknown: at each difference it takes the value that suits it best.
        """
        wins, losses, ties = self.treatment_only, self.baseline_only, self.ties
        counts = (wins, losses, ties)
        mixed = math.lgamma(3.0) - math.lgamma(3.0 + self.n) + sum(math.lgamma(1.0 + count) for count in counts)
        limit = math.log(1.0 / self.alpha)
        middle = (wins - losses) / self.n if self.n else 0.0
        low, high = _limits(lambda delta: mixed - _most_likely(counts, delta) - limit, middle, (-1.0, 1.0))
        return Interval(low, high, round(1.0 - self.alpha, 12), "Dirichlet mixture confidence sequence; exact")

    @property
    def _method(self) -> str:
        return "beta-binomial mixture confidence sequence on the pairs that differ; exact"

    @property
    def _about(self) -> str:
        return f"the treatment's share of wins ({self.baseline_only + self.treatment_only} pairs differ)"

    def _state(self) -> dict[str, Any]:
        counts = {"ties": self.ties, "baseline_only": self.baseline_only, "treatment_only": self.treatment_only}
        return {"concentration": self.concentration, **counts}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """Return a sequence with the fields and counts of a state; `from_dict` calls it."""
        sequence = cls(alpha=state["alpha"], concentration=state["concentration"])
        sequence.ties, sequence.baseline_only = int(state["ties"]), int(state["baseline_only"])
        sequence.treatment_only = int(state["treatment_only"])
        return sequence


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_power(base: float, count: int) -> float:
    """Return count * log(base), 0 for a count of 0."""
    if count == 0:
        return 0.0
    return count * math.log(base) if base > 0.0 else -math.inf


def _most_likely(counts: tuple[int, int, int], delta: float) -> float:
    """Return the largest log likelihood of wins, losses and ties where wins are delta likelier than losses.

    Source:
        Tango (1998), Statistics in Medicine 17(8):891-908, for the share of losses at its maximum.
    """
    wins, losses, ties = counts
    n = wins + losses + ties
    if delta < 0.0:
        wins, losses, delta = losses, wins, -delta
    b = (2 * n + losses - wins) * delta - (wins + losses)
    c = -losses * delta * (1.0 - delta)
    lost = max(0.0, (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)) if n else 0.0
    return _log_power(lost + delta, wins) + _log_power(lost, losses) + _log_power(1.0 - 2.0 * lost - delta, ties)


def _limits(excess: Callable[[float], float], middle: float, ends: tuple[float, float]) -> tuple[float, float]:
    """Return where a function that falls towards `middle` and rises away from it passes 0, rounded outwards."""
    found: list[float] = []
    for end in ends:
        inside, outside = middle, end
        if not excess(outside) > 0.0:
            found.append(end)
            continue
        while abs(outside - inside) > 1e-10:
            half = (inside + outside) / 2.0
            if excess(half) > 0.0:
                outside = half
            else:
                inside = half
        found.append(outside)
    return found[0], found[1]
