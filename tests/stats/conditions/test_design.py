"""From conditions to tests: what is paired, what is clustered, what is refused; and nothing is found in nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Scored, Skipped
from crucible.stats import compare, compare_paired, correct
from crucible.stats.conditions.design import Design, compare_all, compare_conditions
from crucible.stats.conditions.observations import Condition, Observation, condition_of_scores

RIGHT = {f"q{i}": float(i % 3 == 0) for i in range(30)}
BETTER = {key: 1.0 if i % 4 == 0 else value for i, (key, value) in enumerate(RIGHT.items())}


def _clustered(label: str, scores: dict[str, float], clusters: dict[str, str]) -> Condition:
    found = tuple(Observation(item, Scored(value), cluster=clusters[item]) for item, value in scores.items())
    return Condition(label, "score", found)


def test_items_measured_once_are_paired_by_id() -> None:
    """In whatever order they come; right or wrong is McNemar's test, as `compare_paired` has it."""
    shuffled = dict(reversed(BETTER.items()))
    found = compare_conditions(condition_of_scores("old", RIGHT), condition_of_scores("new", shuffled))
    plain = compare_paired(RIGHT, BETTER)
    assert (found.name, found.p, found.interval) == ("mcnemar", plain.p, plain.interval)
    assert (found.baseline, found.treatment) == ("old", "new")


def test_every_result_counts_both_sides() -> None:
    """Attempted, scored, failed and skipped, of items and measurements; what happened to them is in the sentence."""
    old = condition_of_scores("old", {**RIGHT, "q0": None, "q1": Skipped("late")})
    new = condition_of_scores("new", BETTER)
    found = compare_conditions(old, new)
    assert {key: n for key, n in found.counts.items() if key.startswith("baseline_")} == {
        "baseline_only": found.counts["baseline_only"],
        "baseline_items": 30,
        "baseline_attempted": 29,
        "baseline_scored": 28,
        "baseline_failed": 1,
        "baseline_skipped": 1,
    }
    assert found.failures == (
        "1 of 59 measurements failed and were left out; 1 of 60 measurements were skipped on purpose; "
        "2 of 30 items were left out for want of a score on both sides"
    )
    assert found.failures in found.wording
    zeroed = compare_conditions(old, new, failures="zero")
    assert (found.n, zeroed.n) == (28, 29)
    assert "1 of 59 measurements failed and count as 0" in zeroed.failures
    with pytest.raises(StatsError, match="1 measurements of old failed"):
        compare_conditions(old, new, failures="abort")


def test_repeats_are_one_item_each() -> None:
    """Four answers to each of ten questions are a t-test of ten means, and never of forty scores."""
    random = np.random.default_rng(1)
    old = {f"q{i}": [float(v) for v in random.integers(0, 2, 4)] for i in range(10)}
    new = {f"q{i}": [float(v) for v in random.integers(0, 2, 4)] for i in range(10)}
    found = compare_conditions(condition_of_scores("old", old), condition_of_scores("new", new))
    means = [[float(np.mean(v)) for v in side.values()] for side in (new, old)]
    known: Any = scipy_stats.ttest_rel(*means)
    assert found.name == "paired_ttest"
    assert found.n == 10
    assert found.p == pytest.approx(float(known.pvalue), rel=1e-12)
    assert "made of item means (40 measurements of 10 items of old, 40 measurements of 10 items of new)" in found.method


def test_repeats_that_all_agree_have_an_honest_answer() -> None:
    """Where no t-test can be made: everything right on both sides, or wrong on one and right on the other."""
    right = condition_of_scores("right", {f"q{i}": [1, 1] for i in range(20)})
    same = compare_conditions(right, condition_of_scores("also", {f"q{i}": [1, 1] for i in range(20)}))
    assert (same.name, same.p, same.interval.high > 0.1) == ("mcnemar", 1.0, True)
    wrong = condition_of_scores("wrong", {f"q{i}": [0, 0] for i in range(20)})
    assert compare_conditions(wrong, right).p < 1e-5
    flat = [condition_of_scores(name, {f"q{i}": [0.5, 0.5] for i in range(20)}) for name in ("a", "b")]
    with pytest.raises(DegenerateSample):
        compare_conditions(*flat)


