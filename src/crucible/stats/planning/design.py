"""What every design of a comparison knows: its power at a size and an effect, and which effects exist at all.

A design is a frozen struct of what is assumed beside n, effect and alpha, such as the standard deviation. Solving for
the one that is missing is done elsewhere and the same way for all designs.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, TypeAlias

import msgspec

from crucible.errors import StatsError

__all__ = ["Alternative", "PowerDesign", "check_positive", "treated"]

Alternative: TypeAlias = Literal["two_sided", "greater", "less"]
"""Which effects count: any, only a treatment that scores higher, only one that scores lower."""


class PowerDesign(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison that is planned; the designs of this room derive from it.

    `name` is its word, `least_n` and `most_n` the sizes that it can answer for, `alternatives` those it knows and
    `usual_effect` the true effect where the caller names none.
    """

    name: ClassVar[str] = ""
    least_n: ClassVar[int] = 2
    most_n: ClassVar[int] = 10**9
    alternatives: ClassVar[tuple[str, ...]] = ("two_sided", "greater", "less")
    usual_effect: ClassVar[float | None] = None

    @property
    def is_stepped(self) -> bool:
        """Whether power moves in steps, as with exact tests of counts, so that one item more can lower it."""
        return False

    def power_at(self, n: float, effect: float, alpha: float, alternative: Alternative) -> float:
        """Return the power, 0 to 1.

        Args:
            n: Size, at least `least_n`; whole, except in designs that are not stepped.
            effect: True effect, in the unit of `effect_name`.
            alpha: Type-I error rate.
            alternative: One of `alternatives`.
        """
        raise NotImplementedError

    def counts(self, n: int) -> dict[str, int]:
        """Return what a size of n means, by name."""
        raise NotImplementedError

    def total(self, n: int) -> int:
        """Return all observations or pairs of a size of n together."""
        return sum(self.counts(n).values())

    @property
    def effect_name(self) -> str:
        """The unit of an effect, in words."""
        raise NotImplementedError

    def how(self, alternative: Alternative) -> str:
        """Return the test and how its power is computed, in words."""
        raise NotImplementedError

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What has to hold for the power to be right."""
        return ()

    def largest_effect(self, alternative: Alternative) -> float:
        """Return the largest effect that exists in the direction of `alternative` (rise, if two-sided); above 0."""
        del alternative
        return math.inf

    def check_effect(self, effect: float, alternative: Alternative) -> None:
        """Check that more items find the effect more surely.

        Raises:
            StatsError: The effect is 0, points away from the alternative, or cannot exist.
        """
        if effect == 0.0:
            raise StatsError(
                "an effect of 0 is no effect: no number of items finds it. Name the smallest effect that matters; to "
                'show that two do not differ by more than a margin, plan "equivalence" or "non_inferiority"'
            )
        if (alternative == "greater") != (effect > 0) and alternative != "two_sided":
            raise StatsError(f'an effect of {effect:g} is never found by a test for "{alternative}": turn one of them')
        self.check_possible(effect)

    def check_possible(self, effect: float) -> None:
        """Check that an effect can exist.

        Raises:
            StatsError: It cannot.
        """
        if not math.isfinite(effect):
            raise StatsError(f"the effect must be a finite number, got {effect!r}")


def check_positive(**values: float) -> None:
    """Check that each value is a finite number above 0.

    Raises:
        StatsError: One is not; the message names it.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0.0):
            raise StatsError(f"{name} must be a finite number above 0, got {value!r}")


def treated(n: float, ratio: float) -> float:
    """Return the treatment's size for a baseline of n: whole, rounded up, where n is whole."""
    size = n * ratio
    return float(math.ceil(size - 1e-9)) if float(n).is_integer() else size
