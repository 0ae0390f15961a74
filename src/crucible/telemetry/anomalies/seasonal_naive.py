"""Seasonal-naive: the value of one season ago is the forecast, and what it misses by is judged robustly.

For streams with a known period: hours of a day, batches of an epoch. Every place counts, also one whose value is no
number, so that seasons stay in step.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from pydantic import Field

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import median, noise, robust_sigma
from crucible.telemetry.anomalies.window import SortedWindow

__all__ = ["SeasonalNaive"]


class SeasonalNaive(Method):
    """Flags a residual, value minus value of one season ago, whose modified z among the last residuals is too large.

    A flagged value is remembered as what was expected in its place, so that it does not echo one season later; if the
    same place is flagged in the next season too, the change is taken for the new normal. The first `period` values
    have no residual, and `min_samples` counts residuals. A residual spread below 1e-12 of the values' size counts as
    that much.
    """

    name: ClassVar[str] = "seasonal_naive"

    period: int = Field(ge=1, description="Values in one season.")
    threshold: float = Field(default=3.5, gt=0, description="Modified z of the residual beyond which it is flagged.")
    min_samples: int = Field(default=20, ge=3, description="Residuals before the first one that can be flagged.")
    window: int = Field(default=256, ge=3, description="Residuals that are looked back on.")

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)


class _Stream:
    __slots__ = ("_least", "_period", "_residuals", "_season", "_threshold")

    def __init__(self, options: SeasonalNaive) -> None:
        self._least = min(options.min_samples, options.window)
        self._period = options.period
        self._threshold = options.threshold
        self._residuals = SortedWindow(options.window)
        self._season: deque[tuple[float | None, bool]] = deque()  # what was there, and whether it was flagged

    def update(self, value: float) -> Finding | None:
        season = self._season
        if len(season) < self._period:
            season.append((value, False))
            return None
        before, was_flagged = season.popleft()
        if before is None:
            season.append((value, False))
            return None
        residuals = self._residuals
        residuals.add(value - before)
        ordered = residuals.ordered
        if len(ordered) < self._least:
            season.append((value, False))
            return None
        drift = median(ordered)
        forecast = before + drift
        sigma = max(robust_sigma(ordered, drift), noise(forecast, value))
        reach = self._threshold * sigma
        miss = value - forecast
        if -reach <= miss <= reach:
            season.append((value, False))
            return None
        season.append((value if was_flagged else forecast, True))
        return Finding(abs(miss) / sigma, forecast - reach, forecast + reach, miss > 0)

    def skip(self) -> None:
        season = self._season
        season.append((None, False) if len(season) < self._period else season.popleft())