def test_items_of_one_side_are_refused_or_dropped_and_counted() -> None:
    """Never silently gone."""
    old = condition_of_scores("old", RIGHT)
    new = condition_of_scores("new", {**{k: v for k, v in BETTER.items() if k != "q3"}, "extra": 1.0})
    message = r'do not hold the same items: 1 only in old \("q3"\); 1 only in new \("extra"\); .*the 29 that both have'
    with pytest.raises(StatsError, match=message):
        compare_conditions(old, new)
    found = compare_conditions(old, new, unmatched="drop")
    assert found.n == 29
    assert "items that one side has not were dropped (1 only in old and 1 only in new)" in found.failures
    with pytest.raises(StatsError, match='unknown way with unmatched items "ignore"; known: refuse, drop'):
        compare_conditions(old, new, unmatched="ignore")


def test_no_common_item_is_refused_even_where_the_rest_is_dropped() -> None:
    """It would be a comparison of nothing."""
    old = condition_of_scores("old", {"a": 1, "b": 0})
    with pytest.raises(StatsError, match="no item is in both"):
        compare_conditions(old, condition_of_scores("new", {"c": 1, "d": 0}), unmatched="drop")


def test_too_few_items_with_scores_are_told_with_all_counts() -> None:
    """Where everything failed on one side."""
    old, new = condition_of_scores("old", RIGHT), condition_of_scores("new", dict.fromkeys(RIGHT))
    with pytest.raises(
        TooFewSamples, match=r"0 of 30 items have a score on both sides.*new: 30 attempted, 0 scored, 30"
    ):
        compare_conditions(old, new)


def test_columns_without_ids_are_independent_samples() -> None:
    """By `compare`'s own rule, repeats included; with position they are pairs."""
    old, new = list(RIGHT.values()), list(BETTER.values())
    sides = condition_of_scores("old", old), condition_of_scores("new", new)
    found = compare_conditions(*sides)
    assert (found.name, found.p) == ("fisher", compare(old, new).p)
    paired = compare_conditions(*(side.by_position() for side in sides))
    assert (paired.name, paired.p) == ("mcnemar", compare_paired(old, new).p)
    with pytest.raises(StatsError, match="old has item ids and new has none"):
        compare_conditions(condition_of_scores("old", RIGHT), sides[1])


def test_the_same_id_has_to_ask_the_same() -> None:
    """As far as both sides know what was asked."""
    old = Condition("old", "x", tuple(Observation(str(i), Scored(1.0), fingerprint="a") for i in range(3)))
    new = Condition("new", "x", tuple(Observation(str(i), Scored(0.0), fingerprint="ab"[i % 2]) for i in range(3)))
    with pytest.raises(StatsError, match='1 items of old and new have the same id and ask another thing: "1"'):
        compare_conditions(old, new)


def test_metrics_of_other_names_are_an_assumption() -> None:
    """Tools call the same thing by other names; that it is the same is the caller's word."""
    found = compare_conditions(
        condition_of_scores("old", RIGHT, metric="acc"), condition_of_scores("new", BETTER, metric="match")
    )
    assert found.metric == "acc / match"
    assert "acc of old and match of new measure the same" in found.assumptions


def test_a_forced_test_is_made() -> None:
    """And one that does not fit the design is refused by name."""
    old, new = condition_of_scores("old", RIGHT), condition_of_scores("new", BETTER)
    assert compare_conditions(old, new, test="ttest").name == "paired_ttest"
    with pytest.raises(StatsError, match='"welch" is not available for paired scores'):
        compare_conditions(old, new, test="welch")
    with pytest.raises(StatsError, match="alpha must lie between 0 and 1"):
        compare_conditions(old, new, alpha=1.5)


