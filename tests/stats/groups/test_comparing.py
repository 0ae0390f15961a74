"""Groups of scores compared with each other, by a library call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import StatsError
from crucible.stats import NotTested, Omnibus, Plan, TestResult
from crucible.stats.bench.column import column_of_entries

# R's PlantGrowth, as in test_omnibus.
CTRL = [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14]
TRT1 = [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]
TRT2 = [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26]
PLANTS = {"trt2": TRT2, "ctrl": CTRL, "trt1": TRT1}


def _by_id(values: list[float], prefix: str = "q") -> dict[str, float]:
    return {f"{prefix}{i}": value for i, value in enumerate(values)}


def _results(found: stats.GroupComparison) -> list[TestResult]:
    return [one.result for one in found.contrasts if isinstance(one.result, TestResult)]


def test_two_groups_are_one_comparison() -> None:
    """The same result as `compare`, with the groups' names; no test of all groups, no correction."""
    found = stats.compare_groups({"ctrl": CTRL, "trt1": TRT1})
    (result,) = _results(found)
    alone = stats.compare(CTRL, TRT1)
    assert (result.p, result.interval, result.effect) == (alone.p, alone.interval, alone.effect)
    assert (result.baseline, result.treatment, result.p_adjusted) == ("ctrl", "trt1", None)
    assert (found.omnibus, found.not_tested) == ((), "")
    assert found.wording == result.wording


def test_three_groups_are_one_test_of_all_and_corrected_pairs() -> None:
    """In the order given, never sorted; Holm over the three pairs. The predecessor made no pairs at all."""
    found = stats.compare_groups(PLANTS)
    assert [one.label for one in found.groups] == ["trt2", "ctrl", "trt1"]
    (omnibus,) = found.omnibus
    assert isinstance(omnibus, Omnibus)
    assert omnibus.name == "welch_anova"
    results = _results(found)
    assert [(r.baseline, r.treatment) for r in results] == [("trt2", "ctrl"), ("trt2", "trt1"), ("ctrl", "trt1")]
    raw = [scipy_stats.ttest_ind(a, b, equal_var=False).pvalue for a, b in ((TRT2, CTRL), (TRT2, TRT1), (CTRL, TRT1))]
    assert [r.p for r in results] == pytest.approx(raw, rel=1e-9)
    assert [r.p_adjusted for r in results] == pytest.approx(stats.correct(raw, "holm"), rel=1e-9)
    assert found.wording.startswith("A difference was found between 3 groups")


def test_a_baseline_is_what_all_others_are_compared_with() -> None:
    """Differences are treatment minus baseline, in the order of the groups."""
    found = stats.compare_groups(PLANTS, Plan(correction="bonferroni"), baseline="ctrl")
    results = _results(found)
    assert [(r.baseline, r.treatment) for r in results] == [("ctrl", "trt2"), ("ctrl", "trt1")]
    assert [r.difference for r in results] == pytest.approx([0.494, -0.371])
    assert all(r.p_adjusted == min(1.0, 2 * r.p) for r in results)


def test_pairs_can_be_named() -> None:
    """Only these are made, and corrected for each other."""
    found = stats.compare_groups(PLANTS, pairs=[("trt1", "trt2")])
    (result,) = _results(found)
    assert (result.baseline, result.treatment, result.comparisons) == ("trt1", "trt2", 1)


def test_each_group_stands_by_itself() -> None:
    """n, mean, standard deviation and the exact t interval (n = 3: 2.484 standard errors of the mean, not 2.364)."""
    found = stats.compare_groups({"three": [1.0, 2.0, 3.0], "one": [2.5], "flat": [2, 2]})
    three, one, flat = found.groups
    (right,) = stats.compare_groups({"right": [1, 0, 1, 1]}).groups
    assert (three.n, three.mean, three.std) == (3, 2.0, 1.0)
    assert three.interval is not None
    assert three.interval.high - 2.0 == pytest.approx(scipy_stats.t.ppf(0.975, 2) / 3**0.5, rel=1e-12)
    assert right.interval == stats.wilson(3, 4)
    assert (one.n, one.mean, one.std, one.interval) == (1, 2.5, None, None)
    assert "at least 2 values" in one.note
    assert flat.interval is None
    assert "have no t interval" in flat.note


