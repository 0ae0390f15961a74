"""One condition by itself: its mean with counts and an interval that fits how it was measured."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.conditions.clustered_contrast import cluster_robust_mean
from crucible.stats.conditions.design import Design
from crucible.stats.conditions.observations import Condition, Counts
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.mean import mean_interval
from crucible.stats.intervals.proportion import wilson
from crucible.stats.plain_data import plain
from crucible.stats.sample import is_binary
from crucible.stats.significance.tdist import critical_t

__all__ = ["ConditionMean", "condition_mean"]


class ConditionMean(msgspec.Struct, frozen=True):
    """One condition by itself.

    Args:
        label: What it is called.
        mean: Mean over items, each with the mean of its repeats.
        interval: Of the mean: Wilson's for shares, cluster-robust t for items in clusters, else Student's t; None where
            none can be had.
        n: Items that the mean stands on.
        counts: What became of the measurements.
    """

    label: str
    mean: float
    interval: Interval | None
    n: int
    counts: Counts

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, the counts beside the rest."""
        fields = plain(self)
        counts = fields.pop("counts")
        return {**fields, **{name: counts[name] for name in ("attempted", "scored", "failed", "skipped")}}


@needs_stats
def condition_mean(condition: Condition, design: Design) -> ConditionMean:
    """Return the mean of a condition.

    Args:
        condition: What was measured.
        design: What a failed measurement counts as, and the level of the interval.

    Raises:
        TooFewSamples: Nothing was scored.
        StatsError: A measurement failed under `abort`.
    """
    import numpy as np

    means = condition.item_means(design.failures)
    if not means:
        raise TooFewSamples(f"{condition.label}: none of {condition.counts.items} items has a score")
    values = np.array(list(means.values()))  # (n,)
    interval = _interval(condition, means, design.interval_level)
    return ConditionMean(condition.label, float(values.mean()), interval, len(values), condition.counts)


def _interval(condition: Condition, means: dict[str, float], level: float) -> Interval | None:
    import numpy as np

    values, clusters = np.array(list(means.values())), condition.clusters
    try:
        if clusters:
            found = cluster_robust_mean(values, [clusters[item] for item in means])
            if found.error == 0.0:
                return None
            width = critical_t(found.df, level) * found.error
            return Interval(found.mean - width, found.mean + width, level, "cluster-robust t (CR2)")
        if condition.is_share and not condition.has_repeats and is_binary(values):
            return wilson(int(values.sum()), len(values), level=level)
        return mean_interval(values, level)
    except (TooFewSamples, DegenerateSample):
        return None
    except StatsError as error:
        raise type(error)(f"{condition.label}: {error}") from error