def test_several_treatments_are_corrected_for() -> None:
    """Each against the first by default, every pair if asked; Holm unless told otherwise."""
    third = {key: 1.0 - value for key, value in RIGHT.items()}
    conditions = [condition_of_scores(name, scores) for name, scores in zip("abc", (RIGHT, BETTER, third), strict=True)]
    results = compare_all(conditions)
    assert [(one.baseline, one.treatment) for one in results] == [("a", "b"), ("a", "c")]
    assert [one.p_adjusted for one in results] == correct([one.p for one in results], "holm")
    assert "after holm correction for 2 comparisons" in results[0].wording
    pairs = compare_all(conditions, Design(all_pairs=True, correction="bonferroni"))
    assert [(one.baseline, one.treatment) for one in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs[0].p_adjusted == min(1.0, 3 * pairs[0].p)
    assert compare_all(conditions, Design(correction="none"))[0].p_adjusted is None
    assert compare_all(conditions[:2])[0].p_adjusted is None


def test_conditions_have_labels_of_their_own() -> None:
    """And there are at least two; which pair could not be compared is told."""
    one = condition_of_scores("a", RIGHT)
    with pytest.raises(StatsError, match="at least 2 conditions, got 1"):
        compare_all([one])
    with pytest.raises(StatsError, match='two conditions are called "a"'):
        compare_all([one, one])
    with pytest.raises(StatsError, match="c against a: .*do not hold the same items"):
        compare_all([one, condition_of_scores("b", BETTER), condition_of_scores("c", {"q0": 1, "x": 0})])


def test_clusters_take_their_own_test() -> None:
    """Given on either side; items that moved between clusters are refused."""
    clusters = {key: f"p{i // 5}" for i, key in enumerate(RIGHT)}
    old, new = _clustered("old", RIGHT, clusters), condition_of_scores("new", BETTER)
    found = compare_conditions(old, new)
    assert (found.name, found.counts["clusters"], found.n) == ("clustered_ttest", 6, 30)
    assert found.difference == pytest.approx(compare_paired(RIGHT, BETTER).difference, rel=1e-12)
    moved = _clustered("new", BETTER, {**clusters, "q0": "p5"})
    with pytest.raises(StatsError, match=r'1 items are in one cluster in old and in another in new: "q0"'):
        compare_conditions(old, moved)
    with pytest.raises(StatsError, match='test "mcnemar" takes no account of clusters'):
        compare_conditions(old, new, test="mcnemar")


def test_clusters_without_ids_are_of_two_independent_samples() -> None:
    """Both sides have to say which clusters their items are in."""
    random = np.random.default_rng(2)
    sides = [
        Condition(name, "x", tuple(Observation(str(i), Scored(float(random.normal())), cluster=f"{name}{i // 4}")
                                   for i in range(40)), by_item=False)
        for name in ("old", "new")
    ]  # fmt: skip
    found = compare_conditions(*sides)
    assert (found.name, found.counts["baseline_clusters"]) == ("clustered_ttest", 10)
    with pytest.raises(StatsError, match="only one of old and new says which cluster"):
        compare_conditions(sides[0], condition_of_scores("new", [1.0, 2.0, 3.0]))


def _repeats(random: np.random.Generator) -> list[Condition]:
    """Items of all difficulties, answered four times by two models that are equally good at each of them."""
    chance = random.beta(0.7, 0.7, 40)
    return [
        condition_of_scores(name, {str(i): [float(v) for v in random.random(4) < p] for i, p in enumerate(chance)})
        for name in ("old", "new")
    ]


def _passages(random: np.random.Generator) -> list[Condition]:
    """Passages of 1 to 9 questions on which either model is luckier as a whole, and neither on average."""
    sizes = [1 + i % 9 for i in range(25)]
    places = {f"{c}.{i}": f"p{c}" for c, size in enumerate(sizes) for i in range(size)}
    luck = {f"p{c}": float(u) for c, u in enumerate(random.normal(size=25))}
    old = {item: float(v) for item, v in zip(places, random.normal(size=len(places)), strict=True)}
    new = {item: old[item] + luck[p] + float(random.normal()) for item, p in places.items()}
    return [_clustered("old", old, places), _clustered("new", new, places)]


def _once(random: np.random.Generator) -> list[Condition]:
    chance = random.beta(0.7, 0.7, 100)
    sides = [{str(i): float(v) for i, v in enumerate(random.random(100) < chance)} for _ in range(2)]
    return [condition_of_scores(name, side) for name, side in zip(("old", "new"), sides, strict=True)]


def _unpaired(random: np.random.Generator) -> list[Condition]:
    return [condition_of_scores("old", random.normal(size=20)), condition_of_scores("new", 3 * random.normal(size=30))]


def _prompts(random: np.random.Generator, items: int, prompts: int) -> list[Condition]:
    """Prompts each of which suits one of two models better, on all items alike, and neither on average."""
    old = random.normal(size=(items, prompts))
    new = old + random.normal(size=prompts) + 0.5 * random.normal(size=(items, 1)) + random.normal(size=old.shape)
    return [
        Condition(name, "x", tuple(Observation(str(i), Scored(float(v)), prompt=f"p{j}")
                                   for (i, j), v in np.ndenumerate(side)))
        for name, side in (("old", old), ("new", new))
    ]  # fmt: skip


def _many_prompts(random: np.random.Generator) -> list[Condition]:
    return _prompts(random, items=12, prompts=10)


def _few_prompts(random: np.random.Generator) -> list[Condition]:
    return _prompts(random, items=30, prompts=3)


def _right_under_prompts(random: np.random.Generator) -> list[Condition]:
    """Right or wrong, with chances that item, model and prompt decide together."""
    item, prompt = random.normal(size=(25, 1)), [random.normal(size=4) for _ in range(2)]
    return [
        Condition(name, "x", tuple(Observation(str(i), Scored(float(v)), prompt=f"p{j}")
                                   for (i, j), v in np.ndenumerate(random.random((25, 4)) < _chance(item + luck))))
        for name, luck in zip(("old", "new"), prompt, strict=True)
    ]  # fmt: skip


def _chance(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))


