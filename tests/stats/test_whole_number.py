"""Counts, resamples and seeds: whole numbers of any package are taken, everything else is refused by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError
from crucible.stats.whole_number import check_draws, whole

OF_COUNTS: dict[str, Callable[[Any], Any]] = {
    "wilson": lambda n: stats.wilson(n, 10),
    "clopper_pearson": lambda n: stats.clopper_pearson(n, 10),
    "jeffreys": lambda n: stats.jeffreys(n, 10),
    "newcombe_difference": lambda n: stats.newcombe_difference(n, 10, 4, 10),
    "tango_difference": lambda n: stats.tango_difference(n, 1, 10),
    "one_proportion": lambda n: stats.one_proportion(n, 10),
    "two_proportions": lambda n: stats.two_proportions(n, 10, 4, 10),
    "mcnemar": lambda n: stats.mcnemar(n, 1, 10),
    "odds_ratio": lambda n: stats.odds_ratio(n, 10, 4, 10),
    "risk_ratio": lambda n: stats.risk_ratio(n, 10, 4, 10),
    "matched_odds_ratio": lambda n: stats.matched_odds_ratio(n, 4),
    "cohens_h": lambda n: stats.cohens_h(n, 10, 4, 10),
    "beta_binomial": lambda n: stats.bayes.beta_binomial(n, 10),
    "beta_binomial_difference": lambda n: stats.bayes.beta_binomial_difference(n, 10, 4, 10),
    "paired_shares": lambda n: stats.bayes.paired_shares(n, 1, 10),
}


@pytest.mark.parametrize("name", OF_COUNTS)
def test_counts_are_whole_numbers(name: str) -> None:
    """Half a success is refused, and not computed with; the sum of an array is as good as a number of Python."""
    function = OF_COUNTS[name]
    expected = function(3)
    for same in (np.int64(3), np.float64(3.0), 3.0):
        assert function(same) == expected
    for wrong in (2.5, np.float64(2.5), float("nan"), "3", None):
        with pytest.raises(StatsError, match="must be a whole number"):
            function(wrong)


def test_results_of_counts_of_numpy_are_json() -> None:
    """They were refused by the writer of JSON, long after the test."""
    counts = np.array([3, 10, 8, 12])
    assert json.loads(stats.to_json(stats.two_proportions(*counts)))["p"] == stats.two_proportions(3, 10, 8, 12).p


def test_a_number_of_numpy_is_json_wherever_it_was_given() -> None:
    """An alpha, a level, a fixed value, a margin, a size: results read back as they were."""
    x, y = [1, 2, 3, 5.0], [2, 3, 3, 6.0]

    def told(number: Callable[[float], Any], count: Callable[[int], Any]) -> str:
        found = (
            stats.one_sample(x, number(0.5)),
            stats.compare(x, y, alpha=number(0.05), level=number(0.95)),
            stats.tost(x, y, margin=number(0.5)),
            stats.power("paired", n=count(20), effect=number(0.5)),
            stats.bayes.paired(x, y, rope=number(0.5)),
            stats.clustered_mean(x, [1, 1, 2, 2], level=number(0.95)),
            stats.compare_groups({"a": x, "b": y}, stats.Plan(alpha=number(0.05))),
        )
        return json.dumps([result.to_dict() for result in found], allow_nan=False)

    assert told(np.float64, np.int64) == told(float, int)


@pytest.mark.parametrize(
    ("resamples", "seed", "message"),
    [
        (99, 0, "at least 100 resamples, got 99"),
        (1000.5, 0, "resamples must be a whole number, got 1000.5"),
        (1000, -1, "seed must be at least 0, got -1"),
        (1000, None, "seed must be a whole number, got None"),
    ],
)
def test_draws_can_be_repeated(resamples: Any, seed: Any, message: str) -> None:
    """Whatever draws at random refuses what would not give the same draw again."""
    x, y = [1.0, 2.0, 4.0, 8.0], [2.0, 2.5, 5.0, 9.0]
    draws: dict[str, Any] = {"resamples": resamples, "seed": seed}
    for function in (
        stats.bootstrap_paired,
        stats.bootstrap_independent,
        stats.bootstrap_difference_ci,
        stats.permutation_paired,
        stats.permutation_independent,
    ):
        with pytest.raises(StatsError, match=message):
            function(x, y, **draws)
    with pytest.raises(StatsError, match=message):
        stats.bootstrap_ci(x, **draws)


def test_whole_numbers_leave_as_pythons_own() -> None:
    """So that what holds them is data."""
    found = (*check_draws(np.int64(100), np.int32(1), "a test"), whole(np.float32(7), "n"))
    assert [type(number) for number in found] == [int, int, int]
