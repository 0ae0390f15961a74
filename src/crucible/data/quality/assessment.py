"""Targets against what was measured: met or missed by how much, and what that asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from crucible.data.quality.direction import Direction, direction_of
from crucible.data.quality.measured import Measured
from crucible.ir import Interval

__all__ = ["Assessment", "QualityReport", "assess"]


class Assessment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One target, and what came of it.

    Attributes:
        metric: What is measured.
        target: What it is to reach.
        actual: What was measured; None where nothing was.
        passed: It is at least the target, or at most where `direction` is `min`; never where it is NaN or None.
        delta: `actual - target`; None where nothing was measured, and of NaN.
        direction: `max`: at least the target; `min`: at most.
        interval: Of what was measured, where there is one.
    """

    metric: str
    target: float
    actual: float | None
    passed: bool
    delta: float | None
    direction: Direction
    interval: Interval | None = None

    @property
    def is_clear(self) -> bool | None:
        """Whether the target lies outside of the interval, so that more items would hardly change the verdict.

        None without an interval.
        """
        return None if self.interval is None else not self.interval.low <= self.target <= self.interval.high

    @property
    def recommendation(self) -> str | None:
        """What a missed target asks for, in a sentence; None of one that is met."""
        if self.passed:
            return None
        bound = f"{'at most' if self.direction == 'min' else 'at least'} {self.target:.4g}"
        if self.actual is None:
            return f"Measure {self.metric}: it is to be {bound}, and nothing measured it."
        if self.delta is None:
            return f"Find out why {self.metric} is no number (NaN): it is to be {bound}."
        verb = "Lower" if self.direction == "min" else "Raise"
        said = f"{verb} {self.metric} by {abs(self.delta):.3g}: it is {self.actual:.4g} and is to be {bound}"
        if self.interval is None or self.is_clear:
            return f"{said}."
        low, high, level = self.interval.low, self.interval.high, self.interval.level
        return (
            f"{said}; the {level:.0%} interval, {low:.4g} to {high:.4g}, holds the target, so more items may show that "
            "it is met already."
        )


class QualityReport(msgspec.Struct, frozen=True):
    """All targets of a training or an evaluation.

    Attributes:
        assessments: One a target, in the order of the configuration.
    """

    assessments: tuple[Assessment, ...]

    @property
    def passed(self) -> bool:
        """Whether every target is met."""
        return all(each.passed for each in self.assessments)

    @property
    def missed(self) -> tuple[Assessment, ...]:
        """The targets that are not met."""
        return tuple(each for each in self.assessments if not each.passed)

    @property
    def summary(self) -> str:
        """How many are met: `2/3 quality targets met`."""
        met = sum(each.passed for each in self.assessments)
        return f"{met}/{len(self.assessments)} quality targets met"

    @property
    def recommendations(self) -> tuple[str, ...]:
        """What the missed targets ask for, a sentence each; the furthest from its target first.

        The distance is the difference over the target's size, or the difference itself where the target is 0.
        """
        ranked = sorted(self.missed, key=_distance, reverse=True)
        return tuple(words for each in ranked if (words := each.recommendation) is not None)

    def words(self) -> str:
        """Return what was missed by how much; `every target is met` where nothing was."""
        return "; ".join(_shortfall(each) for each in self.missed) or "every target is met"


def assess(targets: Mapping[str, float], actual: Mapping[str, float | Measured]) -> QualityReport:
    """Return whether the targets are met.

    Args:
        targets: The wanted value by metric.
        actual: What was measured; a metric that is not there is missed.
    """
    return QualityReport(tuple(_assess(name, target, actual.get(name)) for name, target in targets.items()))


def _assess(metric: str, target: float, found: float | Measured | None) -> Assessment:
    direction = direction_of(metric)
    actual, interval = (found.value, found.interval) if isinstance(found, Measured) else (found, None)
    if actual is None or math.isnan(actual):
        return Assessment(metric, target, actual, passed=False, delta=None, direction=direction)
    passed = actual <= target if direction == "min" else actual >= target
    return Assessment(metric, target, actual, passed, actual - target, direction, interval)


def _distance(missed: Assessment) -> float:
    if missed.delta is None:
        return math.inf
    return abs(missed.delta) / (abs(missed.target) or 1.0)


def _shortfall(missed: Assessment) -> str:
    wanted = "at most" if missed.direction == "min" else "at least"
    actual = "was not measured" if missed.actual is None else f"is {missed.actual:.4g}"
    return f"{missed.metric} {actual}, wanted {wanted} {missed.target:.4g}"
