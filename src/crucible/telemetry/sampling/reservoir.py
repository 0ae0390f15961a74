"""So many events, however many there are, each with the same probability."""

from __future__ import annotations

from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.sampling.draws import Draws
from crucible.telemetry.sampling.settings import ReservoirSettings
from crucible.telemetry.sampling.verdict import DROPPED, KEPT, Verdict

__all__ = ["ReservoirSampler"]


class ReservoirSampler:
    """Keeps exactly `size` of the events seen, or all while there are no more; each with probability `size / seen`.

    A kept event may have to go for a later one. Events are chosen one by one, so a span may be kept without its start.

    Args:
        size: Events kept, at least 1.
        seed: The same seed keeps the same of the same events.

    Raises:
        SpecErrors: A value is out of range.

    Source:
        Algorithm R of Alan Waterman, in Vitter (1985), ACM Transactions on Mathematical Software 11(1):37-57.
    """

    __slots__ = ("_draws", "_kept", "_seen", "_size", "settings")

    def __init__(self, size: int, seed: int = 0) -> None:
        self.settings = ReservoirSettings(size=size, seed=seed)
        self._size = size
        self._draws = Draws(seed)
        self._kept: list[tuple[int, str]] = []
        self._seen = 0

    @property
    def weight(self) -> float:
        """For how many events each kept one stands now; it grows, so it is not in the events' fields."""
        return max(1.0, self._seen / self._size)

    def offer(self, record: StoredEvent) -> Verdict:
        """Say whether a record is kept, and which one must go for it."""
        self._seen += 1
        key = (record.timestamp_ns, record.event_id)
        if len(self._kept) < self._size:
            self._kept.append(key)
            return KEPT
        place = int(self._draws.next() * self._seen)
        if place >= self._size:
            return DROPPED
        replaced, self._kept[place] = self._kept[place], key
        return Verdict(kept=True, replaces=replaced)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, which `sampler_from` reads."""
        return {"type": "reservoir", **self.settings.model_dump()}
