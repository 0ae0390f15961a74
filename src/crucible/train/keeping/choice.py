"""Which checkpoint is the best, and which need not be kept. The best and the last always are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from crucible.errors import CheckpointError
from crucible.ir import did_you_mean

__all__ = ["Measured", "Mode", "best", "surplus"]

Mode = Literal["min", "max"]
"""Whether the lowest or the highest value of a metric is the best."""


class Measured(Protocol):
    """A checkpoint with what was measured of it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured with it."""
        ...


T = TypeVar("T", bound=Measured)


def best(checkpoints: Sequence[T], metric: str = "validation_loss", mode: Mode = "min") -> T:
    """Return the checkpoint with the lowest or highest value of a metric, the earliest among equals.

    Those without the metric, or where it is no finite number, do not take part.

    Args:
        checkpoints: From the oldest to the newest.
        metric: Which metric, such as `validation_loss`.
        mode: `min` or `max`.

    Raises:
        CheckpointError: There are no checkpoints, none has the metric, or the mode is neither.
    """
    if mode not in ("min", "max"):
        raise CheckpointError(f"mode must be min or max, got {mode!r}")
    if not checkpoints:
        raise CheckpointError("there are no checkpoints to choose the best of")
    sign = 1 if mode == "min" else -1
    measured = [each for each in checkpoints if math.isfinite(each.metrics.get(metric, math.nan))]
    if not measured:
        known = sorted({name for each in checkpoints for name in each.metrics})
        listed = f"the metrics are {', '.join(known)}{did_you_mean(metric, known)}" if known else "none was measured"
        raise CheckpointError(f"no checkpoint has a value of the metric {metric!r}; {listed}")
    return min(measured, key=lambda each: sign * each.metrics[metric])


def surplus(
    checkpoints: Sequence[T], keep: int, *, metric: str = "validation_loss", mode: Mode = "min"
) -> tuple[list[T], T | None]:
    """Return the checkpoints that need not be kept, and the best one, which always is, as is the last.

    Kept are the newest `keep`; where the best is not among them, it takes the place of the oldest of them.

    Args:
        checkpoints: From the oldest to the newest.
        keep: How many at most, at least 2: the best and the last may be two.
        metric: What tells which is best; where none has it, the newest `keep` are kept.
        mode: `min` or `max`.

    Raises:
        CheckpointError: `keep` is below 2.
    """
    if keep < 2:
        raise CheckpointError(f"keep must be at least 2, for the best and the last checkpoint; got {keep}")
    has_best = any(math.isfinite(each.metrics.get(metric, math.nan)) for each in checkpoints)
    chosen = best(checkpoints, metric, mode) if has_best else None
    newest = checkpoints[-keep:]
    if chosen is not None and chosen not in newest:
        newest = [chosen, *newest[1:]]
    names = {each.name for each in newest}
    return [each for each in checkpoints if each.name not in names], chosen
