"""Means of clustered values: the standard error of the packages, and of the clusters' own means."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples


def _repeats(items: int, repeats: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of items with repeats, and the item of each."""
    random = np.random.default_rng(seed)
    item = np.repeat(np.arange(items), repeats)
    return random.normal(size=items)[item] + random.normal(size=items * repeats), item


@pytest.mark.parametrize("correction", ["cr2", "cr1"])
def test_balanced_repeats_are_the_t_interval_of_item_means(correction: Any) -> None:
    """Thirty items with four repeats: exactly what the thirty item means give, by either correction."""
    values, item = _repeats(30, 4)
    found = stats.clustered_mean(values, item, correction=correction)
    expected = stats.mean_interval(values.reshape(30, 4).mean(axis=1))
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high), rel=1e-10)
    assert (found.n, found.clusters) == (120, (30,))
    assert found.df == pytest.approx(29.0)


def test_copies_of_a_score_are_worth_one() -> None:
    """Every score five times: the design effect is five, and the standard error that of the single scores."""
    single = np.random.default_rng(1).normal(size=40)
    found = stats.clustered_mean(np.repeat(single, 5), np.repeat(np.arange(40), 5))
    assert found.standard_error == pytest.approx(single.std(ddof=1) / math.sqrt(40), rel=1e-12)
    assert found.design_effect == pytest.approx(5.0, rel=0.03)


def test_a_cluster_each_is_the_plain_t_interval() -> None:
    """Independent values are clusters of one."""
    values = np.random.default_rng(2).normal(size=25)
    found = stats.clustered_mean(values, range(25))
    plain = stats.mean_interval(values)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high), rel=1e-12)
    assert found.design_effect == pytest.approx(1.0)


def test_crossed_clusters_widen_the_interval() -> None:
    """Prompts that shift all items alike make the mean less sure than its items say."""
    random = np.random.default_rng(3)
    item, prompt = np.repeat(np.arange(60), 6), np.tile(np.arange(6), 60)
    values = random.normal(size=60)[item] + random.normal(size=6)[prompt] + random.normal(size=360)
    one, both = stats.clustered_mean(values, item), stats.clustered_mean(values, item, crossed=prompt)
    assert both.standard_error > 2.0 * one.standard_error
    assert (both.df, both.clusters) == (5.0, (60, 6))
    assert both.method.startswith("two-way cluster-robust")


def test_a_two_way_variance_that_is_too_small_gives_way_and_says_so() -> None:
    """Values that cancel along both clusterings: the one-way variance stands in, and `method` tells."""
    item, prompt = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)
    values = np.where((item + prompt) % 2 == 0, 1.0, -1.0) + 0.01 * item
    found = stats.clustered_mean(values, item, crossed=prompt)
    assert found.method.endswith(
        "the two-way variance is not positive, that of the first clustering is used in its place"
    )
    assert found.standard_error == pytest.approx(stats.clustered_mean(values, item, correction="cr1").standard_error)
    with pytest.raises(DegenerateSample, match="do not differ"):
        stats.clustered_mean(np.where((item + prompt) % 2 == 0, 1.0, -1.0), item, crossed=prompt)


def test_differences_are_treatment_minus_baseline() -> None:
    """By position and by id alike, the mean of the differences."""
    x, item = _repeats(20, 3, seed=4)
    y = x + 0.5
    y[::2] += 0.1
    found = stats.clustered_difference(x, y, item)
    assert found.mean == pytest.approx(0.55)
    assert found == stats.clustered_mean(y - x, item)
    ids = [f"m{i}" for i in range(60)]
    by_id = stats.clustered_difference(
        dict(zip(ids, x, strict=True)), dict(zip(ids, y, strict=True)), dict(zip(ids, item, strict=True))
    )
    assert by_id == found


def test_the_p_value_agrees_with_the_interval() -> None:
    """The interval at level 1 - p ends at 0."""
    values, item = _repeats(15, 3, seed=5)
    values = values + 0.3
    found = stats.clustered_mean(values, item)
    interval = stats.clustered_mean(values, item, level=1.0 - found.p).interval
    assert min(abs(interval.low), abs(interval.high)) == pytest.approx(0.0, abs=1e-9)


def test_an_offset_costs_no_digits() -> None:
    """A billion on top of every value leaves the standard error alone."""
    values, item = _repeats(15, 3, seed=6)
    plain, offset = stats.clustered_mean(values, item), stats.clustered_mean(values + 1e9, item)
    assert offset.standard_error == pytest.approx(plain.standard_error, rel=1e-6)
    scaled = stats.clustered_mean(values * 1e-120, item)
    assert scaled.standard_error == pytest.approx(plain.standard_error * 1e-120, rel=1e-12)


def test_it_is_json() -> None:
    """As plain data."""
    values, item = _repeats(5, 2)
    assert json.loads(json.dumps(stats.clustered_mean(values, item).to_dict()))["clusters"] == [5]


@pytest.mark.parametrize(
    ("values", "clusters", "options", "error", "message"),
    [
        ([1.0, 2.0], ["a", "a"], {}, TooFewSamples, "all 2 values are in one cluster"),
        ([1.0], ["a"], {}, TooFewSamples, "at least 2 values, got 1"),
        ([1.0, 2.0], ["a"], {}, StatsError, "2 values and 1 clusters"),
        ([1.0, 2.0], {"x": "a", "y": "b"}, {}, StatsError, "give both the same way"),
        ({"x": 1.0, "y": 2.0}, {"x": "a"}, {}, StatsError, "1 values have no cluster, such as 'y'"),
        ([1.0, float("nan")], ["a", "b"], {}, StatsError, "nan"),
        ([1.0, 1.0], ["a", "b"], {}, DegenerateSample, "do not differ"),
        ([0.0, 0.0], ["a", "b"], {}, DegenerateSample, "do not differ"),
        ([1.0, 2.0], ["a", "b"], {"level": 2.0}, StatsError, "level"),
        ([1.0, 2.0], ["a", "b"], {"correction": "cr9"}, StatsError, "known: cr2, cr1"),
        ([1.0, 2.0], ["a", "b"], {"crossed": ["p", "p"]}, TooFewSamples, "in one cluster"),
    ],
)
def test_refusals(values: Any, clusters: Any, options: Any, error: type[Exception], message: str) -> None:
    """What cannot be answered is an error with counts."""
    with pytest.raises(error, match=message):
        stats.clustered_mean(values, clusters, **options)
