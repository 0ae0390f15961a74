"""Which versions fulfil conditions, and which are best by a metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from crucible.store import MetricFilter, metric_at
from crucible.store.models import StoredModelVersion
from crucible.train.registry.direction import direction_for

__all__ = ["chosen", "ranked"]


def chosen(
    versions: Iterable[StoredModelVersion], where: Iterable[str], tags: Sequence[str]
) -> list[StoredModelVersion]:
    """Return the versions that fulfil every condition and have every tag.

    Raises:
        SpecError: A condition cannot be read.
    """
    conditions = [MetricFilter.parse(text) for text in where]
    return [
        version
        for version in versions
        if set(tags) <= set(version.tags) and all(each.accepts(version.metrics) for each in conditions)
    ]


def ranked(
    versions: Sequence[StoredModelVersion], metric: str, direction: str | None, *, keep_unmeasured: bool = False
) -> list[StoredModelVersion]:
    """Return versions by a metric, the best first; of equals, the one that comes first stays first.

    Args:
        versions: By model and version.
        metric: Name of the metric.
        direction: `min` or `max`; None: as its name says.
        keep_unmeasured: Put versions without the metric last; they are left out otherwise.

    Raises:
        SpecError: Nothing says which side is better.
    """
    sign = 1.0 if direction_for(metric, direction) == "min" else -1.0
    values = [metric_at(version.metrics, metric, math.nan) for version in versions]
    keys = [sign * value if math.isfinite(value) else math.inf for value in values]
    order = sorted(range(len(versions)), key=lambda place: keys[place])
    return [versions[place] for place in order if keep_unmeasured or keys[place] != math.inf]
