"""Few events as long as a metric is as it was, and more where it deviates."""

from __future__ import annotations

from typing import Any

from crucible.errors import SpecError, SpecErrors
from crucible.store import StoredEvent
from crucible.telemetry.sampling.draws import Draws
from crucible.telemetry.sampling.reading import figure
from crucible.telemetry.sampling.settings import AdaptiveSettings
from crucible.telemetry.sampling.verdict import DROPPED, Verdict, weighted
from crucible.telemetry.streaming import Welford

__all__ = ["AdaptiveSampler"]

_MOST_NAMES = 1_000  # with figures of their own; later names share theirs


class AdaptiveSampler:
    """Keeps ordinary events with `base_rate`, and those whose metric deviates with `anomaly_rate`.

    A value deviates if it lies more than `threshold` standard deviations from the mean of all earlier values of
    events of its name, kept or not. Until there are `min_samples` of them, and for events without the metric,
    `base_rate` holds.

    Args:
        base_rate: Probability of ordinary events.
        anomaly_rate: Probability of deviating ones, not below `base_rate`.
        metric: What is watched: `latency_ms`, `cost_usd`, or what a field, the metadata or the measurements have by
            that name.
        threshold: In standard deviations, above 0.
        min_samples: Values of a name before any of them can deviate, at least 2.
        seed: The same seed keeps the same of the same events.

    Raises:
        SpecErrors: A value is out of range, or `anomaly_rate` is below `base_rate`.
    """

    __slots__ = ("_anomaly_rate", "_base_rate", "_draws", "_figures", "_least", "_metric", "_threshold", "settings")

    def __init__(
        self,
        base_rate: float = 0.1,
        anomaly_rate: float = 1.0,
        metric: str = "latency_ms",
        threshold: float = 3.0,
        min_samples: int = 1000,
        seed: int = 0,
    ) -> None:
        self.settings = settings = AdaptiveSettings(
            base_rate=base_rate,
            anomaly_rate=anomaly_rate,
            metric=metric,
            threshold=threshold,
            min_samples=min_samples,
            seed=seed,
        )
        if settings.anomaly_rate < settings.base_rate:
            message = f"expected at least the base_rate, {settings.base_rate}, got {settings.anomaly_rate}"
            raise SpecErrors("AdaptiveSampler", [SpecError(message, path="anomaly_rate", code="range")])
        self._base_rate, self._anomaly_rate = settings.base_rate, settings.anomaly_rate
        self._metric, self._threshold, self._least = settings.metric, settings.threshold, settings.min_samples
        self._draws = Draws(seed)
        self._figures: dict[str, Welford] = {}

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept, and learn its metric."""
        value = figure(record, self._metric)
        deviates = value is not None and self._deviates(record.name, value)
        rate = self._anomaly_rate if deviates else self._base_rate
        return weighted(record, rate) if self._draws.of(record) < rate else DROPPED

    def _deviates(self, name: str, value: float) -> bool:
        figures = self._figures.get(name)
        if figures is None:
            shared = "" if len(self._figures) >= _MOST_NAMES else name
            figures = self._figures.setdefault(shared, Welford())
        deviates = False
        if figures.count >= self._least:
            mean, std = figures.mean or 0.0, figures.std or 0.0
            deviates = abs(value - mean) > self._threshold * std
        figures.add(value)
        return deviates

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, which `sampler_from` reads."""
        return {"type": "adaptive", **self.settings.model_dump()}
