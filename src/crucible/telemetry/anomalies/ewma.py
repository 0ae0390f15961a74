"""EWMA: distance from an exponentially weighted mean, in exponentially weighted standard deviations.

For sudden changes in a level that may drift slowly: after a lasting change it is flagged for a few values, then taken
for the new level. A value that is flagged is learned from like any other, so one spike hides smaller ones for about
1 / smoothing values after it.
"""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import noise
from crucible.telemetry.anomalies.window import MomentWindow

__all__ = ["Ewma"]


class Ewma(Method):
    """Flags |x - mean| > threshold * sqrt(variance), then learns from x.

    variance = smoothing * (x - mean)² + (1 - smoothing) * variance, with the mean before x; and
    mean = smoothing * x + (1 - smoothing) * mean. They begin as mean and variance of the first `min_samples` values,
    none of which is flagged. A standard deviation below 1e-12 of the values' size counts as that much, so that a
    constant flags nothing and the first change of a constant is flagged, with a very large score.

    Source:
        Roberts (1959), Technometrics 1(3):239-250; the variance as in MacGregor and Harris (1993), J. Quality
        Technology 25(2):106-118.
    """

    name: ClassVar[str] = "ewma"

    threshold: float = Field(default=4.0, gt=0, description="k: standard deviations beyond which a value is flagged.")
    smoothing: float = Field(default=0.05, gt=0, lt=1, description="Lambda: weight of the newest value.")
    min_samples: int = Field(default=30, ge=2, description="Finite values before the first one that can be flagged.")

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)


class _Stream:
    __slots__ = ("_least", "_mean", "_smoothing", "_threshold", "_variance", "_warming")

    def __init__(self, options: Ewma) -> None:
        self._threshold = options.threshold
        self._smoothing = options.smoothing
        self._warming: MomentWindow | None = MomentWindow(options.min_samples)
        self._least = options.min_samples
        self._mean = self._variance = 0.0

    def update(self, value: float) -> Finding | None:
        if self._warming is not None:
            return self._warm(self._warming, value)
        mean = self._mean
        change = value - mean
        sigma = max(math.sqrt(self._variance), noise(mean, value))
        self._mean = mean + self._smoothing * change
        self._variance += self._smoothing * (change * change - self._variance)
        reach = self._threshold * sigma
        if -reach <= change <= reach:
            return None
        return Finding(abs(change) / sigma, mean - reach, mean + reach, change > 0)

    def _warm(self, warming: MomentWindow, value: float) -> None:
        warming.add(value)
        if len(warming) == self._least:
            self._mean, self._variance = warming.mean, warming.sigma**2
            self._warming = None

    def skip(self) -> None:
        pass
