"""An A/B test: one metric that decides, and guardrails that a change must not make worse by more than their margins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.ir import did_you_mean
from crucible.stats.conditions.design import Design
from crucible.stats.conditions.observations import Condition
from crucible.stats.correction import correct
from crucible.stats.names import canonical_correction
from crucible.stats.rendering.notebook import shown_in_notebooks
from crucible.stats.result import TestResult, Verdict
from crucible.stats.studies.compared import compared
from crucible.stats.studies.guardrail import Guardrail, GuardrailResult, non_inferiority_p

__all__ = ["AbTest", "Decision", "ab_test"]


class Decision(StrEnum):
    """What an A/B test came to."""

    IMPROVED = "improved"
    IMPROVED_GUARDRAIL_OPEN = "improved_guardrail_open"
    WORSE = "worse"
    DIRECTION_NOT_FOUND = "direction_not_found"
    NO_DIFFERENCE_FOUND = "no_difference_found"


@shown_in_notebooks
class AbTest(msgspec.Struct, frozen=True, kw_only=True):
    """What an A/B test found.

    Args:
        primary: The comparison on the metric that decides.
        guardrails: Whether each guardrail holds, in the order given.
        higher_is_better: Whether a higher score of the primary metric is the better one.
        correction: Of all p-values, the primary's and the guardrails', together.
    """

    primary: TestResult
    guardrails: tuple[GuardrailResult, ...] = ()
    higher_is_better: bool = True
    correction: str = "holm"

    @property
    def decision(self) -> Decision:
        """What it came to: the primary metric's verdict, and whether all guardrails hold."""
        if self.primary.verdict is not Verdict.DIFFERENCE:
            return Decision.NO_DIFFERENCE_FOUND
        if not self.primary.direction:
            return Decision.DIRECTION_NOT_FOUND
        if (self.primary.direction > 0) != self.higher_is_better:
            return Decision.WORSE
        held = all(one.holds for one in self.guardrails)
        return Decision.IMPROVED if held else Decision.IMPROVED_GUARDRAIL_OPEN

    @property
    def wording(self) -> str:
        """Decision, primary metric and guardrails, a sentence each."""
        return " ".join([self._decided(), self.primary.wording, *(one.wording for one in self.guardrails)])

    def _decided(self) -> str:
        treated, metric = self.primary.treatment, self.primary.metric
        open_ = [one.guardrail.metric for one in self.guardrails if not one.holds]
        left = f"; not shown to hold: {', '.join(open_)}" if open_ else ""
        held = " and all guardrails hold" if self.guardrails and not open_ else ""
        match self.decision:
            case Decision.IMPROVED | Decision.IMPROVED_GUARDRAIL_OPEN:
                return f"{treated} is better in {metric}{held}{left}."
            case Decision.WORSE:
                return f"{treated} is worse in {metric}{left}."
            case Decision.DIRECTION_NOT_FOUND:
                return f"{treated} differs in {metric}, and whether it is better was not found{left}."
            case Decision.NO_DIFFERENCE_FOUND:
                return f"No difference was found in {metric}, which is no proof that there is none{left}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "study": "A/B test",
            "decision": self.decision.value,
            "better": "higher" if self.higher_is_better else "lower",
            "correction": self.correction,
            "primary": self.primary.to_dict(),
            "guardrails": [one.to_dict() for one in self.guardrails],
            "wording": self.wording,
        }


def ab_test(
    baseline: Condition | Iterable[Condition],
    treatment: Condition | Iterable[Condition],
    *,
    primary: str = "",
    guardrails: Sequence[Guardrail] = (),
    higher_is_better: bool = True,
    design: Design | None = None,
) -> AbTest:
    """Compare a treatment with a baseline on one metric that decides, and guard others against loss.

    The p-values of the primary metric and of all guardrails are corrected together: the error rate holds for everything
    that is claimed.

    Args:
        baseline: One condition, or one for each metric.
        treatment: The same metrics.
        primary: The metric that decides, named before looking; may be left out where there is only one.
        guardrails: Metrics that must not get worse by more than their margins.
        higher_is_better: Whether a higher score of the primary metric is the better one.
        design: How to compare, and the correction; the defaults of `Design` if absent.

    Raises:
        StatsError: A metric is on one side only or not at all, or the conditions cannot be compared.
        TooFewSamples: Fewer than two items are left.
        DegenerateSample: Scores do not vary where the test needs it.
    """
    design = design or Design()
    name = canonical_correction(design.correction)
    left, right = _by_metric(baseline, "baseline"), _by_metric(treatment, "treatment")
    named = [primary or _only(left, right), *(one.metric for one in guardrails)]
    if len(set(named)) < len(named):
        raise StatsError(f"a metric decides once: {', '.join(named)} names one twice")
    first, *others = (
        compared(_find(left, metric, "baseline"), _find(right, metric, "treatment"), design, metric) for metric in named
    )
    p_values = [first.p, *map(non_inferiority_p, others, guardrails)]
    adjusted: list[float | None] = [None] * len(p_values)
    if len(p_values) > 1 and name != "none":
        adjusted = [*correct(p_values, name)]
        first = msgspec.structs.replace(first, p_adjusted=adjusted[0], correction=name, comparisons=len(p_values))
    guarded = map(GuardrailResult, guardrails, others, p_values[1:], adjusted[1:])
    return AbTest(primary=first, guardrails=tuple(guarded), higher_is_better=higher_is_better, correction=name)


def _by_metric(conditions: Condition | Iterable[Condition], side: str) -> dict[str, Condition]:
    given = [conditions] if isinstance(conditions, Condition) else list(conditions)
    found = {one.metric: one for one in given}
    if len(found) < len(given):
        raise StatsError(f"the {side} has two conditions of one metric: {', '.join(one.metric for one in given)}")
    return found


def _only(left: dict[str, Condition], right: dict[str, Condition]) -> str:
    both = [metric for metric in left if metric in right]
    if len(both) != 1:
        raise StatsError(
            f"name the primary metric, which decides: both sides have {', '.join(both) or 'none in common'}"
        )
    return both[0]


def _find(conditions: dict[str, Condition], metric: str, side: str) -> Condition:
    if metric not in conditions:
        known = ", ".join(conditions) or "none"
        raise StatsError(f'the {side} has no metric "{metric}"{did_you_mean(metric, conditions)}; it has: {known}')
    return conditions[metric]
