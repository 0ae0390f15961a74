"""What became of one measurement: scored, failed or skipped.

A failure is a value, never a zero and never an exception across a batch. Runs nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Failed", "Interval", "Outcome", "Scored", "Skipped", "outcome_from_dict", "outcome_to_dict"]


class Scored(msgspec.Struct, frozen=True, tag="scored", tag_field="kind"):
    """A measurement was made.

    Args:
        value: The score, finite; 0 to 1 for accuracies.
    """

    value: float


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="kind"):
    """A measurement was tried and could not be made.

    Args:
        error: What went wrong, in one sentence.
    """

    error: str


class Skipped(msgspec.Struct, frozen=True, tag="skipped", tag_field="kind"):
    """A measurement was not tried, on purpose.

    Args:
        reason: Why, in one sentence.
    """

    reason: str


Outcome = Scored | Failed | Skipped


class Interval(msgspec.Struct, frozen=True):
    """An interval estimate; it never travels without its level and method.

    Args:
        low: Lower end, in the unit of the estimate.
        high: Upper end, at least `low`.
        level: Coverage aimed at, such as 0.95.
        method: How it was made, such as `Wilson score`.
    """

    low: float
    high: float
    level: float
    method: str


def outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON form, such as `{"kind": "scored", "value": 1.0}`."""
    return msgspec.to_builtins(outcome)


def outcome_from_dict(data: Any) -> Outcome:
    """Read the JSON form.

    Raises:
        msgspec.ValidationError: `data` is not an outcome.
    """
    return msgspec.convert(data, type=Outcome)
