"""What is compared between groups: each measure is the mean of a column, of outcomes that are 0 or 1 or of scores.

A rate with nothing under its fraction has an empty column; it is undefined, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from crucible.errors import DataError
from crucible.ir import did_you_mean

__all__ = ["BINARY_METRICS", "METRICS", "UNDER", "Subject", "columns_of", "known_metric"]


class Subject(msgspec.Struct, frozen=True, gc=False):
    """One item of one group.

    Args:
        group: The group's label.
        predicted: Whether the positive answer was given; None: no answer that can be read.
        actual: Whether the positive answer is right; None: nobody knows.
        score: What a scorer gave; None: no score.
    """

    group: str
    predicted: bool | None = None
    actual: bool | None = None
    score: float | None = None


METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "demographic_parity": ("selection_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
    "equal_opportunity": ("true_positive_rate",),
    "predictive_parity": ("positive_predictive_value",),
    "accuracy": ("accuracy",),
    "score": ("score",),
}
"""Measures of each metric; groups are treated alike by it if none of them differs."""

BINARY_METRICS: Final = tuple(name for name in METRICS if name != "score")
"""Metrics that need answers that are positive or negative."""

UNDER: Final[Mapping[str, str]] = {
    "selection_rate": "items with an answer",
    "true_positive_rate": "answered items whose right answer is positive",
    "false_positive_rate": "answered items whose right answer is negative",
    "positive_predictive_value": "items with a positive answer whose right answer is known",
    "accuracy": "answered items whose right answer is known",
    "score": "items with a score",
}
"""What stands under the fraction of each measure."""


def known_metric(name: str) -> str:
    """Return the name of a metric.

    Raises:
        DataError: There is none of that name.
    """
    if name not in METRICS:
        raise DataError(f'unknown metric "{name}"{did_you_mean(name, METRICS)}; known: {", ".join(METRICS)}')
    return name


def columns_of(measure: str, subjects: Iterable[Subject]) -> dict[str, list[float]]:
    """Return the values of a measure by group, in the order in which groups are first seen; a group's may be empty.

    Args:
        measure: One of `UNDER`.
        subjects: All items.
    """
    found: dict[str, list[float]] = {}
    for one in subjects:
        column = found.setdefault(one.group, [])
        value = _value(measure, one)
        if value is not None:
            column.append(float(value))
    return found


def _value(measure: str, one: Subject) -> float | bool | None:
    """Return an item's value of a measure; None where it is not under the fraction."""
    if measure == "score":
        return one.score
    if one.predicted is None or measure == "selection_rate":
        return one.predicted
    if one.actual is None:
        return None
    if measure == "accuracy":
        return one.predicted == one.actual
    if measure == "positive_predictive_value":
        return one.actual if one.predicted else None
    return one.predicted if one.actual is (measure == "true_positive_rate") else None
