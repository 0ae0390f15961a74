"""Designs that count successes: one proportion, and two of independent samples.

Power is the exact sum over all outcomes; where a normal approximation is asked for, `method` says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from crucible.errors import StatsError
from crucible.stats.parameters import check_fields
from crucible.stats.planning.design import Alternative, PowerDesign, check_positive, treated
from crucible.stats.planning.enumeration import binomial_window, two_sided_rejects
from crucible.stats.planning.fisher import fisher_power
from crucible.stats.planning.tails import z_power

if TYPE_CHECKING:
    from crucible.stats.planning.enumeration import BoolArray, IntArray

__all__ = ["Proportion", "Proportions"]

_MOST_CELLS = 60_000_000  # of a table of outcomes: about 10 s
_ONES = ("each trial is independent of the others", "every score is 0 or 1")


class _Share(PowerDesign, frozen=True, kw_only=True):
    """A design around a share of successes that an effect is added to."""

    baseline: float
    by: Literal["enumeration", "normal"] = "enumeration"

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0.0 < self.baseline < 1.0:
            raise StatsError(f"baseline must be a share between 0 and 1, got {self.baseline!r}")
        if self.by not in ("enumeration", "normal"):
            raise StatsError(f'by must be "enumeration" or "normal", got {self.by!r}')

    @property
    def is_stepped(self) -> bool:
        """Whether power moves in steps: unless it is approximated."""
        return self.by == "enumeration"

    @property
    def effect_name(self) -> str:
        """A difference of shares."""
        return "in the share of successes"

    def largest_effect(self, alternative: Alternative) -> float:
        """Return how far the share can move."""
        return self.baseline if alternative == "less" else 1.0 - self.baseline

    def check_possible(self, effect: float) -> None:
        """Check that the share stays in 0 to 1.

        Raises:
            StatsError: It does not.
        """
        super().check_possible(effect)
        if not 0.0 <= self.baseline + effect <= 1.0 + 1e-12:
            raise StatsError(
                f"an effect of {effect:+g} on a share of {self.baseline:g} leads outside 0 to 1: name a difference of "
                f"shares from {-self.baseline:g} to {1.0 - self.baseline:g}"
            )

    def moved(self, effect: float) -> float:
        """Return the share that an effect leads to."""
        return min(1.0, max(0.0, self.baseline + effect))


class Proportion(_Share, frozen=True, kw_only=True):
    """One share of successes against a known one, by the exact binomial test.

    Args:
        baseline: The known share, between 0 and 1.
        by: `enumeration` of all outcomes of the exact test, or `normal` approximation of the score test.
    """

    name: ClassVar[str] = "proportion"
    least_n: ClassVar[int] = 1
    most_n: ClassVar[int] = 10**8

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power: the probability of all counts that the test rejects."""
        p, q = self.baseline, self.moved(effect)
        if self.by == "normal":
            null, true = math.sqrt(p * (1.0 - p) / n), math.sqrt(q * (1.0 - q) / n)
            return z_power((q - p) / null, max(true / null, 1e-12), alpha, alternative)
        return self._exact(int(n), q, alpha, alternative)

    def _exact(self, n: int, q: float, alpha: float, alternative: Alternative) -> float:
        import numpy as np
        from scipy import stats

        counts, weights = binomial_window(n, q)
        if alternative == "two_sided":
            null, chances = binomial_window(n, self.baseline)
            kept = null[~two_sided_rejects(chances, alpha)]  # consecutive, as the binomial has one peak
            if not len(kept):
                return 1.0
            return float(weights[(counts < kept[0]) | (counts > kept[-1])].sum())
        if alternative == "greater":
            rejects = np.asarray(stats.binom.sf(counts - 1, n, self.baseline)) < alpha
        else:
            rejects = np.asarray(stats.binom.cdf(counts, n, self.baseline)) < alpha
        return float(weights[rejects].sum())

    def counts(self, n: int) -> dict[str, int]:
        """Return n as trials."""
        return {"trials": n}

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        if self.by == "normal":
            return f"score test of a share against {self.baseline:g}; normal approximation"
        return f"exact binomial test of a share against {self.baseline:g}; exact, by enumeration of all counts"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent trials."""
        return _ONES


class Proportions(_Share, frozen=True, kw_only=True):
    """Two shares of successes of independent samples; n is the baseline's size.

    Args:
        baseline: True share of successes of the baseline, between 0 and 1; the effect is added to it.
        ratio: Size of the treatment over the size of the baseline.
        test: `fisher` (Fisher's exact test) or `z` (the score test with pooled variance, Pearson's chi-squared).
        by: `enumeration` of all tables, or `normal` approximation (of `z` only).
    """

    name: ClassVar[str] = "proportions"
    least_n: ClassVar[int] = 1

    ratio: float = 1.0
    test: Literal["fisher", "z"] = "fisher"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(ratio=self.ratio)
        if self.test not in ("fisher", "z"):
            raise StatsError(f'test must be "fisher" or "z", got {self.test!r}')
        if self.test == "fisher" and self.by == "normal":
            raise StatsError('Fisher\'s test has no normal approximation here: use by="enumeration", or test="z"')

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power: the probability of all tables that the test rejects, or its normal approximation.

        Raises:
            StatsError: There are too many tables to enumerate.

        Source:
            Normal approximation: Fleiss, Levin & Paik (2003), chapter 4, as R's `power.prop.test(strict = TRUE)`.
        """
        p, q, m = self.baseline, self.moved(effect), treated(n, self.ratio)
        if self.by == "normal":
            pooled = (n * p + m * q) / (n + m)
            null = math.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
            true = math.sqrt(p * (1.0 - p) / n + q * (1.0 - q) / m)
            return z_power((q - p) / null, true / null, alpha, alternative)
        return self._enumerated((int(n), int(m)), q, alpha, alternative)

    def _enumerated(self, sizes: tuple[int, int], q: float, alpha: float, alternative: Alternative) -> float:
        x, px = binomial_window(sizes[0], self.baseline)  # (a,)
        y, py = binomial_window(sizes[1], q)  # (b,)
        cells = len(x) * len(y) if self.test == "z" else (len(x) + len(y)) * min(sizes)  # a row for every total
        if cells > _MOST_CELLS:
            raise StatsError(
                f"samples of {sizes[0]:,} and {sizes[1]:,} have too many tables to enumerate: "
                'use test="z", by="normal", whose error is small at such sizes'
            )
        if self.test == "z":
            return float(px @ _z_rejects(x, y, sizes, alpha, alternative) @ py)
        return fisher_power(sizes, (self.baseline, q), alpha, alternative)

    def counts(self, n: int) -> dict[str, int]:
        """Return both sizes."""
        return {"baseline": n, "treatment": int(treated(n, self.ratio))}

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        test = "Fisher's exact test" if self.test == "fisher" else "z-test with pooled variance"
        way = "exact, by enumeration of all tables" if self.by == "enumeration" else "normal approximation"
        return f"{test} of two samples, true share of the baseline {self.baseline:g}; {way}"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent trials."""
        return _ONES


def _z_rejects(x: IntArray, y: IntArray, sizes: tuple[int, int], alpha: float, alternative: Alternative) -> BoolArray:
    import numpy as np
    from scipy import special

    n, m = sizes
    pooled = (x[:, None] + y[None, :]) / (n + m)  # (a, b)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.nan_to_num((y[None, :] / m - x[:, None] / n) / error, nan=0.0)
    z = {"two_sided": np.abs(z), "greater": z, "less": -z}[alternative]
    return z > -float(special.ndtri(alpha / 2.0 if alternative == "two_sided" else alpha))
