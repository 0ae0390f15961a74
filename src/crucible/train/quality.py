"""Quality targets: what a training is to reach, and whether it did.

A missed target does not fail a training, whose weights may still be wanted; it is in the result, in the events and in
the trace, so that nobody mistakes it for success.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from crucible.errors import TrainError
from crucible.ir import LoraConfig, did_you_mean

__all__ = ["Assessment", "QualityReport", "assess", "check_metric_names", "direction_of", "known_metrics"]

VALIDATION_METRICS: Final = ("validation_loss", "validation_perplexity", "loss", "gradient_norm")
"""What every validation reports, and early stopping may watch, beside the caller's own measures."""

RESULT_METRICS: Final = ("initial_loss", "final_loss", "loss_reduction", "steps")
"""What is known at a training's end, too."""

_SMALLER: Final = ("loss", "perplexity", "norm", "steps", "error", "error_rate", "invalid_rate")


class Assessment(msgspec.Struct, frozen=True):
    """One target, and what came of it.

    Attributes:
        metric: What is measured.
        target: What it is to reach.
        actual: What was measured; None where nothing was.
        passed: It is at least the target, or at most where `direction` is `min`; never where it is NaN or None.
        delta: `actual - target`; None where nothing was measured.
        direction: `max`: at least the target; `min`: at most.
    """

    metric: str
    target: float
    actual: float | None
    passed: bool
    delta: float | None
    direction: Literal["min", "max"]


class QualityReport(msgspec.Struct, frozen=True):
    """All targets of a training.

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

    def words(self) -> str:
        """Return what was missed by how much; `every target is met` where nothing was."""
        return "; ".join(_shortfall(each) for each in self.missed) or "every target is met"


def direction_of(metric: str) -> Literal["min", "max"]:
    """Return whether a target is the largest (`min`) or the least (`max`) value that will do.

    Smaller is better for names that end in loss, perplexity, norm, steps, error, error_rate or invalid_rate; larger for
    all others.
    """
    return "min" if any(metric == word or metric.endswith(f"_{word}") for word in _SMALLER) else "max"


def known_metrics(config: LoraConfig, measures: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the metrics that this training reports at its end, in order.

    Args:
        config: Without held-out items there is no validation, and without cross-entropy no perplexity.
        measures: Names of the caller's own.
    """
    if config.validation_fraction == 0:
        return RESULT_METRICS
    has_perplexity = config.loss == "cross_entropy"
    reported = [name for name in VALIDATION_METRICS if has_perplexity or name != "validation_perplexity"]
    return (*reported, *measures, *RESULT_METRICS)


def check_metric_names(config: LoraConfig, measures: Iterable[str] = ()) -> None:
    """Refuse targets and an early stopping that nothing could ever decide.

    Raises:
        TrainError: A metric is not reported by this training, or early stopping has no held-out items to go by.
    """
    measures = tuple(measures)
    for name in measures:
        if name in (*VALIDATION_METRICS, *RESULT_METRICS):
            raise TrainError(f'a measure may not be called "{name}": the training reports one of this name itself')
    if config.validation_fraction == 0:
        for what, asked in (("early_stopping", config.early_stopping), ("a measure", measures)):
            if asked:
                raise TrainError(f"{what} needs held-out items to go by; set validation_fraction above 0")
    known = known_metrics(config, measures)
    for name in config.quality_targets or {}:
        _check_name(name, known, "quality_targets", config)
    if config.early_stopping is not None:
        reported = [name for name in known if name not in RESULT_METRICS]
        _check_name(config.early_stopping.metric, reported, "early_stopping.metric", config)


def assess(targets: Mapping[str, float], actual: Mapping[str, float]) -> QualityReport:
    """Return whether the targets are met.

    Args:
        targets: The wanted value by metric.
        actual: What was measured; a metric that is not there is missed.
    """
    return QualityReport(tuple(_assess(name, target, actual.get(name)) for name, target in targets.items()))


def _assess(metric: str, target: float, actual: float | None) -> Assessment:
    direction = direction_of(metric)
    if actual is None or math.isnan(actual):
        return Assessment(metric, target, actual, passed=False, delta=None, direction=direction)
    passed = actual <= target if direction == "min" else actual >= target
    return Assessment(metric, target, actual, passed, actual - target, direction)


def _shortfall(missed: Assessment) -> str:
    wanted = "at most" if missed.direction == "min" else "at least"
    actual = "was not measured" if missed.actual is None else f"is {missed.actual:.4g}"
    return f"{missed.metric} {actual}, wanted {wanted} {missed.target:.4g}"


def _check_name(name: str, known: Iterable[str], path: str, config: LoraConfig) -> None:
    known = tuple(known)
    if name in known:
        return
    if name in VALIDATION_METRICS and config.validation_fraction == 0:
        raise TrainError(f'{path} names "{name}", which needs held-out items; set validation_fraction above 0')
    raise TrainError(
        f'{path} names "{name}", which this training does not report{did_you_mean(name, known)}; '
        f"it reports: {', '.join(known)}"
    )
