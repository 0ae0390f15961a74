"""Modified z-score: distance from the median in units of the median absolute deviation. A default.

Up to half of the values may be outliers before the scale breaks down, so that outliers do not mask one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import median, noise, robust_sigma
from crucible.telemetry.anomalies.window import SortedWindow

__all__ = ["ModifiedZ"]


class ModifiedZ(Method):
    """Flags 0.6745 |value - median| / MAD > threshold.

    `detect` measures each value by all values of the sequence; a detector by the last `window`, the value itself
    among them. Where more than half of the values are equal, MAD is 0 and 1.2533 times the mean absolute deviation
    takes the place of MAD / 0.6745: a constant flags nothing, and one jump among n equal values scores n / 1.2533.

    Source:
        Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers, ASQC.
    """

    name: ClassVar[str] = "modified_z"
    is_causal: ClassVar[bool] = False

    threshold: float = Field(default=3.5, gt=0, description="Score beyond which a value is flagged.")
    min_samples: int = Field(default=20, ge=3, description="Finite values before the first one that can be flagged.")
    window: int = Field(default=256, ge=3, description="Values that a detector looks back on.")

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)

    def _among(self, values: list[float]) -> Iterator[tuple[int, Finding]]:
        if len(values) < self.min_samples:
            return
        ordered = sorted(values)
        centre = median(ordered)
        sigma = max(robust_sigma(ordered, centre), noise(centre))
        low, high = centre - self.threshold * sigma, centre + self.threshold * sigma
        for index, value in enumerate(values):
            if not low <= value <= high:
                yield index, Finding(abs(value - centre) / sigma, low, high, value > centre)


class _Stream:
    __slots__ = ("_least", "_threshold", "_window")

    def __init__(self, options: ModifiedZ) -> None:
        self._least = min(options.min_samples, options.window)
        self._threshold = options.threshold
        self._window = SortedWindow(options.window)

    def update(self, value: float) -> Finding | None:
        window = self._window
        window.add(value)
        ordered = window.ordered
        if len(ordered) < self._least:
            return None
        centre = median(ordered)
        sigma = max(robust_sigma(ordered, centre), noise(centre))
        low, high = centre - self._threshold * sigma, centre + self._threshold * sigma
        return None if low <= value <= high else Finding(abs(value - centre) / sigma, low, high, value > centre)

    def skip(self) -> None:
        pass
