"""Designs that show that two differ by less than a margin: equivalence by two one-sided tests, and non-inferiority."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from crucible.errors import StatsError
from crucible.stats.parameters import check_fields
from crucible.stats.planning.design import Alternative, PowerDesign, check_positive, treated
from crucible.stats.planning.enumeration import fewest_and_most
from crucible.stats.planning.tails import t_power, tost_power
from crucible.stats.planning.tango import tango_score

if TYPE_CHECKING:
    from crucible.stats.planning.enumeration import IntArray
    from crucible.stats.sample import FloatArray

__all__ = ["Equivalence", "Margin", "NonInferiority"]

_MOST_CELLS = 60_000_000  # of a table of outcomes: about 10 s


class Margin(PowerDesign, frozen=True, kw_only=True):
    """A design with a margin; an effect is the true difference, 0 if none is named.

    Args:
        margin: The difference that does not matter any more, above 0, in the unit of the effect.
        sd: Standard deviation of the differences (paired) or within each sample (independent).
        pairing: `paired` (n is the pairs) or `independent` (n is the baseline's size).
        ratio: Size of the treatment over that of the baseline, where they are independent.
        discordant: For scores of 0 and 1 on the same items, the share of pairs in which exactly one is 1; the test is
            then Tango's score test of the two shares, and `sd` is not used.
    """

    alternatives: ClassVar[tuple[str, ...]] = ("two_sided",)  # what is to be shown is the design's
    usual_effect: ClassVar[float | None] = 0.0
    most_n: ClassVar[int] = 10**7

    margin: float
    sd: float = 1.0
    pairing: Literal["paired", "independent"] = "paired"
    ratio: float = 1.0
    discordant: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(margin=self.margin, sd=self.sd, ratio=self.ratio)
        if self.pairing not in ("paired", "independent"):
            raise StatsError(f'pairing must be "paired" or "independent", got {self.pairing!r}')
        if self.discordant is None:
            return
        if self.pairing == "independent":
            raise StatsError("discordant is about pairs: leave it out, or set pairing to paired")
        if not 0.0 < self.discordant <= 1.0 or self.margin >= 1.0:
            raise StatsError(
                f"discordant must be a share above 0 and up to 1, and the margin a difference of shares below 1; got "
                f"{self.discordant!r} and {self.margin!r}"
            )

    @property
    def is_stepped(self) -> bool:
        """Whether power moves in steps: where scores are counted."""
        return self.discordant is not None

    def counts(self, n: int) -> dict[str, int]:
        """Return n as pairs, or both sizes."""
        if self.pairing == "paired":
            return {"pairs": n}
        return {"baseline": n, "treatment": int(treated(n, self.ratio))}

    @property
    def effect_name(self) -> str:
        """A difference of shares, standard deviations, or units of the score where their deviation was given."""
        if self.discordant is not None:
            return "in the share of successes"
        return "standard deviations" if self.sd == 1.0 else "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        if self.discordant is not None:
            return (
                f"{self.shown} by Tango's score test, exactly one right in {self.discordant:g} of the pairs; exact, by "
                "enumeration of all outcomes"
            )
        test = "paired t-tests of differences" if self.pairing == "paired" else "Student's t-tests of samples"
        return f"{self.shown} by one-sided {test} with standard deviation {self.sd:g}; exact, {self._by}"

    @property
    def shown(self) -> str:
        """What is to be shown."""
        raise NotImplementedError

    @property
    def _by(self) -> str:
        return "by the non-central t distribution"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent items, and the true difference that was assumed."""
        return (
            "the items are independent of each other",
            "the margin was chosen before the scores were seen",
            "the true difference is as assumed: power falls fast as it nears the margin",
        )

    def largest_effect(self, alternative: Alternative) -> float:
        """Return the margin."""
        del alternative
        return self.margin

    def check_possible(self, effect: float) -> None:
        """Check that the true difference can exist.

        Raises:
            StatsError: It cannot.
        """
        super().check_possible(effect)
        if self.discordant is not None and abs(effect) > self.discordant * (1.0 + 1e-12):
            raise StatsError(f"an effect of {effect:+g} cannot be with discordant = {self.discordant:g}")

    def error_and_df(self, n: float) -> tuple[float, float]:
        """Return the standard error of the difference and its degrees of freedom."""
        if self.pairing == "paired":
            return self.sd / math.sqrt(n), n - 1.0
        m = treated(n, self.ratio)
        return self.sd * math.sqrt(1.0 / n + 1.0 / m), n + m - 2.0

    def _shares(self, n: float, effect: float, alpha: float, sides: tuple[float, ...]) -> float:
        """Return the probability that the score tests against each margin in `sides` (signed) reject."""
        import numpy as np
        from scipy import special

        pairs, discordant = int(n), self.discordant or 0.0
        minus, plus = max(0.0, (discordant - effect) / 2.0), max(0.0, (discordant + effect) / 2.0)
        b = np.arange(*_open(fewest_and_most(pairs, minus)))[:, None]
        c = np.arange(*_open(fewest_and_most(pairs, plus)))[None, :]
        if b.size * c.size > _MOST_CELLS:
            raise StatsError(
                f"{pairs:,} pairs have too many outcomes to enumerate: plan the paired t-test by sd instead"
            )
        chances = _trinomial(b, c, pairs, (minus, plus))
        rejects = np.ones(chances.shape, dtype=np.bool_)
        for side in sides:
            score = tango_score(b, c, pairs, side)
            rejects &= (score if side < 0.0 else -score) > -float(special.ndtri(alpha))
        return min(1.0, float(chances[rejects].sum()))


class Equivalence(Margin, frozen=True, kw_only=True):
    """Two conditions shown to differ by less than a margin either way, by two one-sided tests (TOST).

    Its fields are those of `Margin`: margin, sd, pairing, ratio, discordant.
    """

    name: ClassVar[str] = "equivalence"

    @property
    def shown(self) -> str:
        """What is to be shown."""
        return f"equivalence within ±{self.margin:g}"

    @property
    def _by(self) -> str:
        return "by integration over the chi distribution of the standard error (Owen's Q)"

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power of the two one-sided tests, each at `alpha`."""
        del alternative
        if self.discordant is not None:
            return self._shares(n, effect, alpha, (-self.margin, self.margin))
        error, df = self.error_and_df(n)
        return tost_power((effect + self.margin) / error, (self.margin - effect) / error, df, alpha)

    def check_effect(self, effect: float, alternative: Alternative) -> None:
        """Check that more items show equivalence more surely.

        Raises:
            StatsError: The true difference is not inside the margin, or cannot exist.
        """
        del alternative
        self.check_possible(effect)
        if abs(effect) >= self.margin:
            raise StatsError(
                f"a true difference of {effect:+g} is not within ±{self.margin:g}: no number of items shows what is "
                "not so; widen the margin, if that can be defended, or assume a smaller difference"
            )


class NonInferiority(Margin, frozen=True, kw_only=True):
    """A treatment shown to be no worse than the baseline by more than a margin, by one one-sided test.

    Its other fields are those of `Margin`: margin, sd, pairing, ratio, discordant.

    Args:
        higher_is_better: Whether a higher score is the better one, as for accuracy; False for a loss or a cost.
    """

    name: ClassVar[str] = "non_inferiority"

    higher_is_better: bool = True

    @property
    def shown(self) -> str:
        """What is to be shown."""
        return f"non-inferiority by a margin of {self.margin:g}"

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power of the one-sided test at `alpha`."""
        del alternative
        sign = 1.0 if self.higher_is_better else -1.0
        if self.discordant is not None:
            return self._shares(n, effect, alpha, (-sign * self.margin,))
        error, df = self.error_and_df(n)
        return t_power((sign * effect + self.margin) / error, df, alpha, "greater")

    def check_effect(self, effect: float, alternative: Alternative) -> None:
        """Check that more items show non-inferiority more surely.

        Raises:
            StatsError: The treatment is truly worse by the margin or more, or the difference cannot exist.
        """
        del alternative
        self.check_possible(effect)
        if (effect if self.higher_is_better else -effect) <= -self.margin:
            raise StatsError(
                f"a treatment that is truly {effect:+g} apart is worse by the margin of {self.margin:g} or more: no "
                "number of items shows what is not so"
            )


def _open(ends: tuple[int, int]) -> tuple[int, int]:
    return ends[0], ends[1] + 1


def _trinomial(b: IntArray, c: IntArray, pairs: int, shares: tuple[float, float]) -> FloatArray:
    """Return the probability of b (k, 1) and c (1, m) pairs of the two kinds, shape (k, m); 0 where too many."""
    import numpy as np
    from scipy import special

    minus, plus = shares
    rest = np.maximum(pairs - b - c, 0)  # (k, m)
    ways = special.gammaln(np.arange(pairs + 1) + 1.0)  # log factorials
    neither = special.xlogy(np.arange(pairs + 1), max(0.0, 1.0 - minus - plus)) - ways
    logs = ways[pairs] + (special.xlogy(b, minus) - ways[b]) + (special.xlogy(c, plus) - ways[c]) + neither[rest]
    return np.where(b + c <= pairs, np.exp(logs), 0.0)
