"""The numbers behind a loss curve: what was recorded, its running mean, and what to keep of a long history.

Draws nothing. Thinning keeps the lowest and highest value of each part, so that no spike is lost.
"""

from __future__ import annotations

import math

from crucible.report import _reading as reading
from crucible.report import number
from crucible.report.results import Training

__all__ = [
    "Point",
    "all_losses",
    "describe",
    "envelope",
    "is_logarithmic",
    "kept_step",
    "losses",
    "mean_window",
    "running_means",
    "thin",
    "validations",
]

Point = tuple[float, float]
"""Step and loss."""

_LOG_FROM = 20.0
_MAX_POINTS = 300


def losses(model: Training) -> list[Point]:
    """Return the training losses by step."""
    return [(point.step, point.loss) for point in model.history if point.loss is not None]


def validations(model: Training) -> list[Point]:
    """Return the validation losses by step."""
    return [(point.step, point.validation_loss) for point in model.history if point.validation_loss is not None]


def all_losses(training: list[Training]) -> list[float]:
    """Return every loss of every model."""
    return [loss for model in training for _, loss in (*losses(model), *validations(model))]


def kept_step(model: Training) -> int | None:
    """Return the step of the checkpoint that was kept, if it is known."""
    return reading.whole(model.facts.get("kept_step"))


def is_logarithmic(training: list[Training]) -> bool:
    """Tell whether losses span more than a factor of 20, so that an axis from zero would hide the small ones."""
    found = all_losses(training)
    return bool(found) and min(found) > 0 and max(found) > _LOG_FROM * min(found)


def mean_window(training: list[Training]) -> int:
    """Return over how many steps the drawn line is a mean: an odd number, about a fortieth of the longest history."""
    return 2 * (max((len(losses(model)) for model in training), default=0) // 80) + 1


def running_means(points: list[Point], window: int) -> list[Point]:
    """Return the mean over `window` steps around each step, fewer at both ends."""
    half = window // 2
    parts = [points[max(0, place - half) : place + half + 1] for place in range(len(points))]
    return [
        (point[0], math.fsum(loss for _, loss in part) / len(part)) for point, part in zip(points, parts, strict=True)
    ]


def thin(points: list[Point]) -> list[Point]:
    """Return at most about 300 points, evenly chosen, the last one included."""
    return [*points[: -1 : math.ceil(len(points) / _MAX_POINTS)], points[-1]]


def envelope(points: list[Point]) -> list[Point]:
    """Return the lowest and highest point of each of at most 300 parts."""
    size = math.ceil(len(points) / _MAX_POINTS)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        kept += sorted({min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])})
    return kept


def describe(training: list[Training]) -> str:
    """Return the curves in words: where each model's loss starts and ends, and what was kept."""
    return " ".join(_described(model) for model in training if model.history)


def _described(model: Training) -> str:
    recorded = losses(model)
    text = f"{model.model}:"
    if recorded:
        (first, start), (last, end) = recorded[0], recorded[-1]
        text += f" loss {number.loss_text(start)} at step {first:g}, {number.loss_text(end)} at step {last:g}"
    if measured := validations(model):
        step, best = min(measured, key=lambda point: point[1])
        text += f"{';' if recorded else ''} lowest validation loss {number.loss_text(best)} at step {step:g}"
    kept = kept_step(model)
    return f"{text}; kept step {kept}." if kept is not None else f"{text}."
