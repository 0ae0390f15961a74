"""What a test against a margin found, with the one sentence that says no more than it showed: never "equal"."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from crucible.stats.plain_data import plain
from crucible.stats.result import Comparison
from crucible.stats.wording import decimals_for, show_number, show_percent

__all__ = ["EquivalenceResult", "EquivalenceVerdict"]

_TITLES = {
    "paired_ttest": "paired t-test",
    "welch": "Welch's t-test",
    "student": "Student's t-test",
    "tango": "Tango's score test",
    "newcombe": "Newcombe's score interval",
}


class EquivalenceVerdict(StrEnum):
    """What was shown, and what was not."""

    EQUIVALENCE_SHOWN = "equivalence_shown"
    EQUIVALENCE_NOT_SHOWN = "equivalence_not_shown"
    NON_INFERIORITY_SHOWN = "non_inferiority_shown"
    NON_INFERIORITY_NOT_SHOWN = "non_inferiority_not_shown"


class EquivalenceResult(Comparison, frozen=True, kw_only=True):
    """What a test against a margin found; every difference is treatment minus baseline.

    Its fields are those of `Comparison`, and these.

    Args:
        name: `tost` or `non_inferiority`.
        test: The one-sided test that it is made of, such as `paired_ttest`, `welch`, `tango` or `newcombe`.
        statistic: Of the one-sided test that decides, the one with the larger p-value.
        p: One-sided p-value of that test, 0 to 1.
        p_low: P-value against a difference at or below -margin; None where it plays no part.
        p_high: P-value against a difference at or above +margin; None where it plays no part.
        interval: Interval of `difference` at level 1 - 2 alpha; what was shown holds for all of it.
        margin: The difference that does not matter any more, above 0.
        higher_is_better: Whether a higher score is the better one; decides the side of non-inferiority.
    """

    test: str
    p_low: float | None
    p_high: float | None
    margin: float
    higher_is_better: bool

    @property
    def is_shown(self) -> bool:
        """Whether the (adjusted) p-value is below alpha."""
        return self.decisive_p < self.alpha

    @property
    def verdict(self) -> EquivalenceVerdict:
        """What was shown or not."""
        return EquivalenceVerdict(f"{'equivalence' if self.name == 'tost' else self.name}_{self._shown('_')}")

    def _shown(self, space: str = " ") -> str:
        return "shown" if self.is_shown else f"not{space}shown"

    @property
    def wording(self) -> str:
        """The result in one sentence that claims no more than the numbers do."""
        if self.name == "tost":
            claim = f"Equivalence within ±{self.margin:.6g} was {self._shown()}"
        else:
            claim = f"That {self.treatment} is non-inferior to {self.baseline} by a margin of {self.margin:.6g} was "
            claim += self._shown() + (" (higher is better)" if self.higher_is_better else " (lower is better)")
        parts = [f"{claim}: {self._estimate()}"]
        if note := self._note():
            parts.append(note)
        if self.failures:
            parts.append(self.failures)
        return "; ".join(parts) + "."

    def _note(self) -> str:
        """What one might misread."""
        is_apart = not self.interval.low <= 0.0 <= self.interval.high
        if not self.is_shown:
            if beyond := self._beyond():
                return beyond
            more = "differ" if self.name == "tost" else "differ, or that it is worse,"
            return f"this does not show that they {more} by more than the margin"
        if not is_apart:
            return ""
        if self.name == "tost":
            return "the interval excludes 0: there is a difference, of a size that the margin allows"
        is_worse = (self.difference < 0.0) == self.higher_is_better
        return "the interval excludes 0: it is worse, by less than the margin" if is_worse else ""

    def _beyond(self) -> str:
        """What the interval shows where all of it lies beyond the margin."""
        low, high = self.interval.low, self.interval.high
        is_below, is_above = high < -self.margin, low > self.margin
        if self.name == "tost":
            return "the whole interval lies beyond the margin" if is_below or is_above else ""
        is_worse = is_below if self.higher_is_better else is_above
        return "the whole interval lies beyond the margin, on the worse side" if is_worse else ""

    def _estimate(self) -> str:
        interval = self.interval
        digits = decimals_for(self.difference, interval.low, interval.high)
        low, high = (show_number(end, digits, signed=True) for end in (interval.low, interval.high))
        tests = f"{'two one-sided tests' if self.name == 'tost' else 'one-sided test'}, {_TITLES[self.test]}"
        difference = show_number(self.difference, digits, signed=True)
        return (
            f"{self.metric} of {self.treatment} minus {self.baseline} is {difference} "
            f"({show_percent(interval.level)} interval {low} to {high}; {tests}, {self._shown_p()}; n = {self.n})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `verdict` and `wording` included."""
        return {**plain(self), "verdict": self.verdict.value, "wording": self.wording}
