"""Every event with the same probability."""

from __future__ import annotations

from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.sampling.draws import Draws
from crucible.telemetry.sampling.settings import UniformSettings
from crucible.telemetry.sampling.verdict import DROPPED, Verdict, weighted

__all__ = ["UniformSampler"]


class UniformSampler:
    """Keeps every event with the same probability, and the two ends of a span together.

    Args:
        rate: The probability, from 0 to 1.
        seed: The same seed keeps the same of the same events.

    Raises:
        SpecErrors: A value is out of range.
    """

    __slots__ = ("_draws", "_rate", "settings")

    def __init__(self, rate: float, seed: int = 0) -> None:
        self.settings = UniformSettings(rate=rate, seed=seed)
        self._rate = self.settings.rate
        self._draws = Draws(seed)

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept."""
        return weighted(record, self._rate) if self._draws.of(record) < self._rate else DROPPED

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, which `sampler_from` reads."""
        return {"type": "uniform", **self.settings.model_dump()}
