"""Which of several groups differ: the tests of pairs that look at all groups, and the rule that chooses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crucible import stats
from crucible.stats import NotTested, Plan, TestResult
from crucible.stats.groups.posthoc import POSTHOC_TESTS
from crucible.stats.groups.studentized_range import critical, tail

RANDOM = np.random.default_rng(4)
GROUPS = {label: (RANDOM.normal(size=12) + shift).tolist() for label, shift in (("a", 0.0), ("b", 0.3), ("c", 2.0))}
BY_ITEM = {label: dict(enumerate(values)) for label, values in GROUPS.items()}


def _results(found: stats.GroupComparison) -> list[TestResult]:
    results = [one.result for one in found.contrasts if isinstance(one.result, TestResult)]
    assert len(results) == len(found.contrasts)
    return results


@pytest.mark.parametrize("test", POSTHOC_TESTS)
def test_each_is_there_by_name(test: str) -> None:
    """Corrected for all three pairs, with an interval, treatment minus baseline, and said in the sentence."""
    plan = Plan(tests=(test,))
    for result in _results(stats.compare_groups(BY_ITEM if test == "nemenyi" else GROUPS, plan)):
        assert result.name == test
        assert result.comparisons == 3
        assert result.p_adjusted is not None
        assert result.p <= result.p_adjusted <= 1.0
        assert (result.statistic > 0) == (result.difference > 0)
        assert result.interval.low < result.difference < result.interval.high
        assert (
            f"after {'holm' if test == 'dunn' else 'studentized range'} correction for 3 comparisons" in result.wording
        )
        assert result.method.endswith("; named by the caller")


@pytest.mark.parametrize("test", ["tukey", "games_howell"])
def test_simultaneous_intervals_agree_with_the_p_values(test: str) -> None:
    """0 is outside exactly where the adjusted p is below 1 - level."""
    random = np.random.default_rng(8)
    for _ in range(3):
        groups = {str(i): (random.normal(size=9) + 0.7 * i).tolist() for i in range(4)}
        for result in _results(stats.compare_groups(groups, Plan(tests=(test,)))):
            assert result.p_adjusted is not None
            assert (result.interval.low <= 0.0 <= result.interval.high) == (result.p_adjusted >= 0.05)


@pytest.mark.parametrize(
    ("omnibus", "groups", "expected"),
    [
        ("anova", GROUPS, "tukey"),
        ("welch_anova", GROUPS, "games_howell"),
        ("brown_forsythe", GROUPS, "games_howell"),
        ("kruskal", GROUPS, "dunn"),
        ("friedman", BY_ITEM, "nemenyi"),
    ],
)
def test_a_test_of_all_groups_by_name_brings_its_test_of_pairs(omnibus: str, groups: Any, expected: str) -> None:
    """Where no test of pairs is named and all pairs are compared; `method` says so."""
    results = _results(stats.compare_groups(groups, Plan(tests=(omnibus,))))
    assert {result.name for result in results} == {expected}
    assert all("chosen because it goes with the" in result.method for result in results)


def test_with_a_baseline_the_pairs_follow_the_rule_of_two() -> None:
    """Tukey's corrects for all pairs, more than were asked for; so Welch's test with the plan's correction."""
    results = _results(stats.compare_groups(GROUPS, Plan(tests=("anova",)), baseline="a"))
    assert [(r.name, r.correction, r.comparisons) for r in results] == [("welch", "holm", 2)] * 2


def test_posthoc_asks_for_the_one_that_fits() -> None:
    """After the test that the written rule chooses; right and wrong, and two groups, have the tests of two columns."""
    plan = Plan(tests=("post-hoc",))
    assert {r.name for r in _results(stats.compare_groups(GROUPS, plan))} == {"games_howell"}
    assert {r.name for r in _results(stats.compare_groups(BY_ITEM, plan))} == {"nemenyi"}
    flat = {**GROUPS, "flat": [1.0] * 5}
    assert {r.name for r in _results(stats.compare_groups(flat, plan))} == {"dunn"}
    right = {label: [float(value > 0.5) for value in values] for label, values in GROUPS.items()}
    assert {r.name for r in _results(stats.compare_groups(right, plan))} == {"fisher"}
    pair = {label: GROUPS[label] for label in "ab"}
    assert {r.name for r in _results(stats.compare_groups(pair, plan))} == {"welch"}


