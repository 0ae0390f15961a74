"""Whether a condition holds for the next value of one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import isfinite, isnan

from crucible.telemetry.alerts.condition import Condition
from crucible.telemetry.anomalies import At

__all__ = ["Judge", "judge_of"]

Judge = Callable[[float, At], bool | None]
"""Says whether the condition holds; None where the value says nothing either way."""


def judge_of(condition: Condition) -> Judge:
    """Return what judges one stream's values by a condition; its memory is bounded.

    Args:
        condition: Any but `absent_for_s` and `error_rate_above`, which are not about one value.
    """
    if condition.non_finite:
        return lambda value, _: not isfinite(value)
    if (above := condition.above) is not None:
        return lambda value, _: None if isnan(value) else value > above
    if (below := condition.below) is not None:
        return lambda value, _: None if isnan(value) else value < below
    if condition.anomaly is not None:
        detector = condition.method().detector()
        return lambda value, at: detector.update(value, at) is not None if isfinite(value) else None
    steps = condition.over.steps if condition.over and condition.over.steps else 1
    if condition.increases_by_frac is not None:
        return _Change(condition.increases_by_frac, steps, 1)
    return _Change(condition.decreases_by_frac or 0.0, steps, -1)


class _Change:
    """Compares a value with the one so many steps ago; holds one value a step of that stretch.

    A step that comes again replaces what it was. A step that goes back, as after a resume from a checkpoint, forgets
    the later ones.
    """

    __slots__ = ("_frac", "_history", "_sign", "_steps")

    def __init__(self, frac: float, steps: int, sign: int) -> None:
        self._frac = frac
        self._steps = steps
        self._sign = sign
        self._history: deque[tuple[int, float]] = deque()

    def __call__(self, value: float, at: At) -> bool | None:
        if not isfinite(value):
            return None
        history = self._history
        step = at.step if at.step is not None else history[-1][0] + 1 if history else 0
        while history and history[-1][0] >= step:
            history.pop()
        history.append((step, value))
        while len(history) > 1 and history[1][0] <= step - self._steps:
            history.popleft()
        before_step, before = history[0]
        if before_step > step - self._steps:
            return None  # nothing is that long ago
        return self._sign * (value - before) > self._frac * abs(before)
