"""The mean of values that come in clusters, with an honest standard error: repeats of items, items of passages.

Values of one cluster succeed and fail together; counting them as independent makes intervals too short. A second
clustering that crosses the first (the same prompts on every item) is allowed for, too. See `clustered_paired` in
`clustered_contrast` for a full test result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.conditions.clustered_contrast import cluster_robust_mean
from crucible.stats.extra import needs_stats
from crucible.stats.intervals.two_way import one_way_variance, two_way_variance
from crucible.stats.plain_data import plain
from crucible.stats.sample import Scores, check_rates, is_by_id, one_column, paired_columns
from crucible.stats.significance.tdist import critical_t, two_sided_p

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

__all__ = ["ClusterEstimate", "Clusters", "clustered_difference", "clustered_mean", "codes_of"]

Clusters: TypeAlias = Iterable[Any] | Mapping[Any, Any]
"""The cluster of each value, by position, or by id where the values are by id."""


class ClusterEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean, or a mean difference, and how sure it is.

    Args:
        mean: Of all values, each with the same weight.
        standard_error: Of the mean, in units of the values.
        df: Degrees of freedom of the t distribution.
        p: Two-sided p-value for a mean of 0.
        interval: Of the mean.
        n: Values.
        clusters: How many, of each clustering.
        design_effect: Squared standard error over that of n independent values: how many values one is worth.
        method: How the standard error was made, in words.
    """

    mean: float
    standard_error: float
    df: float
    p: float
    interval: Interval
    n: int
    clusters: tuple[int, ...]
    design_effect: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return plain(self)


@needs_stats
def clustered_mean(
    values: Scores,
    clusters: Clusters,
    *,
    crossed: Clusters | None = None,
    correction: Literal["cr2", "cr1"] = "cr2",
    level: float = 0.95,
) -> ClusterEstimate:
    """Return the mean of values in clusters, with a cluster-robust standard error and a t interval.

    For repeats of items, the items are the clusters. For items x prompts, give both: `clusters=items,
    crossed=prompts`; with few prompts the interval is wide, as it has to be.

    Args:
        values: At least 2 finite numbers, or a mapping of them by id.
        clusters: The cluster of each value, given the same way; at least 2 different ones.
        crossed: A second clustering that crosses the first; at least 2 different ones. Both are then corrected as by
            `cr1`, and the degrees of freedom are those of the smaller number of clusters.
        correction: `cr2` (Bell & McCaffrey, with Satterthwaite degrees of freedom; right for clusters of different
            sizes, too) or `cr1` (the factor G / (G - 1) with G - 1 degrees of freedom, as Stata and statsmodels have).
            Where all clusters have the same size the two agree.
        level: Coverage aimed at, between 0 and 1.

    Returns:
        The estimate. Where the two-way variance is smaller than that of one of its clusterings (it can be negative),
        the larger of those stands in for it, and `method` says so.

    Raises:
        StatsError: A value is no finite number, a value has no cluster, or the level is out of range.
        TooFewSamples: There are fewer than 2 values or clusters.
        DegenerateSample: The clusters do not differ: there is no spread to judge by.

    Source:
        Miller (2024), "Adding error bars to evals" (arXiv:2411.00640); Cameron & Miller (2015), Journal of Human
        Resources 50(2):317-372; two-way: Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics
        29(2):238-249; the larger variance: MacKinnon, Nielsen & Webb (2024), "Jackknife inference with two-way
        clustering" (arXiv:2406.08880).
    """
    check_rates(0.5, level)
    if correction not in ("cr2", "cr1"):
        raise StatsError(f'unknown correction of clusters "{correction}"; known: cr2, cr1')
    x = one_column(values)  # (n,)
    ids = list(values) if is_by_id(values) else None
    codes = [codes_of(given, ids, len(x)) for given in (clusters, crossed) if given is not None]
    return _estimate(x, codes, correction, level)


