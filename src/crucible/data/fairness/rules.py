"""When a gap between groups counts as a violation: a limit that the user sets, for nobody else can."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from crucible.errors import DataError

__all__ = ["FairnessRules", "Judgement", "LimitKind"]

LimitKind = Literal["difference", "ratio"]
_RATIO_FROM = 0.5  # a limit of 0.8 is the 80 % rule; as a difference of rates it would never be reached


class Judgement(StrEnum):
    """What the limit and the interval of a gap say together, from the worst to the best."""

    CLEAR = "clear_violation"
    POSSIBLE = "possible_violation"
    NONE_FOUND = "no_violation_found"
    WITHIN = "within_the_limit"
    NOT_JUDGED = "not_judged"


class FairnessRules(msgspec.Struct, frozen=True):
    """How groups are compared.

    Args:
        threshold: The limit of a gap, 0 to 1; None: gaps are reported and none is judged.
        threshold_as: `difference`: rates (or mean scores) may differ by so much. `ratio`: the smaller rate must be at
            least this share of the larger one. None: a ratio from 0.5 on, such as 0.8 for the 80 % rule, else a
            difference.
        min_group_size: Items under the fraction that a group needs to be judged; a smaller one is reported only.
        alpha: Type-I error rate of the tests of all pairs together.
        level: Level of each group's interval; those of the gaps hold at this level for all gaps together.
        correction: Name of the correction over all pairs.
        max_groups: Most groups; more are a sign that the field is no group.

    Raises:
        DataError: A number is out of range.
    """

    threshold: float | None = None
    threshold_as: LimitKind | None = None
    min_group_size: int = 10
    alpha: float = 0.05
    level: float = 0.95
    correction: str = "holm"
    max_groups: int = 50

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise DataError(f"threshold must lie between 0 and 1, got {self.threshold!r}")
        if self.min_group_size < 2:
            raise DataError(f"min_group_size must be at least 2, got {self.min_group_size}")

    @property
    def limit_as(self) -> LimitKind:
        """Whether the limit is one of a difference or of a ratio."""
        if self.threshold_as is not None:
            return self.threshold_as
        return "ratio" if self.threshold is not None and self.threshold >= _RATIO_FROM else "difference"