def test_the_rule_without_a_name_is_welch_with_holm() -> None:
    """Uniformly more powerful than Bonferroni, and corrected in any case."""
    results = _results(stats.compare_groups(GROUPS))
    assert [(r.name, r.correction, r.comparisons) for r in results] == [("welch", "holm", 3)] * 3


def test_a_correction_of_its_own_is_not_corrected_again() -> None:
    """Beside another test, whose pairs are."""
    found = stats.compare_groups(GROUPS, Plan(tests=("tukey", "welch"), correction="bonferroni"))
    for one in found.contrasts:
        assert isinstance(one.result, TestResult)
        (welch,) = one.also
        assert isinstance(welch, TestResult)
        assert (one.result.correction, welch.correction) == ("studentized range", "bonferroni")
        assert welch.p_adjusted == pytest.approx(min(1.0, 3 * welch.p))


@pytest.mark.parametrize(
    ("test", "groups", "reason"),
    [
        ("tukey", {label: GROUPS[label] for label in "ab"}, "not applicable: 2 groups; Tukey's"),
        ("dunn", {label: GROUPS[label] for label in "ab"}, "not applicable: 2 groups; Dunn's test needs 3"),
        ("nemenyi", {**GROUPS, "d": [1.0, 2.0]}, "Nemenyi's test is for the same items in every group"),
        ("games_howell", BY_ITEM, "is for different items, and the groups are of the same"),
        ("tukey", {**GROUPS, "d": [1.0]}, 'at least 2 scores a group, "d" has 1'),
        ("tukey", {"a": [1, 1], "b": [2, 2], "c": [3, 3]}, "no group varies"),
        ("games_howell", {"a": [1, 1], "b": [2, 2], "c": [3, 4]}, "neither a nor b varies"),
        ("dunn", {"a": [1, 1], "b": [1, 1], "c": [1, 1]}, "neither column varies"),
        ("nemenyi", {"a": [1, 2], "b": [2, 3], "c": [3, 3.5]}, "all 2 differences are 1 up to rounding"),
    ],
)
def test_what_does_not_apply_is_said(test: str, groups: Any, reason: str) -> None:
    """The first pair has the reason in place of a number."""
    first = stats.compare_groups(groups, Plan(tests=(test,))).contrasts[0].result
    assert isinstance(first, NotTested)
    assert reason in first.reason


def test_columns_that_agree_have_a_bound_and_no_difference() -> None:
    """Nemenyi's test needs no spread within the pair; the interval is the bound of the sign test, and is named."""
    groups = {"a": [1, 2, 4], "b": [1, 2, 4], "c": [3, 3.5, 9]}
    first = stats.compare_groups(groups, Plan(tests=("nemenyi",))).contrasts[0].result
    assert isinstance(first, TestResult)
    assert (first.p, first.statistic, first.attainable) == (1.0, 0.0, None)
    assert "share of pairs that could differ, times range" in first.method


def test_an_effect_that_was_asked_for() -> None:
    """Cohen's d beside Games and Howell's test, the pair's own."""
    results = _results(stats.compare_groups(GROUPS, Plan(tests=("games_howell",), effect="cohens_d")))
    assert {result.effect.name for result in results} == {"cohens_d"}


def test_the_critical_value_is_scipys() -> None:
    """The root near the approximation is the root of scipy's own search, also where there is no approximation."""
    from scipy import stats as scipy_stats

    for groups, df, level in ((3, 17.3, 0.95), (6, 66.0, 0.99), (4, float("inf"), 0.9), (5, 1.2, 0.95), (3, 9.0, 0.5)):
        expected = scipy_stats.studentized_range.ppf(level, groups, df) / 2**0.5
        assert critical(groups, df, level) == pytest.approx(expected, rel=1e-9)
        assert tail(critical(groups, df, level), groups, df) == pytest.approx(1 - level, rel=1e-9)