@needs_stats
def clustered_difference(
    baseline: Scores,
    treatment: Scores,
    clusters: Clusters,
    *,
    crossed: Clusters | None = None,
    correction: Literal["cr2", "cr1"] = "cr2",
    level: float = 0.95,
) -> ClusterEstimate:
    """Return the mean difference of paired scores in clusters, treatment minus baseline.

    Args:
        baseline: Scores by position, or a mapping of them by id.
        treatment: Scores of the same measurements, given the same way.
        clusters: As for `clustered_mean`.
        crossed: As for `clustered_mean`.
        correction: As for `clustered_mean`.
        level: Coverage aimed at, between 0 and 1.

    Raises:
        StatsError: As for `clustered_mean`, or lengths or ids do not match.
        TooFewSamples: As for `clustered_mean`.
        DegenerateSample: As for `clustered_mean`.

    Source:
        Miller (2024), arXiv:2411.00640; see `clustered_mean`.
    """
    x, y = paired_columns(baseline, treatment)
    if not is_by_id(baseline):
        return clustered_mean(y - x, clusters, crossed=crossed, correction=correction, level=level)
    differences: dict[Any, Any] = dict(zip(baseline, (y - x).tolist(), strict=True))
    return clustered_mean(differences, clusters, crossed=crossed, correction=correction, level=level)


def codes_of(clusters: Clusters, ids: list[Any] | None, n: int) -> npt.NDArray[np.intp]:
    """Return the clusters as numbers from 0.

    Args:
        clusters: As they were given.
        ids: Of the values, if they have any.
        n: Values.

    Returns:
        Shape (n,).

    Raises:
        StatsError: A value has no cluster, or lengths do not match.
    """
    import numpy as np

    if is_by_id(clusters):
        if ids is None:
            raise StatsError("clusters are a mapping by id and the values are not: give both the same way")
        missing = [key for key in ids if key not in clusters]
        if missing:
            raise StatsError(f"{len(missing)} values have no cluster, such as {missing[0]!r}: name one for each")
        named: list[Any] = [clusters[key] for key in ids]
    else:
        named = list(clusters)
    if len(named) != n:
        raise StatsError(f"{n} values and {len(named)} clusters: each value needs its cluster")
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in named], dtype=np.intp)


def _estimate(x: FloatArray, codes: list[npt.NDArray[np.intp]], correction: str, level: float) -> ClusterEstimate:
    n = len(x)
    if n < 2:
        raise TooFewSamples(f"the mean of clusters needs at least 2 values, got {n}")
    counts = tuple(int(code.max()) + 1 for code in codes)
    if min(counts) < 2:
        raise TooFewSamples(f"all {n} values are in one cluster: a clustered standard error needs at least 2")
    shifted = x - x[0]
    center = float(shifted.mean())
    residuals = shifted - center
    if len(codes) == 1 and correction == "cr2":
        found = cluster_robust_mean(shifted, codes[0].tolist())
        variance, df = found.error**2, found.df
        method = "cluster-robust (CR2) standard error, Satterthwaite degrees of freedom"
    elif len(codes) == 1:
        variance, df = one_way_variance(residuals / n, codes[0]), counts[0] - 1.0
        method = "cluster-robust (CR1) standard error, t with clusters - 1 degrees of freedom"
    else:
        variance, said = two_way_variance(residuals / n, codes[0], codes[1])
        df = min(counts) - 1.0
        method = "two-way cluster-robust (CR1) standard error, t with the fewer clusters - 1 degrees of freedom"
        method += f"; {said}" if said else ""
    largest = float(abs(x).max())
    error = math.sqrt(variance)
    if error <= 1e-13 * largest / math.sqrt(n) or error == 0.0:
        raise DegenerateSample(f"the means of the {' x '.join(map(str, counts))} clusters do not differ: no spread")
    mean, width = float(x[0]) + center, critical_t(df, level) * error
    naive = float((residuals**2).sum()) / (n - 1.0) / n
    return ClusterEstimate(
        mean=mean,
        standard_error=error,
        df=df,
        p=two_sided_p(mean / error, df),
        interval=Interval(mean - width, mean + width, level, "cluster-robust t"),
        n=n,
        clusters=counts,
        design_effect=variance / naive,
        method=method,
    )
