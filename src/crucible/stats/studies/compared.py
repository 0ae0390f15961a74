"""One comparison of a study, with its place named where it cannot be made."""

from __future__ import annotations

from crucible.errors import StatsError
from crucible.stats.conditions.design import Design, compare_conditions
from crucible.stats.conditions.observations import Condition
from crucible.stats.result import TestResult

__all__ = ["compared"]


def compared(baseline: Condition, treatment: Condition, design: Design, place: str) -> TestResult:
    """Compare two conditions as a design says.

    Args:
        baseline: What is compared against.
        treatment: What is compared.
        design: How; its `correction` and `all_pairs` are for the study.
        place: Which comparison of the study it is, for the message where it cannot be made.

    Raises:
        StatsError: The conditions cannot be compared; the kind of error is that of `compare_conditions`.
    """
    try:
        return compare_conditions(
            baseline,
            treatment,
            failures=design.failures,
            test=design.test,
            alpha=design.alpha,
            level=design.interval_level,
            unmatched=design.unmatched,
        )
    except StatsError as error:
        raise type(error)(f"{place}: {error}") from error
