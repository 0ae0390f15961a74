"""One rule for the level of every interval of a run: whoever computes one asks here."""

from __future__ import annotations

from crucible.ir import StatsConfig
from crucible.stats.parameters import takes_numbers

__all__ = ["interval_level"]


@takes_numbers
def interval_level(stats: StatsConfig | None, option: float | None = None, *, alpha: float | None = None) -> float:
    """Return the level of a run's intervals: what was asked for, else 1 - alpha, else .95.

    Args:
        stats: `reliability.stats` of the document; None if it has none.
        option: The level that a stage was told; wins over the document's `confidence_level`.
        alpha: The type-I error rate that a stage was told; wins over the document's.
    """
    asked = option if option is not None else stats.confidence_level if stats else None
    if asked is not None:
        return asked
    rate = alpha if alpha is not None else stats.alpha if stats else None
    return 0.95 if rate is None else round(1.0 - rate, 12)
