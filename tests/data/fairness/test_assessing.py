from __future__ import annotations

import math
import random
from itertools import product
from typing import Any

import pytest

from crucible import stats
from crucible.data.fairness import METRICS, FairnessRules, Judgement, assess
from crucible.data.fairness.gaps import gaps_of, rates_of
from crucible.errors import DataError


def outcomes(rates: dict[str, tuple[int, int]]) -> tuple[list[str], list[int]]:
    """Return groups and outcomes with so many successes of so many items by group."""
    pairs = [(group, int(i < hits)) for group, (hits, n) in rates.items() for i in range(n)]
    return [group for group, _ in pairs], [value for _, value in pairs]


def parity(rates: dict[str, tuple[int, int]], **rules: Any) -> Any:
    """Return what demographic parity says of these selection rates."""
    groups, chosen = outcomes(rates)
    return assess(groups, predictions=chosen, rules=FairnessRules(**rules))


def test_rates_by_hand() -> None:
    """Of a table of 2 x 2 counts a group: 20 true positives, 5 false negatives, 10 false and 15 true negatives."""
    predictions = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    labels = [1] * 25 + [0] * 25
    found = assess(["a"] * 50, predictions=predictions, labels=labels)
    values = {name: found.rates_of(name)["a"] for measures in METRICS.values() for name in measures if name != "score"}
    assert values == pytest.approx(
        {
            "selection_rate": 30 / 50,
            "true_positive_rate": 20 / 25,
            "false_positive_rate": 10 / 25,
            "positive_predictive_value": 20 / 30,
            "accuracy": 35 / 50,
        }
    )
    (rate,) = [one for one in found.rates if one.measure == "true_positive_rate"]
    assert rate.interval == stats.wilson(20, 25)


def test_a_rate_of_nothing_is_undefined_and_says_so() -> None:
    """The predecessor made it 0, and a group without positives looked as if the model never found one."""
    found = assess(["a"] * 12 + ["b"] * 12, predictions=[1, 0] * 12, labels=[0] * 12 + [1, 0] * 6)
    (rate,) = [one for one in found.rates if one.measure == "true_positive_rate" and one.group == "a"]
    assert (rate.value, rate.interval, rate.judged) == (None, None, False)
    assert rate.note == "undefined: no answered items whose right answer is positive"
    (finding,) = [one for one in found.findings if one.metric == "equal_opportunity"]
    assert finding.judgement is Judgement.NOT_JUDGED
    assert "fewer than two groups have 10 items under the fraction (a has 0, b has 6)" in finding.wording


@pytest.mark.parametrize(
    ("rates", "limit", "judgement"),
    [
        ({"a": (90, 100), "b": (30, 100)}, 0.1, Judgement.CLEAR),
        ({"a": (30, 100), "b": (90, 100)}, 0.1, Judgement.CLEAR),
        ({"a": (50, 100), "b": (62, 100)}, 0.1, Judgement.POSSIBLE),
        ({"a": (50, 100), "b": (52, 100)}, 0.1, Judgement.NONE_FOUND),
        ({"a": (5000, 10000), "b": (5050, 10000)}, 0.1, Judgement.WITHIN),
        ({"a": (90, 100), "b": (30, 100)}, 0.8, Judgement.CLEAR),
        ({"a": (60, 100), "b": (45, 100)}, 0.8, Judgement.POSSIBLE),
        ({"a": (60, 100), "b": (55, 100)}, 0.8, Judgement.NONE_FOUND),
        ({"a": (6000, 10000), "b": (5950, 10000)}, 0.8, Judgement.WITHIN),
        ({"a": (50, 100), "b": (0, 100)}, 0.8, Judgement.CLEAR),
    ],
)
def test_a_violation_is_clear_where_all_of_the_interval_is_beyond_the_limit(
    rates: dict[str, tuple[int, int]], limit: float, judgement: Judgement
) -> None:
    """And possible where only the estimate is; from 0.5 on the limit is one of a ratio, as in the 80 % rule."""
    found = parity(rates, threshold=limit)
    assert found.judgement is judgement
    assert found.to_dict()["threshold_as"] == ("ratio" if limit >= 0.5 else "difference")