DESIGNS = [
    (_repeats, 0.04),
    (_passages, 0.04),
    (_unpaired, 0.04),
    (_once, 0.0),
    (_many_prompts, 0.04),
    (_few_prompts, 0.0),
    (_right_under_prompts, 0.0),
]


def _rejections(make: Any, times: int) -> tuple[float, float]:
    """Return how often nothing is taken for something, and how often the interval holds the true difference, 0."""
    random = np.random.default_rng(20)
    results = [compare_conditions(*make(random)) for _ in range(times)]
    rejected = sum(one.p < 0.05 for one in results) / times
    return rejected, sum(one.interval.low <= 0.0 <= one.interval.high for one in results) / times


@pytest.mark.parametrize(("make", "least"), DESIGNS)
def test_nothing_is_found_in_nothing(make: Any, least: float) -> None:
    """Type-I error within 0.06, at least 0.04 where the statistic is continuous, give or take 3 standard errors."""
    rejected, covered = _rejections(make, 250)
    slack = 3 * (0.05 * 0.95 / 250) ** 0.5
    assert least - slack <= rejected <= 0.06 + slack
    assert covered >= 0.94 - slack


@pytest.mark.slow
@pytest.mark.parametrize(("make", "least"), DESIGNS)
def test_nothing_is_found_in_nothing_ten_thousand_times(make: Any, least: float) -> None:
    """Type-I error within 0.06, at least 0.04 where the statistic is continuous; intervals cover as they claim."""
    rejected, covered = _rejections(make, 10_000)
    assert least <= rejected <= 0.06
    assert 0.94 <= covered <= (0.96 if least else 1.0)