def test_one_group_or_none_is_not_tested_and_says_why() -> None:
    """A summary, an interval, and no p-value made up."""
    found = stats.compare_groups({"only": [1.0, 2.0, 4.0]})
    assert found.not_tested == 'one group, "only": a comparison needs two'
    assert (found.contrasts, found.omnibus) == ((), ())
    assert found.groups[0].interval is not None
    assert found.wording == found.not_tested
    assert stats.compare_groups({}).not_tested == "no groups: a comparison needs two"


def test_groups_of_the_same_items_are_paired() -> None:
    """Mappings with the same ids: paired tests and Friedman's; tests of different items say that they do not apply."""
    groups = {label: _by_id(values) for label, values in PLANTS.items()}
    plan = Plan(tests=("auto", "wilcoxon", "welch", "anova"))
    found = stats.compare_groups(groups, plan, baseline="ctrl")
    first = found.contrasts[0]
    assert isinstance(first.result, TestResult)
    assert first.result.p == pytest.approx(scipy_stats.ttest_rel(TRT2, CTRL).pvalue, rel=1e-9)
    wilcoxon, welch = first.also
    assert wilcoxon.name == "wilcoxon"
    assert isinstance(welch, NotTested)
    assert welch.reason == "not applicable: Welch's t-test is for different items, both columns are of the same"
    (anova,) = found.omnibus
    assert isinstance(anova, NotTested)
    assert "use friedman" in anova.reason
    (friedman,) = stats.compare_groups(groups).omnibus
    assert friedman.name == "friedman"


def test_groups_of_different_items_are_not_paired() -> None:
    """Mappings without a common id are independent; some common ids are neither, and nothing is tested."""
    apart = {"a": _by_id(CTRL, "a"), "b": _by_id(TRT1, "b"), "c": _by_id(TRT2, "c")}
    found = stats.compare_groups(apart)
    assert [r.name for r in _results(found)] == ["welch"] * 3
    assert found.omnibus[0].name == "welch_anova"
    (refused,) = stats.compare_groups({"a": apart["a"], "b": apart["b"]}, Plan(tests=("wilcoxon",))).contrasts
    assert refused.result == NotTested(
        "wilcoxon", "not applicable: Wilcoxon signed-rank test needs pairs, and the groups have no common items"
    )
    apart["b"]["a0"] = 5.0
    found = stats.compare_groups(apart)
    first = found.contrasts[0]
    assert isinstance(first.result, NotTested)
    assert "9 items are only in the scores of a" in first.result.reason
    assert first.to_dict()["n"] == 0
    assert isinstance(found.omnibus[0], NotTested)
    assert "some items in common and not all" in found.omnibus[0].reason
    assert len(_results(found)) == 2


def test_a_paired_test_by_name_pairs_lists_by_position() -> None:
    """Where both have the same length; otherwise it does not apply, and the next test of the plan decides."""
    plan = Plan(tests=("paired_ttest", "welch"), effect="rank_biserial")
    found = stats.compare_groups({"a": CTRL, "b": TRT1, "c": TRT2[:9]}, plan)
    first, second, _ = found.contrasts
    assert isinstance(first.result, TestResult)
    assert (first.result.name, first.result.counts["pairs"]) == ("paired_ttest", 10)
    assert first.result.effect == stats.rank_biserial(CTRL, TRT1, paired=True)
    assert second.result.name == "welch"
    (refused,) = second.also
    assert isinstance(refused, NotTested)
    assert "not applicable: paired t-test needs pairs, and the groups have 10 and 9 scores" in refused.reason


def test_friedman_by_name_pairs_lists_by_position() -> None:
    """The same rule for the test of all groups at once; other lengths are refused."""
    (found,) = stats.compare_groups(PLANTS, Plan(tests=("friedman",))).omnibus
    assert isinstance(found, Omnibus)
    assert found.p == pytest.approx(scipy_stats.friedmanchisquare(TRT2, CTRL, TRT1).pvalue)
    (refused,) = stats.compare_groups({**PLANTS, "d": [1.0, 2.0]}, Plan(tests=("friedman",))).omnibus
    assert isinstance(refused, NotTested)
    assert "use kruskal" in refused.reason


