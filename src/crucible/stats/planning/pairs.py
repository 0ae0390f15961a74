"""Designs of right or wrong on the same items: McNemar's exact test, planned over the pairs that will differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from crucible.errors import StatsError
from crucible.stats.parameters import check_fields
from crucible.stats.planning.design import Alternative, PowerDesign
from crucible.stats.planning.enumeration import binomial_window

if TYPE_CHECKING:
    from crucible.stats.planning.enumeration import IntArray

__all__ = ["McNemar"]


class McNemar(PowerDesign, frozen=True, kw_only=True):
    """Two conditions that are right or wrong on the same items, by McNemar's exact test; n is the pairs.

    An effect is the difference of the two accuracies: the share of pairs in which only the treatment is right minus
    the share in which only the baseline is. Name one of the two fields.

    Args:
        discordant: Share of pairs in which exactly one of the two is right, above 0 to 1; stays as the effect varies.
        baseline_only: Share of pairs in which only the baseline is right, 0 to 1; stays as the effect varies.
    """

    name: ClassVar[str] = "mcnemar"
    least_n: ClassVar[int] = 1
    most_n: ClassVar[int] = 10**8

    discordant: float | None = None
    baseline_only: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.discordant is None) == (self.baseline_only is None):
            raise StatsError(
                "name either discordant (the share of pairs in which exactly one is right) or baseline_only (the share "
                "in which only the baseline is)"
            )
        if self.discordant is not None and not 0.0 < self.discordant <= 1.0:
            raise StatsError(f"discordant must be a share above 0 and up to 1, got {self.discordant!r}")
        if self.baseline_only is not None and not 0.0 <= self.baseline_only < 1.0:
            raise StatsError(f"baseline_only must be a share from 0 to below 1, got {self.baseline_only!r}")

    @property
    def is_stepped(self) -> bool:
        """Whether power moves in steps: always."""
        return True

    def shares(self, effect: float) -> tuple[float, float]:
        """Return the shares of pairs in which only the baseline, and only the treatment, is right."""
        if self.baseline_only is not None:
            return self.baseline_only, max(0.0, self.baseline_only + effect)
        discordant = self.discordant or 0.0
        return max(0.0, (discordant - effect) / 2.0), max(0.0, (discordant + effect) / 2.0)

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power: over every count of pairs that differ, that of the binomial test on them.

        Source:
            Duffy (1984), Biometrics 40:1005-1015 (unconditional power of the exact conditional test).
        """
        from scipy import stats

        base, treatment = self.shares(effect)
        differing = min(1.0, base + treatment)
        if differing == 0.0:
            return 0.0
        d, weights = binomial_window(int(n), differing)  # (k,)
        won = treatment / (base + treatment)
        tail = alpha / 2.0 if alternative == "two_sided" else alpha
        most = _largest_rejected(d, tail)  # (k,)
        low, high = stats.binom.cdf(most, d, won), stats.binom.sf(d - most - 1, d, won)
        found = {"two_sided": low + high, "greater": high, "less": low}[alternative]
        return min(1.0, float((weights * found).sum()))

    def counts(self, n: int) -> dict[str, int]:
        """Return n as pairs."""
        return {"pairs": n}

    @property
    def effect_name(self) -> str:
        """A difference of shares."""
        return "in the share of successes"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        known = (
            f"exactly one right in {self.discordant:g} of the pairs"
            if self.discordant is not None
            else f"only the baseline right in {self.baseline_only:g} of the pairs"
        )
        return f"McNemar's exact test, {known}; exact, by enumeration over the pairs that differ"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Same items, independent of each other."""
        return (
            "the two scores of a pair belong to the same item, and are 0 or 1",
            "the items are independent of each other",
            "the share of pairs that differ is as assumed: power depends on it",
        )

    def largest_effect(self, alternative: Alternative) -> float:
        """Return the effect where all pairs that differ go one way."""
        if self.discordant is not None:
            return self.discordant
        base = self.baseline_only or 0.0
        return base if alternative == "less" else 1.0 - 2.0 * base

    def check_possible(self, effect: float) -> None:
        """Check that the shares of pairs exist.

        Raises:
            StatsError: They do not.
        """
        super().check_possible(effect)
        base, treatment = self.shares(effect)
        is_outside = self.discordant is not None and abs(effect) > self.discordant * (1.0 + 1e-12)
        is_outside |= self.baseline_only is not None and self.baseline_only + effect < -1e-12
        if is_outside or base + treatment > 1.0 + 1e-12:
            known = f"discordant = {self.discordant:g}" if self.discordant is not None else f"baseline_only = {base:g}"
            raise StatsError(
                f"an effect of {effect:+g} cannot be with {known}: the pairs in which only one is right would have "
                "shares below 0 or above 1"
            )


def _largest_rejected(d: IntArray, tail: float) -> IntArray:
    """Return the largest count whose lower tail of a binomial with probability 1/2 is below `tail`; -1 if none is."""
    import numpy as np
    from scipy import stats

    count = np.asarray(stats.binom.ppf(tail, d, 0.5))
    count = np.where(d == 0, 0.0, count)
    count = np.where(stats.binom.cdf(count, d, 0.5) < tail, count, count - 1.0)
    return np.where(stats.binom.cdf(count, d, 0.5) < tail, count, -1.0).astype(np.int64)