def test_what_kind_of_limit_can_be_said() -> None:
    """A ratio of 0.3, or a difference of 0.9."""
    rates = {"a": (90, 100), "b": (20, 100)}
    assert parity(rates, threshold=0.9, threshold_as="difference").judgement is Judgement.WITHIN
    assert parity(rates, threshold=0.3, threshold_as="ratio").judgement is Judgement.POSSIBLE


def test_without_a_limit_gaps_are_reported_and_none_is_judged() -> None:
    """No constant stands for what the user has to decide."""
    found = parity({"a": (90, 100), "b": (30, 100)})
    assert (found.judgement, found.to_dict()["threshold"]) == (Judgement.NOT_JUDGED, None)
    assert found.findings[0].wording.endswith("; no limit was set.")
    assert found.gaps[0].p is not None
    assert found.gaps[0].p < 1e-10


def test_two_rates_of_zero_have_no_ratio() -> None:
    """0/0 is undefined, not parity."""
    found = parity({"a": (0, 100), "b": (0, 100)}, threshold=0.8)
    assert (found.gaps[0].ratio, found.gaps[0].note) == (None, "the ratio is undefined: both rates are 0")
    assert found.judgement is Judgement.NOT_JUDGED
    assert "not judged: the ratio is undefined" in found.wording


def test_a_small_group_is_reported_and_not_judged() -> None:
    """Its rate and interval are there, its gaps are not, and the sentence names it."""
    found = parity({"a": (50, 100), "b": (51, 100), "c": (0, 9)}, threshold=0.1)
    assert found.rates_of("selection_rate")["c"] == 0.0
    assert [(gap.baseline, gap.treatment) for gap in found.gaps] == [("a", "b")]
    assert found.findings[0].wording.endswith("; too small to be judged: c.")
    assert found.rates[2].note == "not judged: 9 items with an answer, and 10 are needed"


def test_intervals_hold_for_all_gaps_together_and_tests_are_corrected() -> None:
    """Three groups, three pairs: each interval at 1 - .05 / 3, and Holm over the three p-values."""
    found = parity({"a": (50, 100), "b": (60, 100), "c": (70, 100)})
    assert {gap.interval.level for gap in found.gaps} == {1 - 0.05 / 3}
    assert [gap.p_adjusted for gap in found.gaps] == stats.correct([gap.p for gap in found.gaps], "holm")
    (first, *_) = found.gaps
    assert first.interval == stats.newcombe_difference(50, 100, 60, 100, level=1 - 0.05 / 3)
    assert first.p == stats.compare([1] * 50 + [0] * 50, [1] * 60 + [0] * 40).p


def test_several_fields_make_a_group_of_each_combination() -> None:
    """A gap that hides in the combination: each field alone has the same rate in both of its groups."""
    groups = [(sex, lang) for sex, lang in product("fm", ["de", "en"]) for _ in range(50)]
    chosen = [int((sex == "f") == (lang == "de")) for sex, lang in groups]
    for field in (0, 1):
        alone = assess([group[field] for group in groups], predictions=chosen, rules=FairnessRules(threshold=0.2))
        assert alone.largest("demographic_parity") == 0.0
    found = assess(groups, predictions=chosen, rules=FairnessRules(threshold=0.2))
    assert list(found.sizes) == ["f & de", "f & en", "m & de", "m & en"]
    assert (found.judgement, found.largest("demographic_parity")) == (Judgement.CLEAR, 1.0)


def test_scores_are_compared_by_their_means() -> None:
    """By Welch's test, with a t interval; 0 and 1 as shares, by Fisher's."""
    rng = random.Random(1)
    groups = ["a"] * 80 + ["b"] * 80
    scores = [rng.gauss(0.5 if group == "a" else 0.9, 0.2) for group in groups]
    found = assess(groups, scores=scores, rules=FairnessRules(threshold=0.1))
    expected = stats.compare(scores[:80], scores[80:])
    assert (found.gaps[0].difference, found.gaps[0].p) == (expected.difference, expected.p)
    assert (found.gaps[0].test, found.judgement) == ("welch", Judgement.CLEAR)
    by_ratio = assess(groups, scores=scores, rules=FairnessRules(threshold=0.8))
    assert "the limit is one of a ratio of rates, and this measure is no rate" in by_ratio.wording
    assert assess(groups, scores=[float(s > 0.7) for s in scores]).gaps[0].test == "fisher"


