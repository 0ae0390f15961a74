"""What planning answers: one of n, effect, power, alpha and margin, from the others, with the sentence that says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from crucible.ir import Interval
from crucible.stats.plain_data import plain
from crucible.stats.wording import decimals_for, show_number, show_percent, show_power

__all__ = ["Planned", "Solved"]

Solved: TypeAlias = Literal["n", "effect", "power", "alpha", "margin"]
"""What was solved for."""

_DIRECTION = {"two_sided": "two-sided", "greater": "one-sided, greater", "less": "one-sided, less"}


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """How many items find how large an effect, and how often.

    Args:
        design: Name of the design, such as `paired`.
        solved: Which of the fields below was solved for; the others were given.
        n: Pairs, items, or scores of the baseline (for groups: of each); `counts` says of what.
        counts: How many of what, by name, such as `baseline` and `treatment`.
        total: All observations or pairs together.
        effect: True effect, treatment minus baseline; `effect_name` says in which unit.
        effect_name: Unit of `effect` in words.
        power: Probability that the test finds it with these numbers, 0 to 1.
        target: Power that was asked for; None where power was solved for.
        alpha: Type-I error rate of the test.
        alternative: `two_sided`, `greater` or `less`; for a margin, what is to be shown.
        margin: Margin of an equivalence or non-inferiority design; None for any other.
        interval: Monte Carlo interval of `power` where it was simulated; None where it was computed.
        method: The test, and how its power was computed, in words.
        assumptions: What has to hold for the answer to be right.
        versions: Versions of the packages that computed it.
    """

    design: str
    solved: Solved
    n: int
    counts: dict[str, int]
    total: int
    effect: float
    effect_name: str
    power: float
    alpha: float
    alternative: str
    method: str
    assumptions: tuple[str, ...]
    versions: dict[str, str]
    target: float | None = None
    margin: float | None = None
    interval: Interval | None = None

    @property
    def wording(self) -> str:
        """The answer in one sentence."""
        size, test = self._counted(), f"{self._side()}, alpha = {self.alpha:.4g}"
        target = show_percent(round(self.target or 0.0, 4))
        reached = show_power(self.power) if self.interval is None else show_percent(round(self.power, 4))
        if self.solved == "n":
            return f"{size} are needed to {self._aim()} with {target} power ({test}); they have {reached}."
        if self.solved == "effect":
            return f"With {size}, the smallest effect found with {target} power is {self._effect()} ({test})."
        if self.solved == "margin":
            return (
                f"With {size}, the smallest margin with {target} power to {self._aim()} is {self.margin:.4g} ({test})."
            )
        if self.solved == "alpha":
            taken = f"an alpha of {self.alpha:.4g} ({self._side()})"
            return f"With {size}, to {self._aim()} with {target} power takes {taken}."
        return f"With {size}, the power to {self._aim()} is {reached} ({test}{self._simulated()})."

    def _counted(self) -> str:
        counts = self.counts
        if list(counts) == ["baseline", "treatment"]:
            return f"{counts['baseline']} baseline and {counts['treatment']} treatment scores"
        if "scores_in_each" in counts:
            return f"{counts['groups']} groups of {counts['scores_in_each']} scores"
        if "repeats_of_each" in counts:
            return f"{counts['items']} items of {counts['repeats_of_each']} repeats"
        return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())

    def _side(self) -> str:
        if self.design == "anova":
            return "F-test"
        if self.margin is None:
            return _DIRECTION.get(self.alternative, self.alternative)
        return "each of two one-sided tests" if self.alternative == "equivalence" else "one-sided"

    def _effect(self) -> str:
        return f"{show_number(self.effect, decimals_for(self.effect), signed=True)} {self.effect_name}"

    def _aim(self) -> str:
        if not self.effect_name:
            return "find what is in the drawn data"
        if self.margin is None:
            return f"find an effect of {self._effect()}"
        if self.solved == "margin":
            shown = self.alternative.replace("_", "-")
        else:
            by = "within ±" if self.alternative == "equivalence" else "by a margin of "
            shown = f"{self.alternative.replace('_', '-')} {by}{self.margin:.4g}"
        truth = "no true difference" if self.effect == 0.0 else f"a true difference of {self._effect()}"
        return f"show {shown}, given {truth},"

    def _simulated(self) -> str:
        if self.interval is None:
            return ""
        low, high = (show_percent(round(end, 4)) for end in (self.interval.low, self.interval.high))
        return f", {show_percent(self.interval.level)} Monte Carlo interval {low} to {high}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, `wording` included."""
        return {**plain(self), "wording": self.wording}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Planned:
        """Read what `to_dict` returned; keys that are not fields are ignored.

        Raises:
            msgspec.ValidationError: `data` is not an answer of planning.
        """
        return msgspec.convert(dict(data), type=cls)
