"""How long calls took, counted in steps, so that millions of them take no memory."""

from collections.abc import Sequence
from typing import Any

_FINE_NS, _FINE = 64, 16_384  # calls of up to 1 ms are counted in steps of 64 ns, longer ones in steps of 1 ms


class Durations:
    """How long calls took, counted: millions of them in 128 kB.

    `add` may be called by one thread only.
    """

    def __init__(self) -> None:
        self.fine = [0] * _FINE
        self.coarse: dict[int, int] = {}  # ms: calls
        self.worst_ns = 0

    def add(self, taken_ns: int) -> None:
        """Count one call."""
        step = taken_ns // _FINE_NS
        if step < _FINE:
            self.fine[step] += 1
        else:
            self.coarse[taken_ns // 1_000_000] = self.coarse.get(taken_ns // 1_000_000, 0) + 1
        self.worst_ns = max(self.worst_ns, taken_ns)

    def told(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        steps = {str((index + 1) * _FINE_NS): count for index, count in enumerate(self.fine) if count}
        steps |= {str((ms + 1) * 1_000_000): count for ms, count in self.coarse.items()}
        return {"steps": steps, "worst_ns": self.worst_ns}


def percentile_ns(told: Sequence[dict[str, Any]], share: float) -> float:
    """Return a percentile of what several `Durations.told`, as the upper end of its step."""
    steps: dict[int, int] = {}
    for each in told:
        for end, count in each["steps"].items():
            steps[int(end)] = steps.get(int(end), 0) + count
    left = sum(steps.values()) * share
    for end, count in sorted(steps.items()):
        left -= count
        if left <= 0:
            return float(end)
    return 0.0
