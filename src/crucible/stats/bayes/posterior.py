"""What is known of a quantity after seeing the data: mean, interval, and the probability of either direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import Interval
from crucible.stats.plain_data import plain
from crucible.stats.wording import decimals_for, show_number, show_percent

__all__ = ["Posterior", "Rope", "limits_of", "rope_of"]


class Rope(msgspec.Struct, frozen=True):
    """How a posterior lies about a region of differences that are too small to matter.

    Args:
        low: Lower end of the region.
        high: Upper end.
        p_below: Probability that the difference is below it: the baseline is better by more than matters.
        p_inside: Probability that the difference is inside it.
        p_above: Probability that the difference is above it: the treatment is better by more than matters.
    """

    low: float
    high: float
    p_below: float
    p_inside: float
    p_above: float


class Posterior(msgspec.Struct, frozen=True, kw_only=True):
    """What the data say of one quantity under a prior.

    Args:
        quantity: What it is, such as `share` or `difference of shares`.
        mean: Posterior mean.
        interval: Holds the quantity with the probability `interval.level`, given the prior.
        prior: The prior, in words.
        n: Observations; pairs where they are paired.
        p_above_zero: Probability that a difference is above 0, so that the treatment is better; None for a share.
        rope: About the region that the caller set; None if there is none.
    """

    quantity: str
    mean: float
    interval: Interval
    prior: str
    n: int
    p_above_zero: float | None = None
    rope: Rope | None = None

    @property
    def wording(self) -> str:
        """What the posterior says, in one sentence that claims no more."""
        digits = decimals_for(self.mean, self.interval.low, self.interval.high)
        signed = self.p_above_zero is not None
        low, high, mean = (
            show_number(number, digits, signed=signed) for number in (self.interval.low, self.interval.high, self.mean)
        )
        parts = [
            f"The {self.quantity} is {low} to {high} with a probability of {show_percent(self.interval.level)} (mean "
            f"{mean}, {self.prior}, n = {self.n})"
        ]
        if self.p_above_zero is not None:
            parts.append(f"the treatment is better with probability {_show(self.p_above_zero)}")
        if self.rope is not None:
            rope = self.rope
            parts.append(
                f"where differences of {rope.low:+.4g} to {rope.high:+.4g} are too small to matter, it is below them "
                f"with probability {_show(rope.p_below)}, among them with {_show(rope.p_inside)} and above them with "
                f"{_show(rope.p_above)}"
            )
        return "; ".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `wording` included."""
        return {**plain(self), "wording": self.wording}


def limits_of(below: Callable[[float], float], low: float, high: float, level: float) -> tuple[float, float]:
    """Return the equal-tailed limits of a distribution.

    Args:
        below: Its distribution function.
        low: Where it is 0.
        high: Where it is 1.
        level: Probability inside the limits.
    """
    from scipy import optimize

    def limit(tail: float) -> float:
        return float(optimize.brentq(lambda at: below(at) - tail, low, high, xtol=1e-13, rtol=1e-13))

    return limit((1.0 - level) / 2.0), limit((1.0 + level) / 2.0)


def rope_of(rope: float | tuple[float, float] | None, below: Callable[[float], float]) -> Rope | None:
    """Return the three probabilities about a region.

    Args:
        rope: Its two ends, or its half-width about 0; None: there is none.
        below: Distribution function of the difference.

    Raises:
        StatsError: The region is none.
    """
    if rope is None:
        return None
    low, high = rope if isinstance(rope, tuple) else (-rope, rope)
    if not low < high:
        raise StatsError(f"a region of practical equivalence needs a lower end below its upper end, got {low}, {high}")
    p_below, p_above = below(low), 1.0 - below(high)
    return Rope(low, high, p_below, max(0.0, 1.0 - p_below - p_above), p_above)


def _show(probability: float) -> str:
    """Return a probability that never reads as certainty."""
    if probability < 0.0005:
        return "below 0.001"
    return "above 0.999" if probability > 0.9995 else f"{probability:.3f}"
