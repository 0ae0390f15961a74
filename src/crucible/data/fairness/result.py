"""What comparing groups found: the rates of each group, the gaps between pairs, one judgement a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crucible.data.fairness.measures import METRICS
from crucible.data.fairness.rules import FairnessRules, Judgement
from crucible.ir import Interval
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

__all__ = ["FairnessResult", "Gap", "GroupRate", "MetricFinding", "worst"]


class GroupRate(msgspec.Struct, frozen=True):
    """One measure of one group.

    Args:
        measure: Such as `true_positive_rate`.
        group: The group's label.
        n: Items under the fraction.
        value: The rate, or the mean score; None: undefined, and `note` says why.
        interval: Wilson's for a rate, Student's t for a mean score; None where there is none, and `note` says why.
        judged: Whether the group is large enough to be judged.
        note: What is to be said of it; empty if nothing.
    """

    measure: str
    group: str
    n: int
    value: float | None
    interval: Interval | None
    judged: bool
    note: str = ""


class Gap(msgspec.Struct, frozen=True):
    """The gap of one measure between two groups.

    Args:
        measure: Such as `selection_rate`.
        baseline: Label of the group seen first.
        treatment: Label of the other.
        difference: Treatment minus baseline; None where a test is not to be had, and `note` says why.
        interval: Of the difference; the intervals of all gaps together hold at the rules' level.
        ratio: The smaller rate over the larger one; None where no rate is positive, or the measure is no rate.
        ratio_interval: Of the ratio, at the same level.
        p: Two-sided p-value of no difference.
        p_adjusted: After the correction over all gaps; None if there was none.
        test: Canonical name of the test.
        judgement: What the limit and the interval say.
        note: Why there is no gap or no judgement; empty if there is.
    """

    measure: str
    baseline: str
    treatment: str
    difference: float | None
    interval: Interval | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    test: str = ""
    judgement: Judgement = Judgement.NOT_JUDGED
    note: str = ""

    def shown(self, limit_as: str, alpha: float) -> str:
        """Return the gap in words, by the quantity that the limit is one of."""
        if self.difference is None or self.interval is None:
            return f"{self.measure} of {self.treatment} against {self.baseline}: {self.note}"
        value, interval, signed = self.difference, self.interval, True
        if limit_as == "ratio" and self.ratio is not None and self.ratio_interval is not None:
            value, interval, signed = self.ratio, self.ratio_interval, False
        digits = decimals_for(value, interval.low, interval.high)
        numbers = [show_number(each, digits, signed=signed) for each in (value, interval.low, interval.high)]
        p = self.p if self.p_adjusted is None else self.p_adjusted
        tested = "" if p is None else f", {show_p(p, alpha)}"
        what = f"{self.treatment} minus {self.baseline}"
        if not signed:
            what = f"{self.treatment} and {self.baseline}, the smaller over the larger"
        return (
            f"{self.measure} of {what}: {numbers[0]} "
            f"({show_percent(round(interval.level, 6))} interval {numbers[1]} to {numbers[2]}{tested})"
        )


class MetricFinding(msgspec.Struct, frozen=True):
    """What one metric says of all groups.

    Args:
        metric: Such as `equalized_odds`.
        judgement: The worst one of its gaps.
        gap: The gap that decided: the largest among those with that judgement; None where there is none.
        wording: One sentence that claims no more than the numbers do.
    """

    metric: str
    judgement: Judgement
    gap: Gap | None
    wording: str


class FairnessResult(msgspec.Struct, frozen=True):
    """What comparing groups found.

    Args:
        rules: How they were compared.
        sizes: Items by group, in the order first seen.
        rates: By measure and group.
        gaps: By measure and pair.
        findings: By metric, in the order asked for.
        cautions: What a reader has to know, one sentence each.
    """

    rules: FairnessRules
    sizes: dict[str, int]
    rates: tuple[GroupRate, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[MetricFinding, ...]
    cautions: tuple[str, ...] = ()

    @property
    def judgement(self) -> Judgement:
        """The worst judgement of all metrics."""
        return worst([each.judgement for each in self.findings])

    @property
    def wording(self) -> str:
        """One sentence a metric."""
        return " ".join(each.wording for each in self.findings)

    def rates_of(self, measure: str) -> dict[str, float | None]:
        """Return one measure by group."""
        return {each.group: each.value for each in self.rates if each.measure == measure}

    def largest(self, metric: str) -> float | None:
        """Return the largest absolute difference of a metric between two judged groups; None where there is none."""
        found = [abs(each.difference) for each in self.gaps_of(metric) if each.difference is not None]
        return max(found, default=None)

    def gaps_of(self, metric: str) -> list[Gap]:
        """Return the gaps of one metric."""
        return [each for each in self.gaps if each.measure in METRICS[metric]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, flat enough for a table."""
        rules = self.rules
        return {
            "judgement": self.judgement.value,
            "threshold": rules.threshold,
            "threshold_as": rules.limit_as if rules.threshold is not None else None,
            "alpha": rules.alpha,
            "confidence_level": rules.level,
            "correction": rules.correction,
            "min_group_size": rules.min_group_size,
            "sizes": dict(self.sizes),
            "findings": [
                {"metric": one.metric, "judgement": one.judgement.value, "wording": one.wording}
                for one in self.findings
            ],
            "groups": [
                {
                    "measure": one.measure,
                    "group": one.group,
                    "value": one.value,
                    "low": one.interval and one.interval.low,
                    "high": one.interval and one.interval.high,
                    "n": one.n,
                    "judged": one.judged,
                    "note": one.note,
                }
                for one in self.rates
            ],
            "gaps": [_gap(one) for one in self.gaps],
            **({"cautions": list(self.cautions)} if self.cautions else {}),
        }


def worst(found: Sequence[Judgement]) -> Judgement:
    """Return the worst judgement; what could not be judged counts only where nothing could, or all else is within."""
    order = (Judgement.CLEAR, Judgement.POSSIBLE, Judgement.NONE_FOUND, Judgement.NOT_JUDGED, Judgement.WITHIN)
    return min(found, key=order.index, default=Judgement.NOT_JUDGED)


def _gap(one: Gap) -> dict[str, Any]:
    return {
        "measure": one.measure,
        "pair": f"{one.treatment} minus {one.baseline}",
        "difference": one.difference,
        "low": one.interval and one.interval.low,
        "high": one.interval and one.interval.high,
        "judgement": one.judgement.value,
        "baseline": one.baseline,
        "treatment": one.treatment,
        "level": one.interval and one.interval.level,
        "ratio": one.ratio,
        "ratio_low": one.ratio_interval and one.ratio_interval.low,
        "ratio_high": one.ratio_interval and one.ratio_interval.high,
        "p": one.p,
        "p_adjusted": one.p_adjusted,
        "test": one.test,
        "note": one.note,
    }
