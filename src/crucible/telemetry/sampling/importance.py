"""The slowest and the dearest events always, and few of the others."""

from __future__ import annotations

import math
from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.sampling.draws import Draws
from crucible.telemetry.sampling.latest import LatestValues
from crucible.telemetry.sampling.reading import figure
from crucible.telemetry.sampling.settings import ImportanceSettings
from crucible.telemetry.sampling.verdict import DROPPED, KEPT, Verdict, weighted

__all__ = ["ImportanceSampler"]

_MOST_NAMES = 1_000  # with values of their own; later names share theirs


class ImportanceSampler:
    """Keeps slow and dear events always, and the others with a probability.

    An event is slow or dear if its latency or its cost lies above the `quantile` of the latest `window` values of
    events of its name, kept or not, once there are `min_samples` of them; it is dear from `min_cost_usd` on, too.

    Args:
        rate: Probability of the other events.
        quantile: Above 0 and below 1; 0.99 keeps about the slowest and the dearest hundredth.
        window: Values of a name that count, at least 10.
        min_samples: Values of a name before any event of it counts as slow or dear.
        min_cost_usd: Cost from which an event is always kept; None: no such cost.
        seed: The same seed keeps the same of the same events.

    Raises:
        SpecErrors: A value is out of range.

    Source:
        Weights are those of Horvitz and Thompson (1952), Journal of the American Statistical Association 47:663-685.
    """

    __slots__ = ("_costs", "_draws", "_latencies", "_limit", "_quantile", "_rate", "settings")

    def __init__(
        self,
        rate: float = 0.1,
        quantile: float = 0.99,
        window: int = 1000,
        min_samples: int = 100,
        min_cost_usd: float | None = None,
        seed: int = 0,
    ) -> None:
        self.settings = settings = ImportanceSettings(
            rate=rate,
            quantile=quantile,
            window=window,
            min_samples=min_samples,
            min_cost_usd=min_cost_usd,
            seed=seed,
        )
        self._draws = Draws(seed)
        self._rate, self._quantile = settings.rate, settings.quantile
        self._limit = math.inf if settings.min_cost_usd is None else settings.min_cost_usd
        self._latencies: dict[str, LatestValues] = {}
        self._costs: dict[str, LatestValues] = {}

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept, and learn its latency and its cost."""
        latency, cost = figure(record, "latency_ms"), figure(record, "cost_usd")
        is_slow = latency is not None and self._is_high(self._latencies, record.name, latency)
        is_dear = cost is not None and (self._is_high(self._costs, record.name, cost) or cost >= self._limit)
        if is_slow or is_dear:
            return KEPT
        return weighted(record, self._rate) if self._draws.of(record) < self._rate else DROPPED

    def _is_high(self, values: dict[str, LatestValues], name: str, value: float) -> bool:
        latest = values.get(name)
        if latest is None:
            shared = "" if len(values) >= _MOST_NAMES else name
            latest = values.setdefault(shared, LatestValues(self.settings.window))
        is_high = len(latest) >= self.settings.min_samples and value > latest.quantile(self._quantile)
        latest.add(value)
        return is_high

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, which `sampler_from` reads."""
        return {"type": "importance", **self.settings.model_dump()}
