"""Precision, recall and F1 of classes: of each, their means, and of all answers together."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.ir import Interval

__all__ = ["ClassScores", "Classification", "Scores"]


class Scores(msgspec.Struct, frozen=True, omit_defaults=True):
    """Precision, recall and F1, with intervals.

    Attributes:
        precision: Share of the answers with a class that are right.
        recall: Share of the items of a class that are answered right.
        f1: 2 tp / (2 tp + fp + fn).
        precision_interval: Of the precision, where there is one.
        recall_interval: Of the recall, likewise.
        f1_interval: Of F1, likewise.
    """

    precision: float
    recall: float
    f1: float
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None
    f1_interval: Interval | None = None


class ClassScores(msgspec.Struct, frozen=True, omit_defaults=True):
    """One class.

    Attributes:
        precision: Share of the answers with this class that are right; None where no answer has it.
        recall: Share of its items that are answered right; None where it has none.
        f1: 2 tp / (2 tp + fp + fn); None where neither an item nor an answer has it.
        support: Items of the class.
        predicted: Answers with it.
        right: Answers that are both.
        precision_interval: Wilson's, given how many answers have the class.
        recall_interval: Wilson's.
        f1_interval: Percentiles of resamples of the items.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    predicted: int
    right: int
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None
    f1_interval: Interval | None = None


class Classification(msgspec.Struct, frozen=True, omit_defaults=True):
    """How well classes were told.

    Attributes:
        classes: By class, in the order of the labels.
        macro: Means over the classes that an item or an answer has; what is undefined of one counts as 0.
        micro: Of all answers together: the precision leaves out answers without a class, the recall does not.
        accuracy: Share of the items that are answered right.
        items: Items with an expected class.
        unread: Answers without a class: they are wrong, and count for the recall only.
        skipped: Items without an expected class, and those without an answer, which are counted nowhere else.
        confusion: Count of items by expected class, then by the class of the answer, `""` for none.
        accuracy_interval: Wilson's.
    """

    classes: dict[str, ClassScores]
    macro: Scores
    micro: Scores
    accuracy: float
    items: int
    unread: int
    skipped: int
    confusion: dict[str, dict[str, int]]
    accuracy_interval: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return msgspec.to_builtins(self)
