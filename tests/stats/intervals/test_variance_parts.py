"""Variance between items and within them, and what more repeats can buy."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples


def test_by_hand() -> None:
    """Three items with two repeats: mean squares 8 among and 0.5 within, so 3.75 between."""
    found = stats.variance_parts([0, 1, 2, 3, 4, 5], ["a", "a", "b", "b", "c", "c"])
    assert (found.within, found.between) == pytest.approx((0.5, 3.75))
    assert found.share_between == pytest.approx(3.75 / 4.25)
    assert (found.items, found.repeats) == (3, 2.0)


def test_it_recovers_what_was_simulated() -> None:
    """Variances of 4 and 1 with uneven numbers of repeats, within a tenth."""
    random = np.random.default_rng(0)
    item = np.repeat(np.arange(3000), random.integers(1, 6, 3000))
    values = 2.0 * random.normal(size=3000)[item] + random.normal(size=len(item))
    found = stats.variance_parts(values, item)
    assert (found.between, found.within) == pytest.approx((4.0, 1.0), rel=0.1)


def test_its_standard_error_is_that_of_clusters() -> None:
    """For the design at hand it is the cluster-robust standard error; for another it is what that would have."""
    random = np.random.default_rng(1)
    item = np.repeat(np.arange(50), 4)
    values = random.normal(size=50)[item] + random.normal(size=200)
    found = stats.variance_parts(values, item)
    assert found.standard_error(50, 4) == pytest.approx(stats.clustered_mean(values, item).standard_error, rel=1e-9)
    assert found.standard_error(200, 4) == pytest.approx(found.standard_error(50, 4) / 2.0)
    assert found.standard_error(50, math.inf) == pytest.approx(math.sqrt(found.between / 50))


def test_repeats_that_vary_as_much_as_items() -> None:
    """An estimate below 0 is 0: then repeats are as good as items."""
    found = stats.variance_parts([0, 9, 1, 8, 9, 0], [1, 1, 2, 2, 3, 3])
    assert found.between == 0.0
    assert found.standard_error(3, math.inf) == 0.0


def test_wording_says_what_repeats_and_items_would_do() -> None:
    """One sentence with the share, the standard errors and the limit."""
    found = stats.variance_parts([0, 1, 2, 3, 4, 5], [1, 1, 2, 2, 3, 3])
    assert found.wording == (
        "88.2 % of the variance of a score is between items; the standard error of the mean of 3 items with 2 repeats "
        "is 1.155: twice the repeats would make it 1.137 and any number of them not less than 1.118, twice the items "
        "0.8165."
    )
    assert json.loads(json.dumps(found.to_dict()))["wording"] == found.wording


def test_refusals() -> None:
    """No repeats, one item, no variance, no such design."""
    with pytest.raises(TooFewSamples, match="3 scores of 3 items"):
        stats.variance_parts([1, 2, 3], "abc")
    with pytest.raises(TooFewSamples):
        stats.variance_parts([1, 2, 3], "aaa")
    with pytest.raises(DegenerateSample):
        stats.variance_parts([1, 1, 1], "aab")
    with pytest.raises(StatsError, match="at least 1 item and 1 repeat"):
        stats.variance_parts([1, 2, 3], "aab").standard_error(0, 1)
    with pytest.raises(StatsError):
        stats.variance_parts([1, 2, 3], "aab").standard_error(1, math.nan)
