"""Standard errors of clusters: against the formula in matrices, the t-test of equal clusters, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg
from scipy import stats as scipy_stats

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.conditions.clustered_contrast import cluster_robust_mean, clustered_independent, clustered_paired

SIZES = (1, 2, 2, 5, 9, 14)


def _unequal(seed: int) -> tuple[Any, list[str]]:
    random = np.random.default_rng(seed)
    clusters = [f"c{i}" for i, size in enumerate(SIZES) for _ in range(size)]
    luck = dict(zip(sorted(set(clusters)), random.normal(size=len(SIZES)), strict=True))
    return np.array([random.normal() + luck[name] for name in clusters]), clusters


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_formula_of_bell_and_mccaffrey_in_matrices(seed: int) -> None:
    """CR2 and its Satterthwaite degrees of freedom, written out for a regression on a constant with n x n matrices.

    Bell & McCaffrey (2002); the same as `vcov = "CR2"` and `Satterthwaite` of R's clubSandwich describe.
    """
    values, clusters = _unequal(seed)
    n = len(values)
    design = np.ones((n, 1))
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    names = sorted(set(clusters))
    member = [np.array([name == one for name in clusters]) for one in names]
    residuals = (np.eye(n) - hat) @ values
    meat, columns = 0.0, []
    for rows in member:
        adjust = np.real(linalg.fractional_matrix_power(np.eye(rows.sum()) - hat[np.ix_(rows, rows)], -0.5))
        meat += float((design[rows].T @ adjust @ residuals[rows])[0]) ** 2
        columns.append((np.eye(n) - hat)[rows].T @ adjust @ design[rows] @ bread)
    inner = np.hstack(columns).T @ np.hstack(columns)  # (g, g)
    found = cluster_robust_mean(values, clusters)
    assert found.error == pytest.approx(float(np.sqrt(meat)) * float(bread[0, 0]), rel=1e-9)
    assert found.df == pytest.approx(float(np.trace(inner) ** 2 / np.trace(inner @ inner)), rel=1e-9)
    assert found.mean == pytest.approx(float(values.mean()), rel=1e-12)


def test_clusters_of_one_size_are_a_t_test_of_their_means() -> None:
    """Standard error, degrees of freedom and p-value are those of scipy's test of the cluster means."""
    random = np.random.default_rng(3)
    items = [f"{c}.{i}" for c in range(8) for i in range(5)]
    clusters = {item: item.split(".")[0] for item in items}
    old = {item: float(random.normal()) for item in items}
    new = {item: value + float(random.normal(0.3)) for item, value in old.items()}
    found = clustered_paired(old, new, clusters)
    means = np.array([new[item] - old[item] for item in items]).reshape(8, 5).mean(axis=1)
    known: Any = scipy_stats.ttest_1samp(means, 0.0)
    interval = known.confidence_interval(0.95)
    assert found.df == pytest.approx(7.0, rel=1e-12)
    assert found.p == pytest.approx(float(known.pvalue), rel=1e-9)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_clusters_of_single_items_are_the_paired_t_test() -> None:
    """Nothing is lost where items are alone."""
    random = np.random.default_rng(4)
    old, new = random.normal(size=20), random.normal(size=20)
    keys = [str(i) for i in range(20)]
    sides: Any = [dict(zip(keys, side.tolist(), strict=True)) for side in (old, new)]
    known: Any = scipy_stats.ttest_rel(new, old)
    assert clustered_paired(*sides, dict(zip(keys, keys, strict=True))).p == pytest.approx(known.pvalue, rel=1e-9)
    known = scipy_stats.ttest_ind(new, old, equal_var=False)
    apart = clustered_independent(*sides, (dict(zip(keys, keys, strict=True)),) * 2)
    assert (apart.p, apart.df) == pytest.approx((known.pvalue, known.df), rel=1e-9)


def test_treatment_minus_baseline() -> None:
    """Positive where the treatment scores higher, in difference, interval and effect."""
    old = {str(i): float(i % 5) for i in range(20)}
    new = {key: value + 1.0 + 0.1 * (int(key) % 3) for key, value in old.items()}
    clusters = {str(i): str(i // 4) for i in range(20)}
    for found in (clustered_paired(old, new, clusters), clustered_independent(old, new, (clusters, clusters))):
        assert found.difference > 0.0
        assert found.effect.value > 0.0
        assert found.interval.low < found.difference < found.interval.high


def test_one_cluster_and_clusters_that_do_not_differ_are_refused() -> None:
    """There is nothing that the spread between clusters could be told from."""
    old, new = {str(i): float(i % 2) for i in range(8)}, {str(i): float(i % 3) for i in range(8)}
    with pytest.raises(TooFewSamples, match="all 8 items are in one cluster"):
        clustered_paired(old, new, dict.fromkeys(old, "p"))
    shifted = {key: value + 1.0 for key, value in old.items()}
    with pytest.raises(DegenerateSample, match="the 8 differences, 1 on average, do not vary between clusters"):
        clustered_paired(old, shifted, {key: str(int(key) // 2) for key in old})


def test_few_clusters_are_told() -> None:
    """They are why the interval is wide."""
    old = {str(i): float(i % 2) for i in range(12)}
    new = {str(i): float(i % 7 == 0) for i in range(12)}
    found = clustered_paired(old, new, {str(i): str(i // 4) for i in range(12)})
    assert any("3 clusters are few" in told for told in found.assumptions)


@pytest.mark.parametrize("test", ["wilcoxon", "paired_ttest", "nothing"])
def test_tests_that_ignore_clusters_are_refused(test: str) -> None:
    """They would count every item as independent."""
    scores = {str(i): float(i % 2) for i in range(8)}
    with pytest.raises(StatsError, match="takes no account of clusters; available for them: auto, clustered_ttest"):
        clustered_paired(scores, scores, scores, test=test)  # type: ignore[arg-type]
