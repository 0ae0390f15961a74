"""Designs of items times repeats: each item is asked several times, and repeats are clustered in their items.

More repeats shrink only the noise within items. `Repeats(..., repeats=math.inf)` is what no number of repeats beats:
where the power there is too low, only more items help.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from crucible.errors import StatsError, TooFewSamples
from crucible.stats.extra import needs_stats
from crucible.stats.parameters import check_fields
from crucible.stats.planning.design import Alternative, PowerDesign
from crucible.stats.planning.tails import t_power
from crucible.stats.sample import one_column

__all__ = ["Repeats", "repeats_from_pilot"]


class Repeats(PowerDesign, frozen=True, kw_only=True):
    """Two conditions on the same n items, each asked `repeats` times, compared by a paired t-test on the item means.

    Args:
        between_variance: Variance, among items, of an item's *true* difference between the conditions; 0 or more.
        within_variance: Variance of one repeat around its item's true score, within one condition; 0 or more.
        repeats: Repeats of each item under each condition, at least 1; `math.inf` for the limit.

    Source:
        Miller (2024), "Adding Error Bars to Evals" (arXiv:2411.00640): the variance of an item's
        difference is between + 2 * within / repeats. Here with the t distribution, exact for normal scores.
    """

    name: ClassVar[str] = "repeats"

    between_variance: float
    within_variance: float
    repeats: float = 1

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("between_variance", "within_variance"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise StatsError(f"{name} must be a finite number of 0 or more, got {value!r}")
        if not self.repeats >= 1 or (self.repeats != math.inf and int(self.repeats) != self.repeats):
            raise StatsError(f"repeats must be a whole number of at least 1, or math.inf, got {self.repeats!r}")
        if self.variance == 0.0:
            raise StatsError("the differences of items would not vary at all: give a variance above 0")

    @property
    def variance(self) -> float:
        """Variance of an item's observed difference, the mean of its repeats taken."""
        return self.between_variance + 2.0 * self.within_variance / self.repeats

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power for n items, by the non-central t distribution."""
        return t_power(effect * math.sqrt(n / self.variance), n - 1.0, alpha, alternative)

    def counts(self, n: int) -> dict[str, int]:
        """Return n as items, and the repeats of each; none where they are without end."""
        return {"items": n} if self.repeats == math.inf else {"items": n, "repeats_of_each": int(self.repeats)}

    def total(self, n: int) -> int:
        """Return the items."""
        return n

    @property
    def effect_name(self) -> str:
        """Units of the score."""
        return "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return (
            f"paired t-test on item means of {self.repeats:g} repeats, variance {self.between_variance:g} between and "
            f"{self.within_variance:g} within items; exact, by the non-central t distribution"
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent items, independent repeats."""
        return (
            "the items are independent of each other, and the repeats of an item given the item",
            "the differences of item means are roughly normal, or there are enough items for their mean to be",
            "both conditions vary as much within items",
        )


@needs_stats
def repeats_from_pilot(
    baseline: Mapping[str, Sequence[float]], treatment: Mapping[str, Sequence[float]], *, repeats: float = 1
) -> Repeats:
    """Return the design whose variances a pilot shows: a few items, each repeated under both conditions.

    Args:
        baseline: Scores of the repeats, at least 2 an item, by item id.
        treatment: The same for the treatment; the same ids.
        repeats: Repeats of the design.

    Raises:
        TooFewSamples: There are fewer than 2 items, or an item has fewer than 2 repeats.
        StatsError: The ids differ, a score is no finite number, or nothing varies.

    Source:
        Method of moments of the one-way random effects model (Searle, Casella & McCulloch 1992, section 3.6); a
        variance between items that comes out below 0 is taken as 0.
    """
    if set(baseline) != set(treatment):
        odd = sorted(set(baseline) ^ set(treatment))[:3]
        raise StatsError(
            f"the pilot needs the same items under both conditions; only one has {', '.join(map(repr, odd))}"
        )
    if len(baseline) < 2:
        raise TooFewSamples(f"a pilot needs at least 2 items, got {len(baseline)}")
    differences: list[float] = []
    noise: list[float] = []  # of a difference of item means
    within: list[float] = []
    for item in baseline:
        sides = [
            one_column(scores[item], f"{name}[{item!r}]")
            for name, scores in (("baseline", baseline), ("treatment", treatment))
        ]
        if min(map(len, sides)) < 2:
            raise TooFewSamples(f"item {item!r} needs at least 2 repeats under each condition")
        variances = [float(side.var(ddof=1)) for side in sides]
        differences.append(float(sides[1].mean() - sides[0].mean()))
        noise.append(sum(variance / len(side) for variance, side in zip(variances, sides, strict=True)))
        within.extend(variances)
    observed = float(one_column(differences).var(ddof=1))
    between = max(0.0, observed - sum(noise) / len(noise))
    return Repeats(between_variance=between, within_variance=sum(within) / len(within), repeats=repeats)
