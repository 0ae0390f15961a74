"""A metric that a change must not make worse by more than a margin, and the one-sided test that shows that it did not.

"No difference found" is no such showing: it also comes of too few items. What is shown here is that the difference,
with its uncertainty, stays on the good side of the margin.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.proportion import clopper_pearson
from crucible.stats.margins.equivalence import non_inferiority
from crucible.stats.parameters import check_fields
from crucible.stats.plain_data import plain
from crucible.stats.result import TestResult
from crucible.stats.significance.tdist import critical_t
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

__all__ = ["Guardrail", "GuardrailResult", "non_inferiority_p"]

_BY_SHARES = {"mcnemar": "tango", "fisher": "newcombe"}
_BY_T = ("clustered_ttest", "crossed_ttest", "paired_ttest", "student", "welch")


class Guardrail(msgspec.Struct, frozen=True):
    """What must not get worse.

    Args:
        metric: Of the conditions to look at.
        margin: The loss that would still be accepted, above 0, in the unit of the score; chosen before looking.
        higher_is_better: Whether a higher score is the better one; False for a cost, a loss, a latency.
    """

    metric: str
    margin: float
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        """Refuse a margin that is none."""
        check_fields(self)
        if not (math.isfinite(self.margin) and self.margin > 0.0):
            raise StatsError(f'the margin of "{self.metric}" must be a number above 0, got {self.margin!r}')


class GuardrailResult(msgspec.Struct, frozen=True):
    """Whether a guardrail holds.

    Args:
        guardrail: What must not get worse.
        result: The comparison of the two conditions.
        p: One-sided p-value against a loss of the margin or more.
        p_adjusted: After the correction; None if there was none.
    """

    guardrail: Guardrail
    result: TestResult
    p: float
    p_adjusted: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it was shown that the loss is smaller than the margin; False is no proof that it is not."""
        return (self.p if self.p_adjusted is None else self.p_adjusted) < self.result.alpha

    @property
    def wording(self) -> str:
        """What was shown, in one sentence."""
        result, guardrail = self.result, self.guardrail
        interval = result.interval
        digits = decimals_for(result.difference, interval.low, interval.high, guardrail.margin)
        difference, low, high = (
            show_number(value, digits, signed=True) for value in (result.difference, interval.low, interval.high)
        )
        adjusted = "" if self.p_adjusted is None else f", {show_p(self.p_adjusted, result.alpha)} after correction"
        shown = "not worse" if self.holds else "not shown to be not worse"
        failures = f"; {result.failures}" if result.failures else ""
        p = f"one-sided {show_p(self.p, result.alpha)}{adjusted}"
        return (
            f"Guardrail {guardrail.metric}: {result.treatment} is {shown} than {result.baseline} by more than the "
            f"margin of {show_number(guardrail.margin, digits)}: difference {difference} "
            f"({show_percent(interval.level)} interval {low} to {high}; {p}){failures}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, the whole comparison under `comparison`."""
        guardrail, result = self.guardrail, self.result
        return {
            "metric": guardrail.metric,
            "better": "higher" if guardrail.higher_is_better else "lower",
            "baseline_mean": result.baseline_mean,
            "treatment_mean": result.treatment_mean,
            "difference": result.difference,
            "interval": plain(result.interval),
            "margin": guardrail.margin,
            "n": result.n,
            "p_one_sided": self.p,
            "p_adjusted": self.p_adjusted,
            "holds": self.holds,
            "wording": self.wording,
            "comparison": result.to_dict(),
        }


@needs_stats
def non_inferiority_p(result: TestResult, guardrail: Guardrail) -> float:
    """Return the one-sided p-value against a loss of the margin or more, by the test that the interval comes from.

    It is below alpha where the interval at level 1 - 2 alpha stays on the good side of the margin, as in
    `non_inferiority`; here it also holds for items in clusters, and where no item differs.

    Args:
        result: A comparison by the rule of `compare_conditions`.
        guardrail: Margin and direction.

    Raises:
        StatsError: The comparison was made by a test that has no such p-value.
    """
    from scipy import special

    sign = 1.0 if guardrail.higher_is_better else -1.0
    if result.name in _BY_T and result.df is not None:
        error = (result.interval.high - result.interval.low) / (2.0 * critical_t(result.df, result.interval.level))
        return float(special.stdtr(result.df, -(sign * result.difference + guardrail.margin) / error))
    if result.name in _BY_SHARES:
        if guardrail.margin >= 1.0:
            return 0.0  # no share can lose more
        base, treated = _columns_of(result)
        return non_inferiority(
            base,
            treated,
            margin=guardrail.margin,
            higher_is_better=guardrail.higher_is_better,
            paired=result.name == "mcnemar",
            test=_BY_SHARES[result.name],
        ).p
    if result.name == "sign":  # no item differs: how likely is that where items lost the margin on average
        reach = result.interval.high / clopper_pearson(0, result.n, level=result.interval.level).high
        return max(0.0, 1.0 - guardrail.margin / reach) ** result.n
    raise StatsError(f"{result.name} has no test against a margin: compare by the rule, without forcing a test")


def _columns_of(result: TestResult) -> tuple[list[int], list[int]]:
    """Return columns of 0 and 1 that have the counts of a comparison of shares."""
    counts = result.counts
    if result.name == "fisher":
        sides = [(counts[f"{side}_successes"], counts[side]) for side in ("baseline", "treatment")]
        base, treated = ([1] * right + [0] * (n - right) for right, n in sides)
        return base, treated
    falls, rises = counts["baseline_only"], counts["treatment_only"]
    rest = [0] * (result.n - falls - rises)
    return [*[1] * falls, *[0] * rises, *rest], [*[0] * falls, *[1] * rises, *rest]
