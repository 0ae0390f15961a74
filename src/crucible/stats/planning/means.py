"""Designs that compare means: t-tests of one sample, of pairs and of two samples, and one-way analysis of variance."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from crucible.errors import StatsError
from crucible.stats.parameters import check_fields
from crucible.stats.planning.design import Alternative, PowerDesign, check_positive, treated
from crucible.stats.planning.tails import f_power, t_power

__all__ = ["Anova", "Independent", "OneSample", "Paired", "Welch"]

_NORMAL = "the scores are roughly normal, or there are enough for their mean to be"


class OneSample(PowerDesign, frozen=True, kw_only=True):
    """One sample against a fixed value, by the one-sample t-test.

    Args:
        sd: Standard deviation of the scores. Left at 1, an effect is in standard deviations (Cohen's d).
    """

    name: ClassVar[str] = "one_sample"

    sd: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(sd=self.sd)

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power, by the non-central t distribution."""
        return t_power(effect / self.sd * math.sqrt(n), n - 1.0, alpha, alternative)

    def counts(self, n: int) -> dict[str, int]:
        """Return n as scores."""
        return {"scores": n}

    @property
    def effect_name(self) -> str:
        """Standard deviations, or units of the score where their deviation was given."""
        return "standard deviations (Cohen's d)" if self.sd == 1.0 else "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return (
            f"one-sample t-test of scores with standard deviation {self.sd:g}; exact, by the non-central t distribution"
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent and roughly normal scores."""
        return ("the scores are independent of each other", _NORMAL)


class Paired(OneSample, frozen=True, kw_only=True):
    """Two conditions on the same items, by the paired t-test.

    Args:
        sd: Standard deviation of the *differences* of pairs. Left at 1, an effect is in these (Cohen's dz).
    """

    name: ClassVar[str] = "paired"

    def counts(self, n: int) -> dict[str, int]:
        """Return n as pairs."""
        return {"pairs": n}

    @property
    def effect_name(self) -> str:
        """Standard deviations of the differences, or units of the score where they were given."""
        return "standard deviations of the differences (Cohen's dz)" if self.sd == 1.0 else "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return (
            f"paired t-test of differences with standard deviation {self.sd:g}; exact, by the non-central t "
            "distribution"
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Same items, independent of each other."""
        return ("the two scores of a pair belong to the same item", "the items are independent of each other", _NORMAL)


class Independent(PowerDesign, frozen=True, kw_only=True):
    """Two independent samples of equal variance, by Student's t-test; n is the baseline's size.

    Args:
        sd: Standard deviation within each sample. Left at 1, an effect is in standard deviations (Cohen's d).
        ratio: Size of the treatment over the size of the baseline.
    """

    name: ClassVar[str] = "independent"

    sd: float = 1.0
    ratio: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(sd=self.sd, ratio=self.ratio)

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power, by the non-central t distribution."""
        m = treated(n, self.ratio)
        return t_power(effect / self.sd / math.sqrt(1.0 / n + 1.0 / m), n + m - 2.0, alpha, alternative)

    def counts(self, n: int) -> dict[str, int]:
        """Return both sizes."""
        return {"baseline": n, "treatment": int(treated(n, self.ratio))}

    @property
    def effect_name(self) -> str:
        """Standard deviations, or units of the score where their deviation was given."""
        return "standard deviations (Cohen's d)" if self.sd == 1.0 else "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return (
            f"Student's t-test of two samples with standard deviation {self.sd:g}; exact, by the non-central t "
            "distribution"
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent, roughly normal scores of equal variance."""
        return ("all scores are independent of each other", _NORMAL, "both samples have the same variance")


class Welch(PowerDesign, frozen=True, kw_only=True):
    """Two independent samples of unequal variance, by Welch's t-test; n is the baseline's size.

    Args:
        baseline_sd: Standard deviation of the baseline's scores.
        treatment_sd: Standard deviation of the treatment's scores.
        ratio: Size of the treatment over the size of the baseline.
    """

    name: ClassVar[str] = "welch"

    baseline_sd: float
    treatment_sd: float
    ratio: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(baseline_sd=self.baseline_sd, treatment_sd=self.treatment_sd, ratio=self.ratio)

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power, approximate: a non-central t with the degrees of freedom at the true variances."""
        m = treated(n, self.ratio)
        a, b = self.baseline_sd**2 / n, self.treatment_sd**2 / m
        df = (a + b) ** 2 / (a**2 / (n - 1.0) + b**2 / (m - 1.0)) if m > 1.0 else n - 1.0
        return t_power(effect / math.sqrt(a + b), df, alpha, alternative)

    def counts(self, n: int) -> dict[str, int]:
        """Return both sizes."""
        return {"baseline": n, "treatment": int(treated(n, self.ratio))}

    @property
    def effect_name(self) -> str:
        """Units of the score."""
        return "units of the score"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return (
            f"Welch's t-test with standard deviations {self.baseline_sd:g} (baseline) and {self.treatment_sd:g} "
            "(treatment); approximate: non-central t with the Satterthwaite degrees of freedom of the true variances"
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent, roughly normal scores."""
        return ("all scores are independent of each other", _NORMAL)


class Anova(PowerDesign, frozen=True, kw_only=True):
    """Several independent groups of equal size, by one-way analysis of variance; n is the size of each.

    Args:
        groups: How many, at least 2.
        measure: What an effect is: Cohen's `f` (standard deviation of the group means over that within groups), or
            `eta_squared`, the share of the variance that lies between groups, 0 to 1; f^2 = eta^2 / (1 - eta^2).

    Source:
        Cohen (1988), Statistical Power Analysis, chapter 8; non-centrality n * groups * f^2.
    """

    name: ClassVar[str] = "anova"
    alternatives: ClassVar[tuple[str, ...]] = ("two_sided",)

    groups: int
    measure: Literal["f", "eta_squared"] = "f"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.groups < 2:
            raise StatsError(f"groups must be at least 2, got {self.groups!r}")
        if self.measure not in ("f", "eta_squared"):
            raise StatsError(f'measure must be "f" or "eta_squared", got {self.measure!r}')

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power, by the non-central F distribution."""
        del alternative
        f_squared = effect**2 if self.measure == "f" else effect / (1.0 - effect)
        within = self.groups * (n - 1.0)
        return f_power(f_squared * n * self.groups, self.groups - 1.0, within, alpha)

    def counts(self, n: int) -> dict[str, int]:
        """Return how many groups and the size of each."""
        return {"groups": self.groups, "scores_in_each": n}

    def total(self, n: int) -> int:
        """Return the scores of all groups together."""
        return self.groups * n

    @property
    def effect_name(self) -> str:
        """Which measure of effect."""
        return "(Cohen's f)" if self.measure == "f" else "(eta squared)"

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed."""
        del alternative
        return f"one-way analysis of variance of {self.groups} groups; exact, by the non-central F distribution"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Independent, roughly normal scores of equal variance."""
        return ("all scores are independent of each other", _NORMAL, "all groups have the same size and variance")

    def largest_effect(self, alternative: Alternative) -> float:
        """Return just below 1 for eta squared; f has no end."""
        del alternative
        return math.inf if self.measure == "f" else 1.0 - 1e-12

    def check_possible(self, effect: float) -> None:
        """Check that an effect can exist.

        Raises:
            StatsError: It is negative, or eta squared is not below 1.
        """
        super().check_possible(effect)
        if effect < 0.0 or (self.measure == "eta_squared" and effect >= 1.0):
            span = "0 or more" if self.measure == "f" else "from 0 to below 1"
            raise StatsError(f"the effect {self.effect_name} must be {span}, got {effect:g}")
