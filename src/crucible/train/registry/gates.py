"""What a version must show before it is promoted: thresholds of metrics, and that it is no worse than what is there.

"No difference was found" passes no gate: non-inferiority is shown by a one-sided test against a margin, chosen before
the scores were seen, item by item against the version in production.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, cast

import msgspec

from crucible.errors import SpecError
from crucible.store import MetricFilter
from crucible.train.registry.direction import direction_for, known_direction

__all__ = ["GateOutcome", "GateReport", "GateResult", "Gates", "NonInferiority", "threshold"]

_LEAST: Final = (">=", ">")
_MOST: Final = ("<=", "<")


class NonInferiority(msgspec.Struct, frozen=True, kw_only=True):
    """That a version is no worse than the one in production, by a margin or more.

    Args:
        metric: By which scores, kept item by item with both versions.
        margin: How much worse would not matter, above 0, in units of the score; chosen beforehand.
        alpha: Type-I error rate of the one-sided test, between 0 and 1/2.
        direction: `max` where a higher score is better, `min` where a lower one is; None: as the metric's name says.
        failures: What an item counts as that failed: `abort` refuses, `exclude` leaves it out on both sides, `zero`
            scores it 0.

    Raises:
        SpecError: A number is out of range, or a word is unknown.
    """

    metric: str
    margin: float
    alpha: float = 0.05
    direction: Literal["min", "max"] | None = None
    failures: Literal["abort", "exclude", "zero"] = "abort"

    def __post_init__(self) -> None:
        """Refuse what no test can be made of."""
        if not (math.isfinite(self.margin) and self.margin > 0):
            raise SpecError(f"margin must be a number above 0, in units of {self.metric}; got {self.margin!r}")
        if not 0 < self.alpha < 0.5:  # a one-sided test
            raise SpecError(f"alpha must lie between 0 and 1/2, got {self.alpha!r}")
        if self.direction is not None:
            direction_for(self.metric, self.direction)
        if self.failures not in ("abort", "exclude", "zero"):
            raise SpecError(f"failures must be abort, exclude or zero, got {self.failures!r}")
        if self.failures == "zero" and direction_for(self.metric, self.direction) == "min":
            raise SpecError(f"failures: zero would make an item that failed the best there is, by {self.metric}")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is the better one."""
        return direction_for(self.metric, self.direction) == "max"


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion asks for.

    Args:
        thresholds: Conditions on metrics, such as `exact_match>=0.8` or `validation_loss<=1.2`.
        non_inferiority: Tests against the version in production.
    """

    thresholds: tuple[MetricFilter, ...] = ()
    non_inferiority: tuple[NonInferiority, ...] = ()

    @classmethod
    def of(
        cls,
        thresholds: Iterable[str | MetricFilter] | Mapping[str, float] = (),
        non_inferiority: Iterable[NonInferiority] | NonInferiority = (),
    ) -> Gates:
        """Read gates as people write them.

        Args:
            thresholds: Texts such as `exact_match>=0.8`, or the value to reach by metric, at least or at most as the
                metric's name says.
            non_inferiority: One test or several.

        Raises:
            SpecError: A text is no condition, its value no number, or it asks for the worse side of a metric.
        """
        if isinstance(thresholds, Mapping):
            wanted = cast("Mapping[str, float]", thresholds)
            thresholds = [
                f"{metric}{'>=' if direction_for(metric) == 'max' else '<='}{_plain(value)!r}"
                for metric, value in wanted.items()
            ]
        elif isinstance(thresholds, str):
            thresholds = [thresholds]
        tests = [non_inferiority] if isinstance(non_inferiority, NonInferiority) else list(non_inferiority)
        return cls(thresholds=tuple(map(threshold, thresholds)), non_inferiority=tuple(tests))

    def __bool__(self) -> bool:
        return bool(self.thresholds or self.non_inferiority)


class GateOutcome(StrEnum):
    """How a gate came out."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    """There is nothing to hold the version against; it keeps nothing from being promoted."""


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One gate, and how it came out.

    Args:
        gate: What kind of gate.
        metric: What it looked at.
        outcome: How it came out.
        wanted: What was asked for, in words.
        measured: What was found, in words.
        against: The version that it was held against, `model@version`; empty for a threshold.
        details: The test, as JSON data.
    """

    gate: Literal["threshold", "non_inferiority"]
    metric: str
    outcome: GateOutcome
    wanted: str
    measured: str
    against: str = ""
    details: dict[str, Any] = {}

    @property
    def wording(self) -> str:
        """What was measured and what was wanted, in one sentence."""
        if self.gate == "threshold":
            was = "was" if self.measured == "not measured" else "is"
            return f"{self.metric} {was} {self.measured}, wanted {self.wanted}"
        return f"{self.metric}: {self.measured}; wanted {self.wanted}"


class GateReport(msgspec.Struct, frozen=True):
    """All gates of a promotion.

    Args:
        results: One a gate, thresholds first.
    """

    results: tuple[GateResult, ...] = ()

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """The gates that were not passed."""
        return tuple(each for each in self.results if each.outcome is GateOutcome.FAILED)

    @property
    def passed(self) -> bool:
        """Whether no gate keeps the version from being promoted."""
        return not self.failed

    @property
    def words(self) -> str:
        """Every gate in a sentence, those not passed first."""
        if not self.results:
            return "no gate was asked for"
        others = [each for each in self.results if each not in self.failed]
        return "; ".join(each.wording for each in (*self.failed, *others))

    def to_list(self) -> list[dict[str, Any]]:
        """Return every gate as JSON data."""
        return msgspec.json.decode(msgspec.json.encode(self.results))


def _plain(value: float) -> float:
    """Return a number as JSON writes it, also one of NumPy; what is none is refused by `threshold`."""
    return value if isinstance(value, bool) or not isinstance(value, float) else float(value)


def threshold(text: str | MetricFilter) -> MetricFilter:
    """Read a condition on a metric, such as `exact_match>=0.8`.

    Raises:
        SpecError: It is none, its value is no finite number, or it asks for the worse side of the metric.
    """
    found = MetricFilter.parse(text) if isinstance(text, str) else text
    said = f"{found.path}{found.compare}{found.value}"
    if found.compare not in (*_LEAST, *_MOST):
        raise SpecError(f"the gate {said} must say at least (>=, >) or at most (<=, <)", code="gate")
    value = found.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SpecError(f"the gate {said} must name a finite number, got {found.value!r}", code="gate")
    better = known_direction(found.path)
    if better is not None and (better == "max") != (found.compare in _LEAST):
        word, sign = ("more", ">=") if better == "max" else ("less", "<=")
        message = f"the gate {said} asks for the worse side: {word} {found.path} is better; write {sign}"
        raise SpecError(message, code="gate")
    return found
