"""An ablation: what each part of a system contributes, by taking one at a time away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.stats.conditions.design import Design
from crucible.stats.conditions.observations import Condition
from crucible.stats.rendering.notebook import shown_in_notebooks
from crucible.stats.rendering.several import corrected_together
from crucible.stats.result import TestResult, Verdict
from crucible.stats.studies.compared import compared

__all__ = ["Ablation", "ablation"]

_INTERACTIONS = (
    "each part was taken away by itself: what parts do together, or in place of each other, is not in these numbers"
)


@shown_in_notebooks
class Ablation(msgspec.Struct, frozen=True):
    """What an ablation found.

    Args:
        full: What the whole system is called.
        parts: Names of the parts, by contribution, the most useful first.
        contributions: In the same order, the full system (treatment) against the system without the part (baseline), so
            that the difference is what the part contributes.
        higher_is_better: Whether a higher score is the better one.
    """

    full: str
    parts: tuple[str, ...]
    contributions: tuple[TestResult, ...]
    higher_is_better: bool = True

    @property
    def found(self) -> tuple[str, ...]:
        """Parts that make the system better, as far as was found."""
        return tuple(part for part, one in self._pairs if self._helps(one) is True)

    @property
    def harmful(self) -> tuple[str, ...]:
        """Parts without which the system is better, as far as was found."""
        return tuple(part for part, one in self._pairs if self._helps(one) is False)

    @property
    def wording(self) -> str:
        """What was found of all parts, then each comparison, a sentence each."""
        metric = self.contributions[0].metric
        unknown = [part for part, one in self._pairs if one.verdict is not Verdict.DIFFERENCE]
        unclear = [part for part in self.parts if part not in (*self.found, *self.harmful, *unknown)]
        told = [f"{len(self.found)} of {len(self.parts)} parts were found to help {self.full} in {metric}"]
        told[0] += f": {', '.join(self.found)}" if self.found else ""
        if self.harmful:
            told.append(f"better without: {', '.join(self.harmful)}")
        if unclear:
            told.append(f"makes a difference, and whether a good one was not found: {', '.join(unclear)}")
        if unknown:
            told.append(f"no difference found, which is no proof that they do nothing: {', '.join(unknown)}")
        return " ".join([f"{'; '.join(told)}; {_INTERACTIONS}.", *(one.wording for one in self.contributions)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `contributions` in the order of `parts`."""
        return {
            "study": "Ablation",
            "full": self.full,
            "parts": list(self.parts),
            "better": "higher" if self.higher_is_better else "lower",
            "contributions": [one.to_dict() for one in self.contributions],
            "wording": self.wording,
        }

    @property
    def _pairs(self) -> list[tuple[str, TestResult]]:
        return list(zip(self.parts, self.contributions, strict=True))

    def _helps(self, one: TestResult) -> bool | None:
        return (one.direction > 0) == self.higher_is_better if one.direction else None


def ablation(
    full: Condition,
    without: Mapping[str, Condition],
    *,
    higher_is_better: bool = True,
    design: Design | None = None,
) -> Ablation:
    """Compare a system with itself without each of its parts, on the same items.

    Args:
        full: The whole system.
        without: By name of the part, the system without it.
        higher_is_better: Whether a higher score is the better one.
        design: How to compare, and the correction for there being several parts; the defaults of `Design` if absent.

    Returns:
        The contributions, the most useful part first; each difference is the full system minus the one without it.

    Raises:
        StatsError: There are no parts, or a pair cannot be compared.
        TooFewSamples: Fewer than two items are left.
        DegenerateSample: Scores do not vary where the test needs it.
    """
    if not without:
        raise StatsError("an ablation needs at least one part that was taken away")
    design = design or Design()
    results = [
        compared(_named(condition, part), full, design, f"{full.label} without {part}")
        for part, condition in without.items()
    ]
    corrected = zip(without, corrected_together(results, design.correction), strict=True)
    sign = -1.0 if higher_is_better else 1.0
    parts, contributions = zip(*sorted(corrected, key=lambda pair: sign * pair[1].difference), strict=True)
    return Ablation(full.label, parts, contributions, higher_is_better)


def _named(condition: Condition, part: str) -> Condition:
    return msgspec.structs.replace(condition, label=f"without {part}")
