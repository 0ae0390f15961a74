"""One rule for the level of every interval: 1 - alpha, unless another was asked for.

So a verdict at alpha = .01 stands beside a 99 % interval, which does not contradict it.
"""

from __future__ import annotations

from crucible.ir import StatsConfig
from crucible.stats.parameters import takes_numbers
from crucible.stats.sample import check_rates

__all__ = ["interval_level", "level_of"]

_NEAREST = 1e-12  # how near to 0 and 1 a level comes that follows alpha: its tails can still be told from 0


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
    return 0.95 if rate is None else _beside(rate)


def level_of(alpha: float, level: float | None) -> float:
    """Return the level of the intervals beside a verdict at `alpha`: what was asked for, else 1 - alpha.

    Args:
        alpha: Type-I error rate of the verdict, between 0 and 1.
        level: What was asked for, between 0 and 1; None: 1 - alpha, from 1e-12 to 1 - 1e-12.

    Raises:
        StatsError: One does not lie strictly between 0 and 1.
    """
    check_rates(alpha, 0.5 if level is None else level)
    return _beside(alpha) if level is None else level


def _beside(alpha: float) -> float:
    return min(max(round(1.0 - alpha, 12), _NEAREST), 1.0 - _NEAREST)
