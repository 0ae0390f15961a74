"""z-score: distance from the mean in standard deviations.

Masking: outliers raise the mean and the standard deviation that they are measured by. One among n values cannot score
more than (n - 1) / sqrt(n), so among ten or fewer nothing is ever beyond 3, and a few large ones hide each other. That
is why it is no default; `modified_z` and `iqr` do not suffer from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import noise
from crucible.telemetry.anomalies.window import MomentWindow, sigma_of

__all__ = ["ZScore"]


class ZScore(Method):
    """Flags |value - mean| / sigma > threshold, with sigma over n - 1.

    `detect` measures each value by all values of the sequence; a detector by the last `window`, the value itself
    among them. A constant has no sigma, and nothing in it is flagged.
    """

    name: ClassVar[str] = "z_score"
    is_causal: ClassVar[bool] = False

    threshold: float = Field(default=3.0, gt=0, description="Standard deviations beyond which a value is flagged.")
    min_samples: int = Field(default=20, ge=3, description="Finite values before the first one that can be flagged.")
    window: int = Field(default=256, ge=3, description="Values that a detector looks back on.")

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)

    def _among(self, values: list[float]) -> Iterator[tuple[int, Finding]]:
        if len(values) < self.min_samples:
            return
        mean, sigma = sigma_of(values)
        low, high = _range(mean, sigma, self.threshold)
        for index, value in enumerate(values):
            if not low <= value <= high:
                yield index, _finding(value, mean, sigma, low, high)


class _Stream:
    __slots__ = ("_least", "_threshold", "_window")

    def __init__(self, options: ZScore) -> None:
        self._least = min(options.min_samples, options.window)
        self._threshold = options.threshold
        self._window = MomentWindow(options.window)

    def update(self, value: float) -> Finding | None:
        window = self._window
        window.add(value)
        if len(window) < self._least:
            return None
        mean, sigma = window.mean, window.sigma
        low, high = _range(mean, sigma, self._threshold)
        return None if low <= value <= high else _finding(value, mean, sigma, low, high)

    def skip(self) -> None:
        pass


def _range(mean: float, sigma: float, threshold: float) -> tuple[float, float]:
    reach = threshold * max(sigma, noise(mean))
    return mean - reach, mean + reach


def _finding(value: float, mean: float, sigma: float, low: float, high: float) -> Finding:
    return Finding(abs(value - mean) / max(sigma, noise(mean)), low, high, value > mean)
