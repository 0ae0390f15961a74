"""What a run measured and tested: scores with their counts, differences with their certainty.

Types only. Every field has a default, because a run may lack any part: None means "not recorded", never zero.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from crucible.ir import Interval

__all__ = ["Contrast", "Effect", "Evaluation", "GroupTest", "OtherTest", "Score", "Side", "Unit"]

Unit = Literal["fraction", "value"]
"""`fraction` is 0 to 1 and shown in percent; `value` is anything else."""


class Score(msgspec.Struct):
    """One scorer's mean over the items of one evaluation, with the counts behind it.

    Args:
        scorer: Such as `exact_match`.
        mean: Over the scored items, and with failed ones as 0 under the policy `zero`; None if nothing was scored.
        interval: Of the mean.
        attempted: Items tried; scored + failed.
        scored: Items with a score.
        failed: Items tried without a score.
        skipped: Items left out on purpose.
        failures: Policy for failed items: `exclude`, `zero` or `abort`.
        unit: `fraction` for 0 to 1, shown in percent; `value` for anything else.
    """

    scorer: str
    mean: float | None = None
    interval: Interval | None = None
    attempted: int | None = None
    scored: int | None = None
    failed: int | None = None
    skipped: int | None = None
    failures: str | None = None
    unit: Unit = "value"

    @property
    def zeroed(self) -> int:
        """Failed items that count as 0 in the mean."""
        return (self.failed or 0) if self.failures == "zero" else 0


class Evaluation(msgspec.Struct):
    """One model's scores on the items of one part of the data.

    Args:
        label: What the run calls it, such as `base` or `tuned`.
        scores: One per scorer.
        generation: How the answers were made: single values such as `max_tokens`, `cut_answers` and `dataset_role`.
    """

    label: str
    scores: list[Score] = []
    generation: dict[str, Any] = {}


class Effect(msgspec.Struct):
    """A standardised size of a difference.

    Args:
        name: Such as `cohens_g`.
        value: In the effect's own unit.
        interval: Of the value.
    """

    name: str
    value: float | None = None
    interval: Interval | None = None


class Side(msgspec.Struct):
    """The items of one side of a contrast; attempted = scored + failed."""

    label: str
    attempted: int | None = None
    scored: int | None = None
    failed: int | None = None
    skipped: int | None = None


class OtherTest(msgspec.Struct):
    """Another test of the same difference, made beside the one that decides.

    Args:
        test: Its name.
        p: Unadjusted p-value, 0 to 1.
        interval: Of the difference.
        refused: Why it could not be made; None if it was.
    """

    test: str
    p: float | None = None
    interval: Interval | None = None
    refused: str | None = None


class GroupTest(msgspec.Struct):
    """A test of several groups at once: whether any differ, not which.

    Args:
        test: Its name.
        groups: Labels of the groups.
        metric: What the scores are called.
        wording: The result in one sentence, or why there is none.
        verdict: `difference`, `no_difference_found`, or None where no test was made.
        statistic: The test's statistic.
        p: P-value, 0 to 1.
        alpha: Threshold for p.
        effect: Standardised size.
        n: Scores in all groups, or items where the groups are of the same ones.
        method: Test, effect and the rule that chose them, in words.
        assumptions: What the test takes for granted.
    """

    test: str
    groups: list[str] = []
    metric: str = ""
    wording: str = ""
    verdict: str | None = None
    statistic: float | None = None
    p: float | None = None
    alpha: float | None = None
    effect: Effect | None = None
    n: int | None = None
    method: str = ""
    assumptions: list[str] = []


class Contrast(msgspec.Struct):
    """One tested difference between two evaluations of the same items.

    Args:
        name: Short name, unique within the run.
        baseline: Label subtracted from.
        treatment: Label whose change is measured.
        metric: Scorer compared.
        headline: The verdict in a few words.
        sentence: What was compared, how big the difference is and how sure it is; plain text.
        verdict: `difference`, `no_difference_found`, or None where no test was made.
        test: Name of the test.
        method: Test, interval and the rule that chose them, in words.
        statistic: The test's statistic.
        p: Unadjusted p-value, 0 to 1.
        p_adjusted: After the correction for several contrasts.
        correction: Name of the correction.
        comparisons: How many contrasts were corrected for together.
        alpha: Threshold for p (adjusted where there is one).
        baseline_mean: Over the compared items.
        treatment_mean: Over the compared items.
        difference: Treatment minus baseline, in the unit of the metric.
        interval: Of the difference.
        effect: Standardised size.
        n: Pairs compared, or all observations where the two sides are independent.
        counts: Further counts of the test, such as discordant pairs.
        assumptions: What the test takes for granted.
        wording: The test's own sentence.
        failures: What became of items without a score; empty if all have one.
        also: Other tests of the same difference.
        sides: Items of baseline and treatment.
        unit: Of `difference`.
    """

    name: str
    baseline: str
    treatment: str
    metric: str = ""
    headline: str = ""
    sentence: str = ""
    verdict: str | None = None
    test: str = ""
    method: str = ""
    statistic: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    correction: str | None = None
    comparisons: int | None = None
    alpha: float | None = None
    baseline_mean: float | None = None
    treatment_mean: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    effect: Effect | None = None
    n: int | None = None
    counts: dict[str, float] = {}
    assumptions: list[str] = []
    wording: str = ""
    failures: str = ""
    also: list[OtherTest] = []
    sides: list[Side] = []
    unit: Unit = "value"

    @property
    def is_paired(self) -> bool:
        """Whether both sides are scores of the same items, as far as the counts tell."""
        return "pairs" in self.counts or not {"baseline", "treatment"} <= self.counts.keys()
