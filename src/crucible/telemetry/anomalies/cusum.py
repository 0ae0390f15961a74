"""CUSUM: small shifts that last, added up until there is no doubt.

For changes of level, not for single spikes: what one value can add is limited (`clip`), so that no spike alone is
beyond the default threshold. A slow drift and a ramp are changes of level, and are flagged again and again.
"""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from crucible.telemetry.anomalies.method import Finding, Method
from crucible.telemetry.anomalies.spread import median, noise, robust_sigma

__all__ = ["Cusum"]


class Cusum(Method):
    """Flags when the sum of z - allowance above 0, or of -z - allowance, exceeds the threshold.

    z is the distance from the baseline in its standard deviations, at most `clip` either way. The baseline, median and
    robust standard deviation, is of the first `min_samples` values; after a change is flagged, of the next ones: so
    one lasting change is flagged once, and nothing in the `min_samples` values after it. A standard deviation below
    1e-12 of the values' size counts as that much: a constant flags nothing, a lasting change of a constant is flagged
    at its third value.

    The baseline is an estimate: now and then one of few values is so far off that a change is flagged which there is
    not. More `min_samples` make that rarer, and the time after a change in which nothing is seen longer.

    Source:
        Page (1954), Biometrika 41:100-115; the limit as in Lucas and Crosier (1982), Communications in Statistics
        11(23):2669-2687.
    """

    name: ClassVar[str] = "cusum"

    threshold: float = Field(default=8.0, gt=0, description="h: sum beyond which a change is flagged, in sigma.")
    allowance: float = Field(default=0.75, ge=0, description="k: half of the smallest shift that matters, in sigma.")
    clip: float = Field(default=4.0, gt=0, description="The most sigma that one value counts for.")
    min_samples: int = Field(default=50, ge=5, description="Finite values of the baseline.")

    @model_validator(mode="after")
    def _can_alarm(self) -> Self:
        if self.clip <= self.allowance:
            raise ValueError(
                f"clip must be above allowance ({self.allowance:g}), or nothing adds up; got {self.clip:g}"
            )
        return self

    def scorer(self) -> _Stream:
        """Return what looks at a stream."""
        return _Stream(self)


class _Stream:
    __slots__ = ("_baseline", "_centre", "_down", "_down_run", "_options", "_sigma", "_up", "_up_run")

    def __init__(self, options: Cusum) -> None:
        self._options = options
        self._begin()

    def _begin(self) -> None:
        self._baseline: list[float] | None = []
        self._centre = self._sigma = 0.0
        self._up = self._down = 0.0
        self._up_run = self._down_run = 0  # values since the sum was 0

    def update(self, value: float) -> Finding | None:
        if self._baseline is not None:
            return self._learn(self._baseline, value)
        options, centre = self._options, self._centre
        sigma = max(self._sigma, noise(centre, value))
        z = max(-options.clip, min(options.clip, (value - centre) / sigma))
        self._up = max(0.0, self._up + z - options.allowance)
        self._down = max(0.0, self._down - z - options.allowance)
        self._up_run = self._up_run + 1 if self._up > 0 else 0
        self._down_run = self._down_run + 1 if self._down > 0 else 0
        if self._up <= options.threshold and self._down <= options.threshold:
            return None
        is_up = self._up > options.threshold
        score, run = (self._up, self._up_run) if is_up else (self._down, self._down_run)
        reach = options.allowance * sigma
        self._begin()
        return Finding(score, centre - reach, centre + reach, is_up, run - 1)

    def _learn(self, baseline: list[float], value: float) -> None:
        baseline.append(value)
        if len(baseline) == self._options.min_samples:
            baseline.sort()
            self._centre = median(baseline)
            self._sigma = robust_sigma(baseline, self._centre)
            self._baseline = None

    def skip(self) -> None:
        pass
