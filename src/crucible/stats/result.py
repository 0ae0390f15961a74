"""What a comparison found: a value with its interval, its effect, its counts and one honest sentence.

`verdict` and `wording` are derived from the numbers and never stored apart from them, so they cannot drift. A result
that found no difference never says that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self

import msgspec

from crucible.ir import Interval
from crucible.stats.names import TEST_TITLES
from crucible.stats.plain_data import plain
from crucible.stats.significance.checks import Check
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

__all__ = ["Comparison", "Effect", "TestResult", "Verdict"]

_OF_RANKS = frozenset({"rank_biserial", "cliffs_delta", "dominance", "mean_rank_difference", "hodges_lehmann"})


class Verdict(StrEnum):
    """What the test decided at its alpha."""

    DIFFERENCE = "difference"
    NO_DIFFERENCE_FOUND = "no_difference_found"


class Effect(msgspec.Struct, frozen=True):
    """A size of effect, positive where the treatment scores higher; a share of the variance has no direction.

    Args:
        name: Such as `cohens_g` or `hedges_g`.
        value: The estimate, finite.
        interval: Its interval; None where none can be computed.
    """

    name: str
    value: float
    interval: Interval | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What every result of comparing a treatment with a baseline or a fixed value holds.

    Args:
        name: Canonical name of the test that was made, such as `mcnemar`.
        statistic: The test's statistic, finite; `method` says which.
        df: Degrees of freedom, where the test has them.
        p: P-value, 0 to 1, before any correction; two-sided, except against a margin.
        p_adjusted: The p-value after `correction`; None if there was none.
        correction: Name of the correction for multiple testing; None if there was none.
        comparisons: How many comparisons were corrected for together.
        difference: Mean of the treatment minus mean of the baseline, in units of the score.
        interval: Interval of `difference`.
        effect: Size of the effect, with its interval.
        n: Pairs for a paired test, all observations for an independent one.
        counts: What was counted, by name, such as `pairs` or `treatment_only`.
        baseline_mean: Mean of the baseline's scores; None where only counts were given.
        treatment_mean: Mean of the treatment's scores; None where only counts were given.
        baseline: What the baseline is called.
        treatment: What the treatment is called.
        metric: What the scores are called.
        failures: One clause on items that failed or were left out; empty if none did.
        assumptions: What has to hold for the p-value and the interval to mean what they say.
        method: The test, the intervals and the rule that chose them, in words.
        alpha: Type-I error rate at which `verdict` is given.
        versions: Versions of the packages that computed it.
    """

    name: str
    statistic: float
    p: float
    difference: float
    interval: Interval
    effect: Effect
    n: int
    counts: dict[str, int]
    assumptions: tuple[str, ...]
    method: str
    alpha: float
    versions: dict[str, str]
    df: float | None = None
    p_adjusted: float | None = None
    correction: str | None = None
    comparisons: int = 1
    baseline_mean: float | None = None
    treatment_mean: float | None = None
    baseline: str = "baseline"
    treatment: str = "treatment"
    metric: str = "score"
    failures: str = ""

    @property
    def decisive_p(self) -> float:
        """The p-value that is compared with alpha: the adjusted one, where there is one."""
        return self.p if self.p_adjusted is None else self.p_adjusted

    def _shown_p(self) -> str:
        """Return the p-value in words, and the adjusted one, where there is one."""
        shown = show_p(self.p, self.alpha)
        if self.p_adjusted is None:
            return shown
        adjusted = show_p(self.p_adjusted, self.alpha)
        return f"{shown}, {adjusted} after {self.correction} correction for {self.comparisons} comparisons"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned; keys that are not fields are ignored.

        Raises:
            msgspec.ValidationError: `data` is not a result.
        """
        return msgspec.convert(dict(data), type=cls)


class TestResult(Comparison, frozen=True, kw_only=True):
    """The outcome of a test for a difference; every difference is treatment minus baseline, or minus a fixed value.

    Its fields are those of `Comparison`, and these.

    Args:
        checks: Checks of assumptions that were asked for; shown, and nothing was chosen by them.
        attainable: For an exact test of counts or ranks: the probability of a p-value below alpha, at these counts (or
            ties), if there is no difference, so the largest error rate up to alpha that it can have. Given for
            McNemar's exact test, the sign test, Fisher's, the exact binomial test and, where they are exact and few
            enough, Wilcoxon's and Mann and Whitney's; None for all others.
    """

    __test__: ClassVar[bool] = False  # or pytest takes the class for a test

    checks: tuple[Check, ...] = ()
    attainable: float | None = None

    @property
    def verdict(self) -> Verdict:
        """`difference` where the (adjusted) p-value is below alpha."""
        return Verdict.DIFFERENCE if self.decisive_p < self.alpha else Verdict.NO_DIFFERENCE_FOUND

    @property
    def direction(self) -> int:
        """1 where the treatment was found to score higher, -1 where lower, 0 where neither was found.

        Neither is found where there is no difference found, and where means and ranks point in different directions:
        most pairs rise, for instance, and a few fall by more than all others gain.
        """
        found = (self.difference > 0.0) - (self.difference < 0.0)
        if self.verdict is not Verdict.DIFFERENCE:
            return 0
        of_ranks = (self.effect.value > 0.0) - (self.effect.value < 0.0)
        return found if self.effect.name not in _OF_RANKS or of_ranks == found else 0

    @property
    def wording(self) -> str:
        """The result in one sentence that claims no more than the numbers do."""
        found = self.verdict is Verdict.DIFFERENCE
        parts = [f"{'A difference was found' if found else 'No difference found'}: {self._estimate()}"]
        if not found:
            parts.append("a difference anywhere in that interval remains possible")
        if found == (self.interval.low <= 0.0 <= self.interval.high):
            parts.append(f"the verdict is the test's, the interval alone would {'include' if found else 'exclude'} 0")
        if found and not self.direction:
            parts.append("which of the two scores higher was not found: the means and the ranks do not agree on it")
        if self.failures:
            parts.append(self.failures)
        return "; ".join(parts) + "."

    def _estimate(self) -> str:
        interval = self.interval
        digits = decimals_for(self.difference, interval.low, interval.high)
        numbers = (
            f"{show_number(self.difference, digits, signed=True)} ({show_percent(interval.level)} interval "
            f"{show_number(interval.low, digits, signed=True)} to {show_number(interval.high, digits, signed=True)}; "
            f"{TEST_TITLES.get(self.name, self.name)}, {self._shown_p()})"
        )
        if self.baseline_mean is None or self.treatment_mean is None:
            return f"{self.treatment} minus {self.baseline} is {numbers} over {self.n} pairs"
        base, treated = show_number(self.baseline_mean, digits), show_number(self.treatment_mean, digits)
        if "scores" in self.counts:
            return f"mean {self.metric} is {treated} (n = {self.n}), a difference of {numbers} from {self.baseline}"
        if "pairs" in self.counts:
            means = f"{treated} for {self.treatment} and {base} for {self.baseline} on the same {self.n} items"
            means += f" under the same {self.counts['prompts']} prompts" if "prompts" in self.counts else ""
        else:
            n_base, n_treated = self.counts["baseline"], self.counts["treatment"]
            means = f"{treated} for {self.treatment} (n = {n_treated}) and {base} for {self.baseline} (n = {n_base})"
        return f"mean {self.metric} is {means}, a difference of {numbers}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `verdict` and `wording` included."""
        return {**plain(self), "verdict": self.verdict.value, "wording": self.wording}