def test_equal_columns_have_nothing_for_a_forced_paired_test() -> None:
    """A reason, not a crash and not a zero."""
    found = stats.compare_groups({"a": CTRL, "b": CTRL}, Plan(tests=("wilcoxon",)))
    (contrast,) = found.contrasts
    assert contrast.result == NotTested("wilcoxon", "all differences are 0: there is nothing to test")
    assert contrast.wording == ("b against a on score was not tested: all differences are 0: there is nothing to test.")


def test_named_tests_of_all_groups_also_for_two() -> None:
    """Two groups have an analysis of variance if asked for one, and an eta squared if asked for that."""
    plan = Plan(tests=("one_way_anova",), effect="eta2")
    found = stats.compare_groups({"a": CTRL, "b": TRT1}, plan)
    (omnibus,) = found.omnibus
    assert isinstance(omnibus, Omnibus)
    assert omnibus.effect.name == "eta_squared"
    (result,) = _results(found)  # and the pair is compared by it
    assert (result.name, result.effect.name, result.effect.value) == ("anova", "eta_squared", omnibus.effect.value)
    (asked,) = stats.compare_groups({"a": CTRL, "b": TRT1}, Plan(effect="omega_squared")).omnibus
    assert isinstance(asked, Omnibus)
    assert asked.effect.name == "omega_squared"


def test_the_same_test_is_not_shown_twice() -> None:
    """`auto`, `ttest` and `welch` are one test here."""
    (contrast,) = stats.compare_groups(
        {"a": CTRL, "b": TRT1}, Plan(tests=("auto", "ttest", "welch", "ttest"))
    ).contrasts
    assert contrast.also == ()


@pytest.mark.parametrize(
    ("effect", "test", "name"),
    [
        ("hedges_g", "welch", "hedges_g"),
        ("cohens_d", "welch", "cohens_d"),
        ("hedges_g", "mann_whitney", "hedges_g"),
        ("cliffs_delta", "welch", "rank_biserial"),
        ("hedges_g", "student", "hedges_g"),
        ("cohens_d", "bootstrap", "cohens_d"),
    ],
)
def test_an_effect_that_was_asked_for_is_given(effect: str, test: str, name: str) -> None:
    """Whatever the test of means or ranks; `method` says that it stands in place of the test's own."""
    plan = Plan(tests=(test,), effect=effect, resamples=200)
    (result,) = _results(stats.compare_groups({"a": CTRL, "b": TRT1}, plan))
    assert result.effect.name == name
    own = _results(stats.compare_groups({"a": CTRL, "b": TRT1}, Plan(tests=(test,), resamples=200)))[0]
    assert ("asked for" in result.method) == (own.effect.name != name)


@pytest.mark.parametrize(
    ("effect", "groups", "reason"),
    [
        ("cohens_h", {"a": CTRL, "b": TRT1}, "does not go with Welch's t-test, which goes with hedges_g, cohens_d"),
        ("cohens_d", {"a": [1, 0, 1], "b": [0, 0, 1]}, "does not go with Fisher's exact test"),
        ("cohens_dz", {"a": _by_id(CTRL), "b": _by_id(CTRL)}, "which goes with dominance"),
    ],
)
def test_an_effect_that_does_not_go_with_the_test_is_said(effect: str, groups: dict[str, Any], reason: str) -> None:
    """The test's own effect stands, and `method` says why."""
    (result,) = _results(stats.compare_groups(groups, Plan(effect=effect)))
    assert result.effect.name != effect
    assert f"{effect} was asked for and is not given: it" in result.method
    assert reason in result.method


def test_paired_effects_by_name() -> None:
    """Cohen's dz beside Wilcoxon's test; of differences that do not vary there is none."""
    groups = {"a": _by_id(BEFORE), "b": _by_id(AFTER)}
    (result,) = _results(stats.compare_groups(groups, Plan(tests=("wilcoxon",), effect="dz")))
    assert result.effect == stats.compare_paired(BEFORE, AFTER).effect
    tiny = {"a": _by_id([1.0, 1.0, 1.0]), "b": _by_id([1.0 + 4e-13, 1.0, 1.0 + 2e-13])}
    (result,) = _results(stats.compare_groups(tiny, Plan(tests=("ttest",), effect="rank_biserial")))
    assert result.effect.name == "cohens_dz"
    assert "is not given: all 3 differences are 0 up to rounding" in result.method


BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


@pytest.mark.parametrize(
    ("groups", "arguments", "message"),
    [
        ({"a": [1, float("nan")], "b": [1, 2]}, {}, r"a\[1\] is nan"),
        ({"a": [1, 2], "b": _by_id([1, 2])}, {}, "some groups are by item and these are not: a"),
        (PLANTS, {"baseline": "ctlr"}, 'no group is called "ctlr"; did you mean "ctrl"'),
        (PLANTS, {"pairs": [("ctrl", "trt3")]}, 'no group is called "trt3"'),
        (PLANTS, {"plan": Plan(tests=("ttest_1samp",))}, 'test "one_sample_ttest" is not available for groups'),
        (PLANTS, {"plan": Plan(tests=("tteest",))}, 'did you mean "ttest"'),
        (PLANTS, {"plan": Plan(correction="tukey")}, 'unknown correction "tukey"'),
        (PLANTS, {"plan": Plan(effect="eta")}, 'unknown effect size "eta"; did you mean "eta'),
        (PLANTS, {"plan": Plan(alpha=0.0)}, "alpha must lie between 0 and 1"),
    ],
)
def test_refusals(groups: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    """What does not fit is an error with the place and what to do."""
    with pytest.raises(StatsError, match=message):
        stats.compare_groups(groups, **arguments)


def test_results_are_plain_json() -> None:
    """Results and refusals alike."""
    plan = Plan(tests=("auto", "mcnemar", "anova", "friedman"))
    found = stats.compare_groups({**PLANTS, "one": [1.0]}, plan).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False))["contrasts"][0]["p"] == found["contrasts"][0]["p"]
    assert list(found["groups"]) == ["trt2", "ctrl", "trt1", "one"]
    assert found["omnibus"][0] == {
        "name": "anova",
        "refused": 'a comparison of groups needs at least 2 scores a group, "one" has 1',
    }


def test_a_test_that_fails_in_one_pair_is_corrected_for_in_the_others() -> None:
    """Three pairs, one group of which has a single score: two are tested, and corrected for two."""
    found = stats.compare_groups({**PLANTS, "c": [1.0]}, baseline="ctrl")
    assert [r.comparisons for r in _results(found)] == [2, 2]


def test_entries_need_items_for_all_or_for_none() -> None:
    """And each item once."""
    with pytest.raises(StatsError, match='1 of 2 values of "a" have no item'):
        column_of_entries("a", [("q1", 1.0), (None, 2.0)])
    with pytest.raises(StatsError, match='item "q1" comes more than once in "a"'):
        column_of_entries("a", [("q1", 1.0), ("q1", 2.0)])


SCORES = st.lists(st.integers(0, 4).map(float), max_size=6)
TESTS = ("auto", "wilcoxon", "student", "mannwhitney", "anova", "kruskal", "friedman")


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("zyxw"), SCORES, max_size=4),
    st.lists(
        st.sampled_from(("auto", "wilcoxon", "student", "mannwhitney", "anova", "kruskal", "friedman")), max_size=3
    ),
)
def test_no_groups_of_numbers_crash_it(groups: dict[str, list[float]], tests: list[str]) -> None:
    """Empty, constant or tiny groups: each pair has a result or a reason, p-values are probabilities, all is JSON."""
    found = stats.compare_groups(groups, Plan(tests=tuple(tests)))
    assert [one.label for one in found.groups] == list(groups)
    assert len(found.contrasts) == len(groups) * (len(groups) - 1) / 2
    for one in (*found.omnibus, *(one.result for one in found.contrasts)):
        assert one.reason if isinstance(one, NotTested) else 0.0 <= one.p <= 1.0
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "a")], 'compares "a" with itself'),
        ([("a", "b"), ("b", "a")], 'names "b" and "a" twice'),
    ],
)
def test_pairs_are_of_two_groups_and_come_once(pairs: list[tuple[str, str]], message: str) -> None:
    """A group has no difference from itself, and a pair that comes twice makes the correction of all others harsher."""
    with pytest.raises(StatsError, match=message):
        stats.compare_groups({"a": [1.0, 2.0], "b": [2.0, 4.0]}, pairs=pairs)
