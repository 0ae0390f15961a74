"""Tukey's fences: more than 1.5 interquartile ranges outside of the quartiles. A default.

Up to a quarter of the values may be outliers on either side before the fences move. It takes no shape for granted, and
so flags about 0.7 % of a normal sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import median, noise, quantile, robust_sigma
from crucible.telemetry.anomalies.window import SortedWindow

__all__ = ["Iqr"]

_NORMAL_RANGE = 1.349  # interquartile range of a normal distribution, in standard deviations


class Iqr(Method):
    """Flags values below Q1 - threshold * IQR or above Q3 + threshold * IQR; the score is the distance in IQRs.

    `detect` takes the quartiles of the whole sequence; a detector of the last `window`, the value itself among them.
    Where the quartiles are equal, the range that a normal sample of the same mean absolute deviation has takes the
    place of IQR: a constant flags nothing, and one jump in a long constant is flagged.

    Source:
        Tukey (1977), Exploratory Data Analysis, Addison-Wesley.
    """

    name: ClassVar[str] = "iqr"
    is_causal: ClassVar[bool] = False

    threshold: float = Field(default=1.5, gt=0, description="Interquartile ranges outside of the quartiles.")
    min_samples: int = Field(default=20, ge=4, description="Finite values before the first one that can be flagged.")
    window: int = Field(default=256, ge=4, description="Values that a detector looks back on.")

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)

    def _among(self, values: list[float]) -> Iterator[tuple[int, Finding]]:
        if len(values) < self.min_samples:
            return
        lower, upper, spread = _quartiles(sorted(values))
        low, high = lower - self.threshold * spread, upper + self.threshold * spread
        for index, value in enumerate(values):
            if not low <= value <= high:
                yield index, _finding(value, lower, upper, spread, self.threshold)


class _Stream:
    __slots__ = ("_least", "_threshold", "_window")

    def __init__(self, options: Iqr) -> None:
        self._least = min(options.min_samples, options.window)
        self._threshold = options.threshold
        self._window = SortedWindow(options.window)

    def update(self, value: float) -> Finding | None:
        window = self._window
        window.add(value)
        ordered = window.ordered
        if len(ordered) < self._least:
            return None
        lower, upper, spread = _quartiles(ordered)
        reach = self._threshold * spread
        return (
            None if lower - reach <= value <= upper + reach else _finding(value, lower, upper, spread, self._threshold)
        )

    def skip(self) -> None:
        pass


def _quartiles(ordered: list[float]) -> tuple[float, float, float]:
    """Return lower and upper quartile, and the range between them or what takes its place."""
    lower, upper = quantile(ordered, 0.25), quantile(ordered, 0.75)
    spread, least = upper - lower, noise(lower, upper)
    if spread <= least:
        spread = max(_NORMAL_RANGE * robust_sigma(ordered, median(ordered)), least)
    return lower, upper, spread


def _finding(value: float, lower: float, upper: float, spread: float, threshold: float) -> Finding:
    distance = value - upper if value > upper else lower - value
    return Finding(distance / spread, lower - threshold * spread, upper + threshold * spread, value > upper)