def test_scores_that_do_not_vary_have_a_gap_and_no_interval() -> None:
    """With the reason; nothing is judged by it."""
    found = assess(["a"] * 20 + ["b"] * 20, scores=[0.5] * 20 + [0.7] * 20, rules=FairnessRules(threshold=0.1))
    assert found.gaps[0].difference == pytest.approx(0.2)
    assert (found.gaps[0].interval, found.judgement) == (None, Judgement.NOT_JUDGED)
    assert "neither column varies" in found.gaps[0].note


def test_missing_answers_are_left_out_of_the_fractions() -> None:
    """None is no answer: neither positive nor negative."""
    found = assess(["a"] * 20, predictions=[1] * 10 + [None] * 10, labels=[1] * 20)
    assert (found.rates[0].n, found.rates[0].value) == (10, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictions": [1, 0]}, "predictions has 2 values for 3 groups"),
        ({"predictions": [1, 0, 0.5]}, r"predictions\[2\] must be true, false, 1, 0 or None, got 0.5"),
        ({"predictions": [1, 0, "1"]}, r"predictions\[2\] must be true"),
        ({"scores": [1, 2, math.nan]}, r"scores\[2\] must be a finite number or None, got nan"),
        ({}, "nothing to compare: give predictions"),
        ({"scores": [1, 2, 3], "metrics": ["scores"]}, 'unknown metric "scores"; did you mean "score"'),
        ({"scores": [1, 2, 3], "metrics": ["accuracy"]}, "accuracy needs predictions"),
        ({"predictions": [1, 0, 1], "metrics": ["equalized_odds"]}, "equalized_odds needs labels"),
        ({"predictions": [1, 0, 1], "metrics": ["score"]}, "score needs scores"),
        ({"scores": [1, 2, 3], "metrics": []}, "metrics is empty"),
        ({"scores": [1, 2, 3], "rules": FairnessRules(max_groups=2)}, "3 groups .* and at most 2 are compared"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    """With what came; a value between 0 and 1 is no truth value, though the predecessor took it for one."""
    with pytest.raises(DataError, match=message):
        assess(["a", "b", "c"], **change)


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"threshold": math.nan}, {"min_group_size": 1}])
def test_rules_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    """When they are made."""
    with pytest.raises(DataError, match="must"):
        FairnessRules(**wrong)


def test_one_group_or_none_is_not_judged() -> None:
    """A comparison needs two."""
    assert "one group, a, and a comparison needs two" in parity({"a": (5, 20)}, threshold=0.1).wording
    assert "no items, and a comparison needs two" in parity({}, threshold=0.1).wording


def false_alarms(data_sets: int) -> tuple[float, float]:
    """Return how often a gap is found significant, and how often clear, where all of four groups have one rate.

    The limit is 0, the hardest one: any gap beyond the interval would be a clear violation.
    """
    rng = random.Random(7)
    rules = FairnessRules(threshold=0.0)
    significant = clear = 0
    for _ in range(data_sets):
        columns = {group: [float(rng.random() < 0.4) for _ in range(60)] for group in "abcd"}
        gaps = gaps_of({"selection_rate": columns}, rates_of("selection_rate", columns, rules), rules)
        significant += any(gap.p_adjusted is not None and gap.p_adjusted < 0.05 for gap in gaps)
        clear += any(gap.judgement is Judgement.CLEAR for gap in gaps)
    return significant / data_sets, clear / data_sets


def test_no_more_than_one_in_twenty_false_alarms() -> None:
    """Over all six pairs together."""
    significant, clear = false_alarms(100)
    assert significant <= 0.1
    assert clear <= 0.12


@pytest.mark.slow
def test_no_more_than_one_in_twenty_false_alarms_over_ten_thousand_data_sets() -> None:
    """At most .06 for tests and for clear violations."""
    significant, clear = false_alarms(10_000)
    assert significant <= 0.06
    assert clear <= 0.06
